"""A peer on loopback that behaves as asked, and a name server that answers as asked. 127.0.0.1 plays the public, 127.0.0.2 the private."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sightline.media.addresses import networks
from sightline.media.settings import MediaSettings

Handler = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    server: str
    """The address it was sent to."""


@dataclass
class Names:
    """A name server: each answer to a name is used up until the last one, which stays."""

    answers: dict[str, list[Sequence[str]]] = field(default_factory=lambda: defaultdict(list))
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        known = self.answers.get(host)
        if not known:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return known.pop(0) if len(known) > 1 else known[0]


@dataclass
class Peer:
    """What came in, and how to answer each path."""

    port: int
    handlers: dict[str, Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def settings(self, **changes: Any) -> MediaSettings:
        """Bounds under which 127.0.0.1 counts as public."""
        return MediaSettings(private_networks=networks(["127.0.0.1/32"]), ports=frozenset({self.port}), **changes)

    def serve(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
            lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", "Connection: close"]
            lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

        self.handlers[path] = answer

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = writer.get_extra_info("sockname")[0]
        self.connections.append(server)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            asked = Asked(head[0].split(" ")[1], headers, server)
            self.asked.append(asked)
            self.arrived.set()
            await self.handlers[asked.path](asked, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.left.set()
            writer.close()


@contextlib.asynccontextmanager
async def running(addresses: Sequence[str] = ("127.0.0.1", "127.0.0.2")) -> AsyncGenerator[Peer]:
    """A peer that listens on the same port of all addresses."""
    peer = Peer(0)
    first = await asyncio.start_server(peer.take, addresses[0], 0)
    peer.port = first.sockets[0].getsockname()[1]
    servers = [first, *[await asyncio.start_server(peer.take, address, peer.port) for address in addresses[1:]]]
    try:
        yield peer
    finally:
        for server in servers:
            server.close()
