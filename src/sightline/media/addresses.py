"""Which addresses may be asked: the rules against server-side request forgery, as pure functions.

Names are judged by the addresses they resolve to, and those very addresses are then connected to (see `fetch`): there is
no second look-up that could answer differently. Registry: IANA special-purpose address registries.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

from sightline.media.settings import MediaSettings
from sightline.protocol.language import Bilingual

_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's wire server, at a public address
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")
_ODD_CHARACTERS = re.compile(r"[\x00-\x20\x7f\\]")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")

REASONS = {
    "scheme": Bilingual("只支持 http 与 https 地址", "only http and https addresses are fetched"),
    "address": Bilingual("地址写法有误", "the address is not well formed"),
    "credentials": Bilingual("地址中不得包含用户名或密码", "the address holds a user name or password"),
    "port": Bilingual("不允许访问该端口", "its port may not be asked"),
    "host": Bilingual("不允许访问该主机", "its host may not be asked"),
    "private": Bilingual("不允许访问非公网地址", "it does not lead to a public address"),
    "dns": Bilingual("无法解析主机名", "its host name is not known"),
    "connect": Bilingual("无法建立连接", "no connection could be made"),
    "tls": Bilingual("TLS 证书或握手失败", "its certificate or TLS handshake failed"),
    "redirects": Bilingual("重定向次数过多", "it redirects too often"),
    "downgrade": Bilingual("不允许从 https 重定向到 http", "it redirects from https to http"),
    "status": Bilingual("对方没有返回内容", "the other side did not answer with content"),
    "encoding": Bilingual("对方返回了压缩传输的内容", "the other side sent it compressed although asked not to"),
    "timeout": Bilingual("对方响应过慢", "the other side was too slow"),
    "broken": Bilingual("传输中断", "the transfer broke off"),
}
"""Reason classes of a refusal or failure (1003) and their sentences; none of them tells anything of our side."""


class Refused(Exception):
    """An address that cannot or may not be fetched; `reason` is a key of `REASONS`."""

    def __init__(self, reason: str, cause: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause


def check_url(text: str, settings: MediaSettings) -> URL:
    """Parses an address once, for checking and for fetching alike. Raises `Refused`."""
    if _ODD_CHARACTERS.search(text.strip(" \t\r\n")):
        raise Refused("address")
    try:
        url = URL(text.strip(" \t\r\n"))
        host, port = (url.raw_host or "").lower(), url.port
    except (ValueError, UnicodeError):
        raise Refused("address") from None
    if url.scheme not in {"http", "https"}:
        raise Refused("scheme")
    if url.user is not None or url.password is not None:
        raise Refused("credentials")
    if not host or len(host) > 255:
        raise Refused("address")
    if port not in settings.ports:
        raise Refused("port")
    check_host(host, settings)
    return url.with_fragment(None)


def check_host(host: str, settings: MediaSettings) -> None:
    """Judges a host before anything is resolved. Raises `Refused`."""
    plain = host.rstrip(".")
    if _matches(plain, settings.deny_hosts) or (settings.allow_hosts and not _matches(plain, settings.allow_hosts)):
        raise Refused("host")
    literal = _literal(host)
    if literal is not None:
        check_addresses((str(literal),), settings)
    elif not _HOST.fullmatch(host) or _NUMERIC_LABEL.fullmatch(plain.rsplit(".", 1)[-1]):
        raise Refused("address")  # 2130706433, 0x7f.1, 127.1, 0177.0.0.1: forms that resolvers read and people do not


def check_addresses(addresses: Sequence[str], settings: MediaSettings) -> None:
    """Judges all addresses of a name together: one that is not public refuses them all. Raises `Refused`."""
    if not addresses:
        raise Refused("dns")
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError:
            raise Refused("private") from None
        if not _may_be_asked(address, settings):
            raise Refused("private")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _may_be_asked(address: IPv4Address | IPv6Address, settings: MediaSettings) -> bool:
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        embedded = address.ipv4_mapped
        if address in _NAT64:
            embedded = IPv4Address(int(address) & 0xFFFFFFFF)
        if embedded is not None:
            return _may_be_asked(embedded, settings)
    if any(address.version == network.version and address in network for network in settings.private_networks):
        return True
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _matches(host: str, patterns: Sequence[str]) -> bool:
    for pattern in patterns:
        wanted = pattern.lower().rstrip(".")
        if host == wanted or (wanted.startswith("*.") and host.endswith(wanted[1:])):
            return True
    return False


def networks(texts: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks as an operator writes them (`10.0.0.0/8`). Raises `ValueError`."""
    return tuple(ip_network(text, strict=True) for text in texts)
