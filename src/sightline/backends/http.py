"""HTTP/1.1 to one engine: a bounded set of kept connections, one request on each at a time, bodies read as they come.

This stands under every generation, so it does what an engine's API needs and no more: POST and GET, bodies with a length, in
chunks or up to the end of the connection, TLS, no redirects, no cookies, no compression. A general client costs the gateway
three times as much a request (bench/gateway.py).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from sightline.backends.connection import Connection, ConnectionFault


class Endpoint:
    """One address. Holds connections and no request state; use it within one event loop, and `close` it.

    `at` is the IP address to connect to where the name in `url` stands for several; the name is still what the server and its
    certificate are asked for. `reusable` keeps connections between requests, for `idle_s` at most.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: dict[str, str],
        connections: int,
        connect_s: float,
        stall_s: float,
        reusable: bool = True,
        idle_s: float = 3.0,
        tls: ssl.SSLContext | None = None,
        at: str | None = None,
    ) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._address = at or self._host
        self._port = parts.port or (443 if secure else 80)
        self._tls = (tls or ssl.create_default_context()) if secure else None
        self._path = parts.path.rstrip("/")
        fields = {"Host": parts.netloc.rpartition("@")[2], "Connection": "keep-alive" if reusable else "close", **headers}
        self._fields = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()
        self._connect_s, self._stall_s = connect_s, stall_s
        self._reusable, self._idle_s = reusable, idle_s
        self._room = asyncio.Semaphore(connections)
        self._idle: deque[tuple[Connection, float]] = deque()
        self._open: set[Connection] = set()
        self.closed = False

    async def get(self, path: str) -> Reply:
        """See `post`."""
        return await self._ask(b"GET", path, None)

    async def post(self, path: str, body: bytes, accepted: Callable[[], None] | None = None) -> Reply:
        """The response, once it has begun (see `Connection.has_begun`). Close it. Raises `ConnectionFault`.

        `accepted` is called when a head with status 200 comes, which may be long before that.
        """
        return await self._ask(b"POST", path, body, accepted)

    async def close(self) -> None:
        """Cuts every connection; whoever reads from one is told."""
        self.closed = True
        for connection in tuple(self._open):
            connection.abort("the connection was closed")
        self._idle.clear()

    def cut_unanswered(self, why: str) -> None:
        """Cuts the connections whose reader has not called `Reply.begun`."""
        for connection in tuple(self._open):
            if connection.busy and not connection.begun:
                connection.abort(why)

    async def _ask(self, method: bytes, path: str, body: bytes | None, accepted: Callable[[], None] | None = None) -> Reply:
        await self._room.acquire()
        try:
            while True:
                connection, used = self._take(), True
                if connection is None:
                    connection, used = await self._connect(), False
                try:
                    await connection.ask(self._head(method, path, body), body, self._stall_s, accepted)
                    return Reply(self, connection)
                except ConnectionFault:
                    connection.abort()
                    # An idle connection that turns out to be closed says nothing about the server: the request was not seen.
                    if not (used and connection.silent) or self.closed:
                        raise
                except BaseException:
                    connection.abort()
                    raise
        except BaseException:
            self._room.release()
            raise

    def give_back(self, connection: Connection) -> None:
        """A response is done with, read to its end or not."""
        self._room.release()
        if connection.reusable and self._reusable and not self.closed:
            self._idle.append((connection, asyncio.get_running_loop().time()))
        else:
            connection.abort()

    def _take(self) -> Connection | None:
        """The connection used last that is still open; those that servers are about to close (after 5 s, usually) are passed over."""
        since = asyncio.get_running_loop().time() - self._idle_s
        while self._idle:
            connection, rested = self._idle.pop()
            if connection.reusable and rested >= since:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        if self.closed:
            raise ConnectionFault("the connection was closed")
        loop = asyncio.get_running_loop()
        secure: dict[str, Any] = {"ssl": self._tls, "server_hostname": self._host} if self._tls else {}
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await loop.create_connection(lambda: Connection(self._open), self._address, self._port, **secure)
        except TimeoutError:
            raise ConnectionFault(f"no connection within {self._connect_s:g} s") from None
        except (OSError, UnicodeError) as error:  # TLS failures are OSErrors; a name that cannot be one is a UnicodeError
            raise ConnectionFault(f"{type(error).__name__}: {error}"[:200]) from error
        return connection

    def _head(self, method: bytes, path: str, body: bytes | None) -> bytes:
        length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
        return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method, (self._path + path).encode(), self._fields, length)


class Reply:
    """One response. `status` is known from the start; `read` gives the body as it comes."""

    __slots__ = ("_connection", "_endpoint", "status")

    def __init__(self, endpoint: Endpoint, connection: Connection) -> None:
        self._endpoint = endpoint
        self._connection: Connection | None = connection
        self.status = connection.status

    @property
    def complete(self) -> bool:
        """Whether all of the body has come and was read."""
        return self._connection is None or self._connection.reusable

    def begun(self) -> None:
        """The answer is under way: see `Endpoint.cut_unanswered`."""
        if self._connection:
            self._connection.begun = True

    def header(self, name: str) -> str | None:
        """A header by its lower-case name."""
        found = self._connection.headers.get(name.encode()) if self._connection else None
        return None if found is None else found.decode("latin-1")

    async def read(self) -> bytes:
        """What has come since the last time; empty at the end. Raises `ConnectionFault`."""
        return await self._connection.read() if self._connection else b""

    async def read_all(self, most: int) -> bytes:
        """The rest of the body, at most so many bytes of it. Raises `ConnectionFault`."""
        body = b""
        while len(body) < most and (piece := await self.read()):
            body += piece
        return body[:most]

    def close(self) -> None:
        """Keeps the connection where the body was read to its end, and cuts it otherwise: that stops the engine."""
        if self._connection:
            connection, self._connection = self._connection, None
            self._endpoint.give_back(connection)
