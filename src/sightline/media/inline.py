"""Content that stands in the request itself: data URIs and base64, in the forms that people really send."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import pybase64

from sightline.media.refusals import Over
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual

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


def decode_inline(text: str, index: int, most_bytes: int) -> bytes:
    """The bytes of a data URI or of base64, standard or URL-safe, with or without padding and line breaks.

    Raises `MalformedRequest`; `Over` before anything is decoded.
    """
    payload, is_base64 = text, True
    if scheme(text) == "data":
        head, comma, payload = text.partition(",")
        if not comma:
            raise MalformedRequest(f"images[{index}]", _NO_COMMA)
        is_base64 = head.rstrip().lower().endswith("base64")
    size = len(payload) * 3 // 4
    if size > most_bytes + 1024 and is_base64:
        raise Over("bytes", size, most_bytes)
    try:
        content = _decode_base64(payload) if is_base64 else unquote_to_bytes(payload.encode("ascii"))
    except ValueError:
        raise MalformedRequest(f"images[{index}]", _NOT_BASE64) from None
    if len(content) > most_bytes:
        raise Over("bytes", len(content), most_bytes)
    return content


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
