"""Server-sent events: writing ours, and reading anybody's from chunks of bytes.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from sightline.protocol.events import Accepted, Event, Failed, Final, Progress, Token

COMMENT = b": keep-alive\n\n"
"""Sent while nothing else is, so that proxies and clients see a living connection."""

NAMES: dict[type[Event], str] = {
    Accepted: "accepted",
    Token: "token",
    Progress: "progress",
    Final: "final",
    Failed: "error",
}
_encoder = msgspec.json.Encoder()
_PREFIXES = {kind: f"event: {name}\ndata: ".encode() for kind, name in NAMES.items()}


def encode(event: Event) -> bytes:
    """An event as it goes over the wire. JSON holds no raw line break, so one `data` line always does."""
    data = event.body if isinstance(event, Failed) else event
    return _PREFIXES[type(event)] + _encoder.encode(data) + b"\n\n"


class Message(NamedTuple):
    """One received event: its name (`message` where none was given) and its data."""

    event: str
    data: bytes


class TooLong(ValueError):
    """A peer sent an event over the parser's limit."""


class Parser:
    """Turns chunks of a stream, cut anywhere, into events. Line ends may be LF, CRLF or CR."""

    def __init__(self, limit: int = 16 * 2**20) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._event = b""
        self._data: list[bytes] = []
        self._size = 0
        self._start = True

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """The events that are complete now. Raises `TooLong` once an unfinished one passes the limit (bytes)."""
        self._rest += chunk
        if self._start and self._rest[:1]:
            if self._rest.startswith(b"\xef\xbb\xbf"):
                del self._rest[:3]
            self._start = len(self._rest) == 0
        # A CR at the very end may be half of a CRLF: it waits for the next chunk.
        end = len(self._rest) - 1 if self._rest.endswith(b"\r") else len(self._rest)
        complete = max(self._rest.rfind(b"\n", 0, end), self._rest.rfind(b"\r", 0, end)) + 1
        lines = bytes(self._rest[:complete])
        del self._rest[:complete]
        for line in _lines(lines):
            if not line:
                if self._data:
                    yield Message(self._event.decode("utf-8", "replace") or "message", b"\n".join(self._data))
                self._event, self._data, self._size = b"", [], 0
                continue
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                self._data.append(value)
                self._size += len(value)
            elif field == b"event":
                self._event = value
        if self._size + len(self._rest) > self._limit:
            raise TooLong(f"an event of more than {self._limit} bytes")


def _lines(block: bytes) -> Iterator[bytes]:
    """The lines of a block that ends with a line end."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return iter(block.split(b"\n")[:-1])
