"""What a still picture says about itself in its header: size, orientation, depth. Nothing is decoded and nothing trusted.

The readers here are our own because a decoder library allocates before it can be asked (WebP), or speaks only after it
has parsed far more than a bound needs. A decoder must later find the very size that was read here.

Sources: ITU-T T.81 B.2 (JPEG), W3C PNG 3rd edition, Google's WebP container specification, GIF89a, the BMP headers of
wingdi.h, ISO/IEC 23008-12 (`ispe`), and Exif 3.0 for the orientation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sightline.media.refusals import Broken

_MOST_SCANS = 64
"""Scans of a JPEG, each of which costs a pass over all of it; progressive ones have about ten."""
_CHUNK = 1 << 18
"""Bytes that are looked through at a time."""
_MOST_BLOCKS = 10_000
_MOST_PARTS = 20_000
"""Segments, chunks or boxes that are walked; honest files have a few hundred."""


@dataclass(frozen=True, slots=True)
class Still:
    """The header of one still picture. `width` and `height` are pixels as stored; `orientation` is Exif's, 1..8."""

    width: int
    height: int
    orientation: int = 1
    components: int = 3
    """Colour channels as stored: 1, 3 or 4 for JPEG (4 is CMYK)."""
    bits: int = 8
    animated: bool = False
    icc: bytes | None = None
    """The colour profile, where one stands in the header."""

    @property
    def turned(self) -> bool:
        """Whether width and height change places when it is shown upright."""
        return self.orientation >= 5

    @property
    def shown(self) -> tuple[int, int]:
        """(width, height) in pixels as displayed."""
        return (self.height, self.width) if self.turned else (self.width, self.height)


def memory_needed(name: str, still: Still) -> int:
    """Bytes that decoding may hold at its worst; Pillow's decoders keep up to three pictures (canvas, frame, copy)."""
    channels = still.components if name == "jpeg" else 4 if name == "png" else 12
    return still.width * still.height * channels * (2 if still.bits == 16 else 1)


def read_header(name: str, data: bytes) -> Still:
    """The header of a picture of the format `name`. Raises `Broken`."""
    try:
        still = _READERS[name](data)
    except (struct.error, IndexError, ValueError, UnicodeDecodeError):
        raise Broken("truncated" if len(data) < 64 else "header") from None
    if still.width < 1 or still.height < 1:
        raise Broken("header")
    return still


_LONE_MARKERS = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})


def _jpeg(data: bytes) -> Still:
    size: tuple[int, int, int, int] | None = None
    orientation = 1
    profile: dict[int, bytes] = {}
    at = 2
    for _ in range(_MOST_PARTS):
        at = data.find(b"\xff", at) + 1
        if not 0 < at < len(data) - 3:
            raise Broken("truncated")
        marker = data[at]
        if marker == 0xFF:  # a fill byte
            continue
        at += 1
        if marker in _LONE_MARKERS:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        body = data[at + 2 : at + length]
        at += length
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC} and size is None:
            bits, height, width, components = struct.unpack_from(">BHHB", body)
            size = (width, height, components, bits)
        elif marker == 0xE1 and body.startswith(b"Exif\x00\x00"):
            orientation = read_orientation(body[6:])
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\x00"):
            profile[body[12]] = body[14:]
        elif marker in {0xDA, 0xD9}:
            break
    if size is None:
        raise Broken("header")
    if _scans(data) > _MOST_SCANS:
        raise Broken("variant")
    width, height, components, bits = size
    icc = b"".join(profile[number] for number in sorted(profile)) or None
    return Still(width, height, orientation, components, bits, icc=icc)


def _scans(data: bytes) -> int:
    """How often a scan seems to begin. `bytes.count` would hold the interpreter, and with it everybody, for a millisecond a megabyte."""
    content, found = np.frombuffer(data, np.uint8), 0
    for start in range(0, len(data), _CHUNK):
        part = content[start : start + _CHUNK + 1]
        found += int(np.count_nonzero((part[:-1] == 0xFF) & (part[1:] == 0xDA)))
    return found


def _png(data: bytes) -> Still:
    if data[12:16] != b"IHDR":
        raise Broken("header")
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    orientation, animated, icc = 1, False, None
    at = 8
    for _ in range(_MOST_PARTS):
        if at + 8 > len(data):
            break
        (length,) = struct.unpack_from(">I", data, at)
        name = data[at + 4 : at + 8]
        if name == b"eXIf":
            orientation = read_orientation(data[at + 8 : at + 8 + length])
        elif name == b"acTL":
            animated = True
        elif name == b"iCCP":
            icc = data[at + 8 : at + 8 + length]
        elif name == b"IEND":
            break
        at += 12 + length
    return Still(width, height, orientation, 1 if colour in {0, 4} else 3, bits, animated, inflate_profile(icc))


def inflate_profile(chunk: bytes | None) -> bytes | None:
    """The profile in a PNG's iCCP chunk (name, 0, method, zlib stream), at most 4 MB of it; None when it is not readable."""
    import zlib

    if chunk is None:
        return None
    try:
        unpacker = zlib.decompressobj()
        profile = unpacker.decompress(chunk[chunk.index(b"\x00") + 2 :], 4_000_000)
    except (ValueError, zlib.error):
        return None
    return profile if unpacker.eof else None


def _gif(data: bytes) -> Still:
    width, height = struct.unpack_from("<HH", data, 6)
    return Still(width, height, animated=_holds_two_images(data))


def _holds_two_images(data: bytes) -> bool:
    """Walks a GIF's blocks up to its second image, if it has one."""

    def table(flags: int) -> int:
        return 3 << (1 + (flags & 7)) if flags & 0x80 else 0

    at = 13 + table(data[10])
    images = 0
    for _ in range(_MOST_BLOCKS):
        if at + 10 >= len(data) or data[at] not in {0x21, 0x2C}:
            return False
        if data[at] == 0x2C:
            images += 1
            at += 11 + table(data[at + 9])
        else:
            at += 2
        if images == 2:
            return True
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return False


def _bmp(data: bytes) -> Still:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return Still(abs(width), abs(height))


def _webp(data: bytes) -> Still:
    width = height = 0
    orientation, animated, icc = 1, False, None
    for name, body in _riff(data):
        if name == b"VP8X":
            animated = bool(body[0] & 0x02)
            width = 1 + int.from_bytes(body[4:7], "little")
            height = 1 + int.from_bytes(body[7:10], "little")
        elif name == b"VP8 " and not width:
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
        elif name == b"VP8L" and not width:
            (sides,) = struct.unpack_from("<I", body, 1)
            width, height = 1 + (sides & 0x3FFF), 1 + (sides >> 14 & 0x3FFF)
        elif name == b"EXIF":
            orientation = read_orientation(body.removeprefix(b"Exif\x00\x00"))
        elif name == b"ICCP":
            icc = body
    return Still(width, height, orientation, animated=animated, icc=icc)


def _riff(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    for _ in range(_MOST_PARTS):
        if at + 8 > len(data):
            return
        (length,) = struct.unpack_from("<I", data, at + 4)
        name = data[at : at + 4]
        whole = name in {b"EXIF", b"ICCP"}
        yield name, data[at + 8 : at + 8 + (length if whole else min(length, 32))]
        at += 8 + length + (length & 1)


_BOXES = frozenset({b"meta", b"iprp", b"ipco"})


def _avif(data: bytes) -> Still:
    sizes = list(_ispe(data, 0, min(len(data), 1_000_000)))
    if not sizes:
        raise Broken("header")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Still(width, height, animated=data[8:12] == b"avis")


def _ispe(data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    for _ in range(_MOST_PARTS):
        if at + 8 > end:
            return
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"ispe":
            yield struct.unpack_from(">II", data, at + 12)
        elif name in _BOXES:
            inner = at + 12 if name == b"meta" else at + 8
            yield from _ispe(data, inner, min(at + length, end))
        if length < 8:
            return
        at += length


def read_orientation(exif: bytes) -> int:
    """The orientation (1..8) that a TIFF-shaped Exif block tells; 1 when it tells none or is broken."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(min(count, 512)):
            tag, kind, _ = struct.unpack_from(f"{order}HHI", exif, at + 2 + 12 * entry)
            if tag == 0x0112 and kind == 3:
                (value,) = struct.unpack_from(f"{order}H", exif, at + 10 + 12 * entry)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


_READERS = {"jpeg": _jpeg, "png": _png, "gif": _gif, "bmp": _bmp, "webp": _webp, "avif": _avif}
