"""Which addresses are refused before anything is asked, and why. Each case has been used against a service like this one."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.media.addresses import REASONS, Refused, check_addresses, check_url, networks
from sightline.media.settings import MediaSettings

SETTINGS = MediaSettings()


def reason(url: str, settings: MediaSettings = SETTINGS) -> str | None:
    try:
        check_url(url, settings)
    except Refused as refused:
        assert refused.reason in REASONS
        return refused.reason
    return None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1/", "private"),
        ("http://127.255.255.254/", "private"),
        ("http://0.0.0.0/", "private"),
        ("http://10.0.0.1/", "private"),
        ("http://172.16.0.1/", "private"),
        ("http://172.31.255.255/", "private"),
        ("http://192.168.1.1/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "private"),
        ("http://100.64.0.1/", "private"),
        ("http://100.100.100.200/", "private"),
        ("http://168.63.129.16/", "private"),
        ("http://192.0.0.192/", "private"),
        ("http://198.18.0.1/", "private"),
        ("http://224.0.0.1/", "private"),
        ("http://255.255.255.255/", "private"),
        ("http://[::]/", "private"),
        ("http://[::1]/", "private"),
        ("http://[::ffff:127.0.0.1]/", "private"),
        ("http://[::ffff:a9fe:a9fe]/", "private"),
        ("http://[::127.0.0.1]/", "private"),
        ("http://[64:ff9b::10.0.0.1]/", "private"),
        ("http://[2002:7f00:1::]/", "private"),
        ("http://[2001:0:1::1]/", "private"),
        ("http://[fc00::1]/", "private"),
        ("http://[fd00:ec2::254]/", "private"),
        ("http://[fe80::1]/", "private"),
        ("http://[fec0::1]/", "private"),
        ("http://[ff02::1]/", "private"),
        ("http://[2001:db8::1]/", "private"),
        ("http://2130706433/", "address"),
        ("http://0x7f000001/", "address"),
        ("http://0x7f.0.0.1/", "address"),
        ("http://017700000001/", "address"),
        ("http://0177.0.0.1/", "address"),
        ("http://127.1/", "address"),
        ("http://127.0.0.1./", "address"),
        ("http://1.2.3.4.5/", "address"),
        ("http://127.0.0.1:6666\\@1.1.1.1/", "address"),
        ("http://1.1.1.1\\@127.0.0.1/", "address"),
        ("http://exa mple.com/", "address"),
        ("http://example.com/\r\nHost: x", "address"),
        ("http:///nothing", "address"),
        ("http://", "address"),
        ("http://[::1", "address"),
        ("http://example.com:99999/", "address"),
        ("http://" + "a" * 300 + ".com/", "address"),
        ("http://user@example.com/", "credentials"),
        ("http://user:secret@example.com/", "credentials"),
        ("http://:@example.com/", "credentials"),
        ("http://1.1.1.1@example.com/", "credentials"),
        ("http://example.com:22/", "port"),
        ("http://example.com:6379/", "port"),
        ("https://example.com:8443/", "port"),
        ("http://example.com:0/", "port"),
        ("file:///etc/passwd", "scheme"),
        ("ftp://example.com/a.jpg", "scheme"),
        ("gopher://example.com/", "scheme"),
        ("dict://example.com:11211/", "scheme"),
        ("jar:http://example.com!/", "scheme"),
        ("//example.com/a.jpg", "scheme"),
        ("blob:http://example.com/1", "scheme"),
    ],
)
def test_refused(url: str, expected: str) -> None:
    assert reason(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.jpg",
        "https://example.com:443/a.jpg?size=2#part",
        "https://EXAMPLE.com/%E4%BD%A0.png",
        "https://例子.测试/图.png",
        "http://8.8.8.8/",
        "http://[2606:4700::1111]/",
        "http://[64:ff9b::808:808]/",
        "http://a_b.example.com/",
        "https://example.com./a.jpg",
    ],
)
def test_ordinary_addresses_pass(url: str) -> None:
    assert reason(url) is None


def test_a_name_with_public_and_private_answers_is_refused() -> None:
    check_addresses(["8.8.8.8", "2606:4700::1111"], SETTINGS)
    for mixed in (["8.8.8.8", "10.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["8.8.8.8", "::1"], ["8.8.8.8", "fe80::1%eth0"], ["8.8.8.8", "x"]):
        with pytest.raises(Refused) as refused:
            check_addresses(mixed, SETTINGS)
        assert refused.value.reason == "private"
    with pytest.raises(Refused) as refused:
        check_addresses([], SETTINGS)
    assert refused.value.reason == "dns"


def test_private_networks_open_only_what_they_name() -> None:
    settings = replace(SETTINGS, private_networks=networks(["10.1.0.0/16", "fd00::/64"]))
    assert reason("http://10.1.2.3/", settings) is None
    assert reason("http://[fd00::5]/", settings) is None
    assert reason("http://[::ffff:10.1.2.3]/", settings) is None
    assert reason("http://10.2.0.1/", settings) == "private"
    assert reason("http://127.0.0.1/", settings) == "private"
    with pytest.raises(ValueError, match="host bits"):
        networks(["10.1.2.3/16"])


def test_host_lists() -> None:
    allowed = replace(SETTINGS, allow_hosts=("example.com", "*.cdn.net"))
    assert reason("http://example.com/", allowed) is None
    assert reason("http://EXAMPLE.com./", allowed) is None
    assert reason("http://a.cdn.net/", allowed) is None
    assert reason("http://cdn.net/", allowed) == "host"
    assert reason("http://evilexample.com/", allowed) == "host"
    assert reason("http://example.com.evil.net/", allowed) == "host"
    assert reason("http://xcdn.net/", allowed) == "host"
    denied = replace(allowed, deny_hosts=("bad.cdn.net",))
    assert reason("http://bad.cdn.net/", denied) == "host"
    assert reason("http://good.cdn.net/", denied) is None


def test_an_allowed_host_does_not_open_a_private_address() -> None:
    assert reason("http://127.0.0.1/", replace(SETTINGS, allow_hosts=("127.0.0.1",))) == "private"


PRIVATE = [ip_network(text) for text in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_no_form_of_a_private_address_passes(number: int) -> None:
    address = IPv4Address(number)
    forms = (
        f"[::ffff:{address}]",
        f"[64:ff9b::{address}]",
        f"[::{address}]",
        str(number),
        hex(number),
        f"0{oct(number)[2:]}",
        str(address),
    )
    if any(address in network for network in PRIVATE):
        assert all(reason(f"http://{form}/") in {"private", "address"} for form in forms)
    else:
        assert all(reason(f"http://{form}/") in {"private", "address"} for form in forms[2:6])


@given(st.integers(0, 2**128 - 1))
@settings(deadline=None)
def test_only_global_unicast_passes_of_ipv6(number: int) -> None:
    address = IPv6Address(number)
    if reason(f"http://[{address}]/") is None:
        assert address in ip_network("2000::/3") or address in ip_network("64:ff9b::/96") or address.ipv4_mapped


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_text_is_judged_or_passes_and_nothing_else(text: str) -> None:
    reason(text)
    reason(f"http://{text}/")
