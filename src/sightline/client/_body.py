"""The bodies of requests, made as they are sent, so that a thousand waiting requests do not hold their content twice."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from sightline.client._media import Content, Source, as_json

_PIECE = 3 * 2**16
"""Bytes of content encoded at a time; a multiple of 3, so that the pieces join without padding."""


OnProgress = Callable[[int, int], None]
"""Told how many bytes have been sent, of how many."""


class Body(Protocol):
    """What is sent with a request; it can be iterated over again for another attempt."""

    @property
    def content_type(self) -> str: ...
    def __len__(self) -> int:
        """Length in bytes as sent."""
        ...

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class AskedTurn:
    """An earlier turn of the conversation with its inputs read."""

    role: str
    text: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class JsonBody:
    """JSON in parts; a part that is `Content` becomes a string with its data URI."""

    parts: tuple[bytes | Content, ...]
    content_type: str = "application/json"

    def __len__(self) -> int:
        return sum(len(part) if isinstance(part, bytes) else _length(part) for part in self.parts)

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
                continue
            yield _opening(part)
            data = memoryview(part.data)
            for start in range(0, len(data), _PIECE):
                yield binascii.b2a_base64(data[start : start + _PIECE], newline=False)
            yield b'"'


@dataclass(frozen=True, slots=True)
class FileBody:
    """A file on disk, or content in memory, as it is."""

    content: Path | bytes
    size: int
    content_type: str = "application/octet-stream"

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        if isinstance(self.content, Path):
            with self.content.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        else:
            for start in range(0, self.size, _PIECE):
                yield self.content[start : start + _PIECE]


@dataclass(frozen=True, slots=True)
class Watched:
    """A body that tells how much of it has been sent."""

    body: Body
    told: OnProgress

    @property
    def content_type(self) -> str:
        return self.body.content_type

    def __len__(self) -> int:
        return len(self.body)

    def __iter__(self) -> Iterator[bytes]:
        sent, total = 0, len(self.body)
        for piece in self.body:
            yield piece
            # The next piece is only asked for once this one has been handed to the network.
            sent += len(piece)
            self.told(sent, total)


def compose(task: str, sources: Sequence[Source], text: str, options: Mapping[str, Any], turns: Sequence[AskedTurn]) -> JsonBody:
    """The request of `/infer`: task, images, text, options, and earlier turns where there are any."""
    encode = msgspec.json.encode
    parts: list[bytes | Content] = [b'{"task":', encode(task), b',"images":', *_array(sources), b',"text":', encode(text)]
    if options:
        parts += [b',"options":', encode(dict(options))]
    for index, turn in enumerate(turns):
        parts += [b"," if index else b',"messages":[', b'{"role":', encode(turn.role), b',"text":', encode(turn.text)]
        parts += [b',"images":', *_array(turn.sources)] if turn.sources else []
        parts.append(b"}")
    parts.append(b"]}" if turns else b"}")
    return JsonBody(tuple(parts))


def _array(sources: Sequence[Source]) -> Iterator[bytes | Content]:
    yield b"["
    for index, source in enumerate(sources):
        if index:
            yield b","
        yield source if isinstance(source, Content) else as_json(source)
    yield b"]"


def _opening(content: Content) -> bytes:
    return f'"data:{content.mime};base64,'.encode()


def _length(content: Content) -> int:
    return len(_opening(content)) + 4 * ((len(content.data) + 2) // 3) + 1
