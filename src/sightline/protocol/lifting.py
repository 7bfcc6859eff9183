"""Long strings of a JSON body, left where they are until they are needed: pictures as base64, megabytes of them.

To read eleven megabytes of base64 as JSON takes ten milliseconds, in which nobody else is served; to find where they begin and end takes
a quarter of one. So a long string is taken out before the body is decoded, and what stands in its place afterwards is a `Held`, which
is read where there is time, in a thread. The outcome is that of decoding all of it: outside strings JSON has neither quotes nor
backslashes, so that quotes are paired here exactly as every reader of JSON pairs them, and wherever a string is held that may not be
(the struct names the fields that may, in `holds`), the body is decoded as a whole after all.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from msgspec.structs import force_setattr

LEAST = 64 * 1024
"""Characters from which a string is long."""
_MOST_QUOTES = 1000
"""A body of more is decoded faster than it is searched."""
_MOST_BACKSLASHES = 64
_MARK = f"held:{secrets.token_hex(16)}:"
"""What stands in place of a string meanwhile. Nobody outside this process can write it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A string of a request as it came; `literal` is its JSON, with the quotes."""

    literal: memoryview

    def __len__(self) -> int:
        """Bytes between the quotes: as many as it has characters, or more."""
        return len(self.literal) - 2

    @property
    def content(self) -> memoryview:
        """What stands between the quotes; the string itself, where no character is escaped."""
        return self.literal[1:-1]

    def read(self) -> str:
        """The string. Raises `msgspec.DecodeError` and `UnicodeDecodeError` where the JSON is not valid."""
        return msgspec.json.decode(self.literal, type=str)


def lift(body: bytes | bytearray | memoryview) -> tuple[bytes, dict[str, Held]] | None:
    """The body with a mark in place of every long string, and these by their marks. None where there is nothing to gain."""
    if len(body) < LEAST or isinstance(body, memoryview):
        return None
    view = memoryview(body)
    held: dict[str, Held] = {}
    pieces: list[bytes | memoryview] = []
    kept, start, at = 0, -1, -1
    for _ in range(_MOST_QUOTES):
        at = body.find(b'"', at + 1)
        if at < 0:
            break
        if start < 0:
            start = at
            continue
        escaped = _is_escaped(body, start, at)
        if escaped is None:
            return None
        if not escaped:
            if at - start > LEAST:
                mark = f"{_MARK}{len(held)}"
                held[mark] = Held(view[start : at + 1])
                pieces += [view[kept:start], b'"%s"' % mark.encode()]
                kept = at + 1
            start = -1
    if at >= 0 or start >= 0 or not held:
        return None
    return b"".join([*pieces, view[kept:]]), held


def _is_escaped(body: bytes | bytearray, start: int, at: int) -> bool | None:
    """Whether the quote at `at`, in the string that begins at `start`, is part of it; None where that is not soon seen."""
    before = body[max(start + 1, at - _MOST_BACKSLASHES) : at]
    backslashes = len(before) - len(before.rstrip(b"\\"))
    return None if backslashes == _MOST_BACKSLASHES else backslashes % 2 == 1


def put_back(request: msgspec.Struct, held: dict[str, Held]) -> bool:
    """Replaces the marks in a decoded request by what they stand for. False where one of them is not where it may be."""
    return _put_back(request, held) == len(held)


def _put_back(struct: msgspec.Struct, held: dict[str, Held]) -> int:
    found = 0
    names: tuple[str, ...] = getattr(struct, "holds", ())
    for name in struct.__struct_fields__:
        value: object = getattr(struct, name)
        if isinstance(value, str):
            if name in names and (one := held.get(value)):
                force_setattr(struct, name, one)
                found += 1
        elif isinstance(value, msgspec.Struct):
            found += _put_back(value, held)
        elif isinstance(value, list):
            entries = cast("list[Any]", value)
            for index, entry in enumerate(entries):
                if isinstance(entry, msgspec.Struct):
                    found += _put_back(entry, held)
                elif isinstance(entry, str) and name in names and (one := held.get(entry)):
                    entries[index] = one
                    found += 1
    return found
