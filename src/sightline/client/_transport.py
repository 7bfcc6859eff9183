"""What both clients know of httpx: how it is set up, and what its failures mean. Foreign errors are translated here and nowhere else."""

from __future__ import annotations

import ipaddress
import os
import random
import ssl
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from sightline import __version__
from sightline.client._steps import Head, Send, Service
from sightline.client.failures import ConnectionFailed
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual, Language

KEY_VARIABLE = "SIGHTLINE_API_KEY"
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Setup:
    """A client's settings, checked. Raises `MalformedRequest` naming the one that cannot be used."""

    api_key: str | None = field(repr=False)
    base_url: str
    timeout: float | None
    retries: int
    max_connections: int
    language: Language | None

    def __post_init__(self) -> None:
        address = _split(self.base_url)
        if address is None:
            raise MalformedRequest(
                "base_url", Bilingual("不是有效的地址", "it is not an address"), "http://host:port or https://host, with or without a path"
            )
        if self.timeout is not None and not self.timeout > 0:
            raise MalformedRequest("timeout", Bilingual("应为正数", "it should be positive"), "seconds over 0")
        if self.retries < 0:
            raise MalformedRequest("retries", Bilingual("不能为负", "it cannot be negative"), "0 or more")
        if self.max_connections < 1:
            raise MalformedRequest("max_connections", Bilingual("至少为 1", "it should be at least 1"), "1 or more")
        if not all("!" <= character <= "~" for character in self.api_key or ""):
            raise MalformedRequest(
                "api_key", Bilingual("含有不允许的字符", "it holds characters that a key cannot have"), "printable ASCII, no spaces"
            )

    @property
    def root(self) -> str:
        return self.base_url.rstrip("/")

    def service(self) -> Service:
        # Jitter spreads clients apart; nobody has to be unable to guess it.
        return Service(self.root, self.timeout, self.retries, time.monotonic, random.random)

    def httpx_arguments(self) -> dict[str, Any]:
        """Arguments of `httpx.Client` and `httpx.AsyncClient`. Proxies of the environment are not asked about this machine."""
        headers = {"User-Agent": f"sightline-python/{__version__}"}
        key = self.api_key or os.environ.get(KEY_VARIABLE)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if self.language:
            headers["Accept-Language"] = self.language
        address = urlsplit(self.base_url)
        here = _is_loopback(address.hostname or "")
        return {
            "headers": headers,
            "trust_env": not here,
            # Reading the certificates of the world takes longer than a short call; without TLS nor proxies nobody asks for them.
            "verify": not (here and address.scheme == "http"),
            "follow_redirects": False,
            "limits": httpx.Limits(max_connections=self.max_connections, max_keepalive_connections=self.max_connections),
        }

    def request_arguments(self, step: Send) -> dict[str, Any]:
        """Arguments of `build_request` but for its content."""
        headers = {"Accept": step.accept}
        if step.body is not None:
            headers |= {"Content-Type": step.body.content_type, "Content-Length": str(len(step.body))}
        timeout = httpx.Timeout(step.seconds, connect=min(_CONNECT_SECONDS, step.seconds), pool=None)
        return {"method": step.method, "url": self.root + step.path, "headers": headers, "timeout": timeout}


def head_of(response: httpx.Response) -> Head:
    return Head(response.status_code, response.headers)


def translate(error: Exception, address: str) -> Exception:
    """What a failure of httpx means to a call: `TimeoutError` where the service is silent, else `ConnectionFailed`."""
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return TimeoutError()
    failed = ConnectionFailed(address, _reason(error))
    failed.__cause__ = error
    return failed


def _reason(error: Exception) -> Bilingual:
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and len(causes) < 10:
        causes.append(cause)
    text = str(error).lower()
    if isinstance(error, httpx.ConnectTimeout):
        return Bilingual("连接超时", "nothing answers there")
    if any(isinstance(cause, ssl.SSLError) for cause in causes) or "ssl" in text:
        return Bilingual("无法建立安全连接（TLS）", "no secure connection (TLS) could be made")
    if isinstance(error, httpx.ConnectError):
        if "name" in text or "address associated" in text or "nodename" in text:
            return Bilingual("没有这个主机名", "there is no host of that name")
        return Bilingual("连接被拒绝", "the connection was refused")
    if isinstance(error, httpx.ProxyError):
        return Bilingual("代理拒绝了连接", "the proxy refused the connection")
    return Bilingual("连接中断", "the connection broke off")


def _split(address: str) -> tuple[str, str] | None:
    """Scheme and host of a usable address."""
    if not address.isprintable() or " " in address:
        return None
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)
        _ = parts.port
        httpx.URL(address)
    except (ValueError, httpx.InvalidURL):
        return None
    return (parts.scheme, parts.hostname or "") if usable else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
