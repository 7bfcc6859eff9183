"""What an input is, by its first bytes. Names, extensions and declared types are never believed."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.util import find_spec

from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Kind

ENOUGH = 1024
"""First bytes that settle what an input is."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read here."""

    name: str
    title: str
    kinds: tuple[Kind, ...]
    """What it may turn out to hold; most formats have one kind."""


FORMATS = {
    form.name: form
    for form in (
        Format("jpeg", "JPG", ("image",)),
        Format("png", "PNG", ("image",)),
        Format("webp", "WebP", ("image",)),
        Format("gif", "GIF", ("image",)),
        Format("bmp", "BMP", ("image",)),
        Format("tiff", "TIFF", ("image", "document")),
        Format("avif", "AVIF", ("image",)),
        Format("heic", "HEIC", ("image",)),
        Format("dicom", "DICOM", ("image",)),
        Format("pdf", "PDF", ("document",)),
        Format("mp4", "MP4", ("video",)),
        Format("mov", "MOV", ("video",)),
        Format("webm", "WebM", ("video",)),
        Format("mkv", "MKV", ("video",)),
    )
}

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
)

_BRANDS = {b"avif": "avif", b"avis": "avif", b"qt  ": "mov"}
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AUDIO = frozenset({b"M4A ", b"M4B ", b"M4P "})
_BARE_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})

_STRANGERS: tuple[tuple[bytes, str | Bilingual], ...] = (
    (b"8BPS", "PSD"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"FLV\x01", "FLV"),
    (b"\x30\x26\xb2\x75", "WMV / ASF"),
    (b"\x00\x00\x01\xba", "MPEG"),
    (b"\x00\x00\x01\xb3", "MPEG"),
    (b"OggS", "Ogg"),
    (b"ID3", "MP3"),
    (b"fLaC", "FLAC"),
    (b"PK\x03\x04", Bilingual("ZIP 压缩包（或 Office 文档）", "a ZIP archive (or an Office document)")),
    (b"\xd0\xcf\x11\xe0", Bilingual("旧版 Office 文档", "an old Office document")),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"\x1f\x8b", "gzip"),
    (b"\x7fELF", Bilingual("可执行文件", "a program")),
    (b"MZ", Bilingual("可执行文件", "a program")),
    (b"SIMPLE  =", "FITS"),
)

_OPTIONAL = {"dicom": "pydicom", "heic": "pi_heif"}
_NOT_INSTALLED = Bilingual(
    "{title}（本服务需安装 sightline[{extra}] 才能读取）",
    "{title} (this service would need sightline[{extra}] to read it)",
)
_NOTHING = Bilingual("空内容", "nothing (0 bytes)")
_TEXT = Bilingual("纯文本", "plain text")
_UNKNOWN = Bilingual("无法识别的数据", "data of no known format")


def sniff(head: bytes) -> Format | None:
    """The format that the first `ENOUGH` bytes (fewer, when the input is shorter) tell, or None."""
    name = _name(head)
    return FORMATS[name] if name and name not in _missing() else None


def _name(head: bytes) -> str | None:
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in {12, 40, 52, 56, 64, 108, 124}:
        return "bmp"
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _HEIC and b"avif" in head[16 : 8 + 64]:
            return "avif"
        if brand in _HEIC:
            return "heic"
        return None if brand in _AUDIO else _BRANDS.get(brand, "mp4")
    if head[4:8] in _BARE_ATOMS and head[:1] == b"\x00":
        return "mov"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "webm" if b"webm" in head[:64] else "mkv"
    if head[128:132] == b"DICM":
        return "dicom"
    return "pdf" if b"%PDF-" in head[:ENOUGH] else None


def name_stranger(head: bytes) -> str | Bilingual:
    """What an input that `sniff` does not know seems to be, in words for a person; nothing of its content is repeated."""
    for start, title in _STRANGERS:
        if head.startswith(start):
            return title
    known = _name(head)
    if known in _OPTIONAL:
        return _NOT_INSTALLED.fill(title=FORMATS[known].title, extra=known)
    if head[4:8] == b"ftyp":
        return Bilingual("音频", "audio")
    if head[:4] == b"RIFF":
        return {b"AVI ": "AVI", b"WAVE": "WAV"}.get(head[8:12], "RIFF")
    if not head:
        return _NOTHING
    return _name_text(head)


def _name_text(head: bytes) -> str | Bilingual:
    try:
        text = head[:ENOUGH].decode("utf-8", "strict") if len(head) < ENOUGH else head[: ENOUGH - 4].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return _UNKNOWN
    if any(ord(character) < 32 and character not in "\t\r\n\f" for character in text):
        return _UNKNOWN
    start = text.lstrip("\ufeff \t\r\n").lower()
    if "<svg" in start:
        return "SVG"
    if start.startswith(("<!doctype html", "<html")):
        return Bilingual("网页（HTML）", "a web page (HTML)")
    if start.startswith("<?xml"):
        return "XML"
    return "JSON" if start.startswith(("{", "[")) else _TEXT


@functools.cache
def _missing() -> frozenset[str]:
    """Formats whose optional library is not installed."""
    return frozenset(name for name, library in _OPTIONAL.items() if find_spec(library) is None)


def accepted(kinds: frozenset[Kind]) -> str:
    """The formats that may be sent, for an error's hint: `JPG, PNG, ...`."""
    return ", ".join(form.title for form in FORMATS.values() if kinds.intersection(form.kinds) and form.name not in _missing())
