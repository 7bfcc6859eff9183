"""A picture to try a model with, drawn here so that nothing has to be shipped: a red disc and a blue square on white."""

from __future__ import annotations

import struct
import zlib

WIDTH, HEIGHT = 256, 192


def picture(*, mirrored: bool = False) -> bytes:
    """The picture as PNG; mirrored it is another one, which no engine has in its memory."""
    columns = range(WIDTH - 1, -1, -1) if mirrored else range(WIDTH)
    rows = b"".join(b"\0" + b"".join(_colour(x, y) for x in columns) for y in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _colour(x: int, y: int) -> bytes:
    if (x - 76) ** 2 + (y - 96) ** 2 < 44**2:
        return b"\xdc\x28\x28"
    if 150 <= x < 226 and 58 <= y < 134:
        return b"\x28\x50\xdc"
    return b"\xff\xff\xff"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
