"""Content that stands in the request itself: data URIs and base64, in the forms that people really send."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import unquote_to_bytes

import msgspec
import pybase64

from sightline.media.refusals import Over
from sightline.protocol.decode import decode_whole
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual
from sightline.protocol.lifting import Held

_HEAD = 256
"""Characters in which the head of a data URI ends, or it is read at leisure."""
_BLANKS = b" \t\r\n\x0b\x0c"
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]{1,31}):")

_NOT_BASE64 = Bilingual(
    "既不是 http(s) 地址、data URI，也不是有效的 base64 内容", "it is neither an http(s) address, nor a data URI, nor valid base64"
)
_NO_COMMA = Bilingual("data URI 中缺少逗号", "the data URI has no comma")


def scheme(text: str) -> str | None:
    """The scheme of an address (`https`, `data`, `file`, ...), lower-case, or None for content without one."""
    found = _SCHEME.match(text[:64])
    return found.group(1).lower() if found else None


def start_of(held: Held) -> str | None:
    """The first characters of a string that was not read yet; None where that takes reading it."""
    head = bytes(held.content[:_HEAD])
    for cut in range(7):  # where it breaks off in the middle of an escaped character
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(b'"%s"' % head[: len(head) - cut], type=str)
    return None


def read_held(held: Held) -> str:
    """Raises `MalformedRequest`, as decoding the whole body would have done."""
    return decode_whole(held.literal, str)


def decode_inline(text: str | Held, index: int, most_bytes: int) -> bytes:
    """The bytes of a data URI or of base64, standard or URL-safe, with or without padding and line breaks.

    Raises `MalformedRequest`; `Over` before anything is decoded.
    """
    if isinstance(text, Held):
        plain = _decode_held(text, most_bytes)
        return decode_inline(read_held(text), index, most_bytes) if plain is None else plain
    payload, is_base64 = text, True
    if scheme(text) == "data":
        head, comma, payload = text.partition(",")
        if not comma:
            raise MalformedRequest(f"images[{index}]", _NO_COMMA)
        is_base64 = head.rstrip().lower().endswith("base64")
    if is_base64 and not _fits(len(payload), most_bytes):
        raise Over("bytes", len(payload) * 3 // 4, most_bytes)
    try:
        content = _decode_base64(payload) if is_base64 else unquote_to_bytes(payload.encode("ascii"))
    except ValueError:
        raise MalformedRequest(f"images[{index}]", _NOT_BASE64) from None
    if len(content) > most_bytes:
        raise Over("bytes", len(content), most_bytes)
    return content


def _decode_held(held: Held, most_bytes: int) -> bytes | None:
    """The bytes of what nearly everyone sends, straight from the request's body: where base64 is strictly that, nothing is escaped.

    None where it is anything else, or too much.
    """
    start, head = 0, bytes(held.content[:_HEAD])
    if not head.isascii() or not head.decode().isprintable() or b"\\" in head:
        return None
    if scheme(head.decode()) == "data":
        told, comma, _ = head.partition(b",")
        if not comma or not told.rstrip().lower().endswith(b"base64"):
            return None
        start = len(told) + 1
    if not _fits(len(held) - start, most_bytes):
        return None
    try:
        content = pybase64.b64decode(held.content[start:], validate=True)
    except ValueError:
        return None
    return content if len(content) <= most_bytes else None


def _fits(characters: int, most_bytes: int) -> bool:
    return characters * 3 // 4 <= most_bytes + 1024


def _decode_base64(text: str) -> bytes:
    """Raises `ValueError` (of which `binascii.Error` and `UnicodeEncodeError` are kinds)."""
    try:
        return pybase64.b64decode(text, validate=True)  # what nearly everyone sends, at memory speed
    except ValueError:
        raw = text.encode("ascii")
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    raw = raw.translate(None, _BLANKS).rstrip(b"=")
    if b"-" in raw or b"_" in raw:
        raw = raw.replace(b"-", b"+").replace(b"_", b"/")
    return pybase64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
