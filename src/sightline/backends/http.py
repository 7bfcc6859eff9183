"""HTTP/1.1 to one engine: a bounded set of kept connections, one request on each at a time, bodies read as they come.

This stands under every generation, so it does what an engine's API needs and no more: POST and GET, bodies with a length, in
chunks or up to the end of the connection, TLS, no redirects, no cookies, no compression. A general client costs the gateway
three times as much a request (bench/gateway.py); httptools reads the bytes, as it does on our own server's side.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import httptools

_MOST_HEAD = 64 * 1024
_MOST_BUFFERED = 1 << 20
"""Bytes of a body that wait for their reader before the peer is made to wait."""


class ConnectionFault(Exception):
    """The way to the engine failed: why, for the operator."""


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
        self._fields = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._connect_s, self._stall_s = connect_s, stall_s
        self._reusable, self._idle_s = reusable, idle_s
        self._room = asyncio.Semaphore(connections)
        self._idle: deque[tuple[_Connection, float]] = deque()
        self._open: set[_Connection] = set()
        self.closed = False

    async def get(self, path: str) -> Reply:
        """See `post`."""
        return await self._ask(b"GET", path, None)

    async def post(self, path: str, body: bytes) -> Reply:
        """The response, once its head is there. Close it. Raises `ConnectionFault`."""
        return await self._ask(b"POST", path, body)

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

    async def _ask(self, method: bytes, path: str, body: bytes | None) -> Reply:
        await self._room.acquire()
        try:
            while True:
                connection, used = self._take(), True
                if connection is None:
                    connection, used = await self._connect(), False
                try:
                    await connection.ask(self._head(method, path, body), body, self._stall_s)
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

    def give_back(self, connection: _Connection) -> None:
        """A response is done with, read to its end or not."""
        self._room.release()
        if connection.reusable and self._reusable and not self.closed:
            self._idle.append((connection, asyncio.get_running_loop().time()))
        else:
            connection.abort()

    def _take(self) -> _Connection | None:
        """The connection used last that is still open; those that servers are about to close (after 5 s, usually) are passed over."""
        since = asyncio.get_running_loop().time() - self._idle_s
        while self._idle:
            connection, rested = self._idle.pop()
            if connection.reusable and rested >= since:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        if self.closed:
            raise ConnectionFault("the connection was closed")
        loop = asyncio.get_running_loop()
        secure: dict[str, Any] = {"ssl": self._tls, "server_hostname": self._host} if self._tls else {}
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await loop.create_connection(lambda: _Connection(self._open), self._address, self._port, **secure)
        except TimeoutError:
            raise ConnectionFault(f"no connection within {self._connect_s:g} s") from None
        except (OSError, UnicodeError) as error:  # TLS failures are OSErrors; a name that cannot be one is a UnicodeError
            raise ConnectionFault(f"{type(error).__name__}: {error}"[:200]) from error
        return connection

    def _head(self, method: bytes, path: str, body: bytes | None) -> bytes:
        length = "" if body is None else f"Content-Length: {len(body)}\r\n"
        return b"%b %b%b HTTP/1.1\r\n%b%b\r\n" % (method, self._path.encode(), path.encode(), self._fields.encode(), length.encode())


class Reply:
    """One response. `status` is known from the start; `read` gives the body as it comes."""

    __slots__ = ("_connection", "_endpoint", "status")

    def __init__(self, endpoint: Endpoint, connection: _Connection) -> None:
        self._endpoint = endpoint
        self._connection: _Connection | None = connection
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


class _Connection(asyncio.Protocol):
    """One connection; httptools calls the `on_` methods while it parses."""

    def __init__(self, registry: set[_Connection]) -> None:
        self._registry = registry
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._limit_s = 0.0
        self._until = 0.0
        self._paused = False
        self._fault: str | None = None
        self.posting = False
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.silent = True
        """Whether nothing of an answer has come."""
        self._pieces: list[bytes] = []
        self._buffered = 0
        self._head_bytes = 0
        self._framed = self._kept = False
        self._informational = False
        self._complete = False
        self.begun = False

    @property
    def busy(self) -> bool:
        """Whether a generation is asked for on this connection and has not come to its end."""
        return self.posting and not self._complete

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on this connection."""
        open_ = self._transport is not None and not self._transport.is_closing()
        return open_ and self._complete and not self._pieces and self._fault is None and self._kept

    async def ask(self, head: bytes, body: bytes | None, limit_s: float) -> None:
        """Sends a request and waits for the head of its answer. Silences are bounded by `limit_s`. Raises `ConnectionFault`."""
        self._reset()
        self.posting = body is not None
        self._parser = httptools.HttpResponseParser(self)
        self._limit_s = limit_s
        if self._transport is None or self._transport.is_closing():
            raise ConnectionFault(self._fault or "the connection was closed")
        self._transport.write(head if not body else head + body if len(body) < 65536 else head)
        if body and len(body) >= 65536:
            self._transport.write(body)  # megabytes of pixels are not copied once more
        while not self.status:
            await self._wait()

    async def read(self) -> bytes:
        while not self._pieces:
            if self._complete:
                return b""
            await self._wait()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        self._buffered = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def abort(self, why: str | None = None) -> None:
        """Cuts the connection at once."""
        if self._fault is None:
            self._fault = why or "the connection was closed"
        if self._transport is not None:
            self._transport.abort()
        self._end()

    async def _wait(self) -> None:
        """Until something new has come. Raises `ConnectionFault`."""
        if self._fault is not None:
            raise ConnectionFault(self._fault)
        self._waiter = self._loop.create_future()
        self._until = self._loop.time() + self._limit_s
        if self._timer is None:
            # One timer for the whole answer: it looks, when it goes off, whether it is still wanted, and is not set anew for every piece.
            self._timer = self._loop.call_at(self._until, self._look)
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self._fault is not None and not (self.status or self._pieces):
            raise ConnectionFault(self._fault)

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() >= self._until:
            self.abort(f"silent for {self._limit_s:g} s")
        else:
            self._timer = self._loop.call_at(self._until, self._look)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _end(self) -> None:
        self._registry.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue] - of a stream, as this is
        self._registry.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.status and not self._framed and not self._complete and exc is None:
            self._complete = True  # a body without a length ends with its connection
        if self._fault is None:
            self._fault = f"{type(exc).__name__}: {exc}"[:200] if exc else "the server closed the connection"
        self._end()

    def data_received(self, data: bytes) -> None:
        self.silent = False
        if not self.status:
            self._head_bytes += len(data)
        try:
            if self._parser is None or self._complete:
                raise httptools.HttpParserError
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort("what it sent is not HTTP, or not asked for")
            return
        if not self.status and self._head_bytes > _MOST_HEAD:
            self.abort("the head of its answer is too long")
            return
        if self._buffered > _MOST_BUFFERED and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status: int = self._parser.get_status_code()
        self._informational = status < 200
        if self._informational:
            self.headers.clear()
            return
        self.status = status
        self._kept = bool(self._parser.should_keep_alive())
        self._framed = b"content-length" in self.headers or b"transfer-encoding" in self.headers

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        if not self._informational:
            self._complete = True
