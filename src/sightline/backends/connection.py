"""One connection to an engine: a request at a time, its answer read as it comes; `http.py` keeps a set of them.

httptools reads the bytes, as it does on our own server's side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httptools

_MOST_HEAD = 64 * 1024
_MOST_BUFFERED = 1 << 20
"""Bytes of a body that wait for their reader before the peer is made to wait."""

_LARGE = 64 * 1024
"""Bytes from which what is asked is not kept for longer than it has to be."""


class ConnectionFault(Exception):
    """The way to the engine failed: why, for the operator."""


class Connection(asyncio.Protocol):
    """One connection; httptools calls the `on_` methods while it parses."""

    def __init__(self, registry: set[Connection]) -> None:
        self._registry = registry
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._asked = self._large = False
        self._accepted: Callable[[], None] | None = None
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

    @property
    def has_begun(self) -> bool:
        """Whether who asked may be told. The head of a good answer says little: where nothing large is held for it, one waking does for
        the head and the first word. A refusal is told by its head."""
        return bool(self._pieces or self._complete or self.status not in (0, 200) or (self.status and (self._large or self._fault)))

    async def ask(self, head: bytes, body: bytes | None, limit_s: float, accepted: Callable[[], None] | None = None) -> None:
        """Sends a request and waits for its answer to begin. Silences are bounded by `limit_s`. Raises `ConnectionFault`."""
        self._reset()
        self.posting = body is not None
        self._asked, self._accepted = True, accepted
        self._limit_s = limit_s
        if self._transport is None or self._transport.is_closing():
            raise ConnectionFault(self._fault or "the connection was closed")
        self._large = body is not None and len(body) >= _LARGE
        self._transport.write(head + body if body and not self._large else head)
        if body and self._large:
            self._transport.write(body)  # megabytes of pixels are not copied once more
        while not self.has_begun:
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
        self._transport = self._parser = None  # which hold each other
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
            if self._complete or not self._asked:
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
        if self.has_begun:
            self._wake()
        else:
            self._until = self._loop.time() + self._limit_s

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
        if status == 200 and self._accepted is not None:
            self._accepted()
        self._framed = b"content-length" in self.headers or b"transfer-encoding" in self.headers

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        if not self._informational:
            self._complete = True
