"""HTTP below the application: heads bounded in size and time, connections in number, and even nonsense answered with the envelope."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sightline.protocol.errors import Error, MalformedRequest, TooLarge
from sightline.protocol.language import Bilingual
from sightline.server.connection import DEPARTURE, Departure

_HEAD = Bilingual("请求头", "The request's head")
_NONSENSE = Bilingual("不是有效的 HTTP 请求", "it is not valid HTTP")


@dataclass(frozen=True, slots=True)
class HeadBounds:
    """Of a request's line and headers: bytes, and seconds from its first byte (or the connection's opening) to its end."""

    most_bytes: int = 32 * 2**10
    seconds: float = 10.0
    most_connections: int = 8192
    """Connections open at a time; further ones are closed at once."""


class Gathering:
    """A transport whose writes in one turn of the loop leave together: a head with its body, events with each other. Each write by itself
    is a call of the system and a packet, which cost more than making the answer does."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pending: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if pending:
            self._transport.write(pending[0] if len(pending) == 1 else b"".join(pending))


def bounded_protocol(bounds: HeadBounds) -> type[asyncio.Protocol]:
    """uvicorn's protocol with these bounds."""

    class BoundedProtocol(HttpToolsProtocol):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._departure = Departure(self._listen)
            self._head_bytes = 0
            self._in_head = True
            self._timer: asyncio.TimerHandle | None = None

        def _listen(self) -> None:
            # A client that leaves is heard only while its connection is read, and a long body may have stopped that.
            self.flow.resume_reading()

        def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # as its parent
            gathering: Any = Gathering(transport, self.loop)
            super().connection_made(gathering)
            if len(self.connections) > bounds.most_connections:
                transport.abort()
                return
            self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)
            self._departure.tell()

        def data_received(self, data: bytes) -> None:
            if self._in_head:
                self._head_bytes += len(data)
                # Counted before it is parsed; what belongs to the body is taken off again when the head is complete.
                if self._head_bytes > bounds.most_bytes and not self._ends_within(data):
                    self._refuse(TooLarge(_HEAD, self._head_bytes, bounds.most_bytes, "bytes"), 431)
                    return
            super().data_received(data)
            # Most heads come whole; what watches the others is set only now.
            if self._in_head and self._head_bytes and self._timer is None:
                self._await_head()

        def on_message_begin(self) -> None:
            self._in_head = True
            super().on_message_begin()
            extensions: Any = {DEPARTURE: self._departure}
            self.scope["extensions"] = extensions

        def on_headers_complete(self) -> None:
            self._in_head = False
            self._head_bytes = 0
            self._stop_timer()
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            super().on_message_complete()
            # What comes next on this connection is a head again; until it begins, the keep-alive timer watches.
            self._in_head = True

        def send_400_response(self, msg: str) -> None:
            self._refuse(MalformedRequest("request", _NONSENSE), 400)

        def _ends_within(self, data: bytes) -> bool:
            """Whether the head's end is in this piece, early enough."""
            room = bounds.most_bytes - (self._head_bytes - len(data))
            return 0 <= data.find(b"\r\n\r\n") <= room

        def _await_head(self) -> None:
            self._timer = self.loop.call_later(bounds.seconds, self._give_up)

        def _stop_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _give_up(self) -> None:
            if not self.transport.is_closing():
                self.transport.abort()

        def _refuse(self, error: Error, status: int) -> None:
            """Answers below the application, and ends the connection."""
            body = msgspec.json.encode(error.body("", "en"))
            reason = b"Bad Request" if status == 400 else b"Request Header Fields Too Large"
            head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json; charset=utf-8\r\n" % (status, reason)
            self.transport.write(head + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)
            self.transport.close()

    return BoundedProtocol
