"""The one fetcher against a peer and a name server that mean harm, or are merely slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest

from sightline.media.addresses import Refused
from sightline.media.fetch import Fetcher
from sightline.media.refusals import Over
from sightline.media.settings import MediaSettings
from tests.integration.media.peer import Asked, Names, Peer, running


@pytest.fixture
async def peer() -> AsyncGenerator[Peer]:
    async with running() as started:
        yield started


@pytest.fixture
def names() -> Names:
    known = Names()
    known.answers["public.test"] = [["127.0.0.1"]]
    known.answers["inside.test"] = [["127.0.0.2"]]
    return known


async def fetch(url: str, settings: MediaSettings, names: Names) -> bytes:
    got = bytearray()
    async with Fetcher(settings, names) as fetcher:
        await fetcher.fetch(url, got.extend)
    return bytes(got)


async def refusal(url: str, settings: MediaSettings, names: Names) -> str:
    with pytest.raises(Refused) as refused:
        await fetch(url, settings, names)
    return refused.value.reason


async def test_fetches_from_the_resolved_address_with_the_name_as_host(peer: Peer, names: Names) -> None:
    peer.serve("/a.jpg?x=1", b"content")
    assert await fetch(f"http://public.test:{peer.port}/a.jpg?x=1#part", peer.settings(), names) == b"content"
    (asked,) = peer.asked
    assert asked.headers["host"] == f"public.test:{peer.port}"
    assert asked.headers["accept-encoding"] == "identity"
    assert "cookie" not in asked.headers
    assert names.asked == ["public.test"]


async def test_a_private_answer_is_never_connected_to(peer: Peer, names: Names) -> None:
    peer.serve("/", b"secret")
    names.answers["mixed.test"] = [["127.0.0.1", "127.0.0.2"]]
    for host in ("inside.test", "mixed.test", "127.0.0.2"):
        assert await refusal(f"http://{host}:{peer.port}/", peer.settings(), names) == "private"
    assert peer.connections == []


async def test_rebinding_between_check_and_connect_finds_no_second_look_up(peer: Peer, names: Names) -> None:
    peer.serve("/", b"content")
    names.answers["rebind.test"] = [["127.0.0.1"], ["127.0.0.2"]]
    assert await fetch(f"http://rebind.test:{peer.port}/", peer.settings(), names) == b"content"
    assert peer.connections == ["127.0.0.1"]
    assert names.asked == ["rebind.test"]
    assert await refusal(f"http://rebind.test:{peer.port}/", peer.settings(), names) == "private"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_every_hop_is_judged(peer: Peer, names: Names, status: int) -> None:
    peer.serve("/", b"secret")
    for target in (f"http://inside.test:{peer.port}/", f"http://127.0.0.2:{peer.port}/", "http://169.254.169.254/"):
        peer.serve("/go", b"", status, Location=target)
        reason = await refusal(f"http://public.test:{peer.port}/go", peer.settings(), names)
        assert reason in {"private", "port"}
    assert set(peer.connections) == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("file:///etc/passwd", "scheme"),
        ("ftp://public.test/", "scheme"),
        ("http://user@public.test/", "credentials"),
        ("http://public.test:22/", "port"),
        ("http://2130706433/", "port"),
        ("http://unknown.test:{port}/", "dns"),
        ("//127.0.0.2:{port}/", "private"),
        ("http://127.0.0.2:{port}\\@public.test:{port}/", "address"),
        ("", "status"),
    ],
)
async def test_redirects_to_what_would_be_refused(peer: Peer, names: Names, location: str, expected: str) -> None:
    peer.serve("/go", b"", 302, Location=location.format(port=peer.port))
    assert await refusal(f"http://public.test:{peer.port}/go", peer.settings(), names) == expected


async def test_redirects_are_followed_three_times(peer: Peer, names: Names) -> None:
    for hop in range(4):
        peer.serve(f"/{hop}", b"", 302, Location=f"/{hop + 1}")
    peer.serve("/4", b"content")
    assert await fetch(f"http://public.test:{peer.port}/1", peer.settings(), names) == b"content"
    assert await refusal(f"http://public.test:{peer.port}/0", peer.settings(), names) == "redirects"
    peer.serve("/loop", b"", 302, Location="/loop")
    assert await refusal(f"http://public.test:{peer.port}/loop", peer.settings(), names) == "redirects"


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 404, 500, 503])
async def test_only_200_is_content(peer: Peer, names: Names, status: int) -> None:
    peer.serve("/", b"" if status in {204, 304} else b"content", status)
    assert await refusal(f"http://public.test:{peer.port}/", peer.settings(), names) == "status"


async def test_a_declared_size_over_the_bound_is_refused_unread(peer: Peer, names: Names) -> None:
    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(30)

    peer.handlers["/"] = answer
    with pytest.raises(Over) as over:
        await fetch(f"http://public.test:{peer.port}/", peer.settings(most_bytes=4999), names)
    assert (over.value.actual, over.value.limit) == (5000, 4999)


async def test_an_undeclared_size_over_the_bound_stops_the_transfer(peer: Peer, names: Names) -> None:
    sent = 0

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20_000):
            writer.write(b"400\r\n" + bytes(1024) + b"\r\n")
            sent += 1024
            await writer.drain()
            await asyncio.sleep(0)

    peer.handlers["/"] = answer
    with pytest.raises(Over):
        await fetch(f"http://public.test:{peer.port}/", peer.settings(most_bytes=10_000), names)
    assert sent < 10_000_000


async def test_silence_and_dripping_both_end(peer: Peer, names: Names) -> None:
    async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async def drip(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    peer.handlers.update({"/silent": silent, "/drip": drip})
    settings = peer.settings(idle_seconds=0.2, fetch_seconds=0.6)
    for path in ("/silent", "/drip"):
        began = time.monotonic()
        assert await refusal(f"http://public.test:{peer.port}{path}", settings, names) == "timeout"
        assert time.monotonic() - began < 5


async def test_a_slow_name_server_counts_too(peer: Peer) -> None:
    async def slow(host: str) -> list[str]:
        await asyncio.sleep(30)
        return ["127.0.0.1"]

    with pytest.raises(Refused) as refused:
        async with Fetcher(peer.settings(fetch_seconds=0.3, connect_seconds=0.2), slow) as fetcher:
            await fetcher.fetch(f"http://public.test:{peer.port}/", lambda _: None)
    assert refused.value.reason == "timeout"


async def test_a_transfer_that_breaks_off(peer: Peer, names: Names) -> None:
    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

    async def nonsense(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.7\r\n")

    peer.handlers.update({"/half": answer, "/ssh": nonsense})
    assert await refusal(f"http://public.test:{peer.port}/half", peer.settings(), names) == "broken"
    assert await refusal(f"http://public.test:{peer.port}/ssh", peer.settings(), names) == "broken"


async def test_refused_connections_and_tls_to_a_plain_port(peer: Peer, names: Names) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with running(["127.0.0.1"]) as gone:
        port = gone.port
    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        tls_port = server.sockets[0].getsockname()[1]
        settings = MediaSettings(private_networks=peer.settings().private_networks, ports=frozenset({port, tls_port}))
        assert await refusal(f"http://public.test:{port}/", settings, names) == "connect"
        assert await refusal(f"https://public.test:{tls_port}/", settings, names) == "tls"


async def test_compressed_transfers_are_not_unpacked(peer: Peer, names: Names) -> None:
    peer.serve("/", b"\x1f\x8b" + bytes(100), Content_Encoding="gzip")
    assert await refusal(f"http://public.test:{peer.port}/", peer.settings(), names) == "encoding"


async def test_cookies_are_not_carried(peer: Peer, names: Names) -> None:
    peer.serve("/set", b"", 302, Set_Cookie="a=b", Location="/get")
    peer.serve("/get", b"content")
    await fetch(f"http://public.test:{peer.port}/set", peer.settings(), names)
    assert "cookie" not in peer.asked[-1].headers


async def test_cancelling_stops_the_transfer(peer: Peer, names: Names) -> None:
    async def forever(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"400\r\n" + bytes(1024) + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    peer.handlers["/"] = forever
    job = asyncio.create_task(fetch(f"http://public.test:{peer.port}/", peer.settings(), names))
    await peer.arrived.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    async with asyncio.timeout(5):
        await peer.left.wait()
