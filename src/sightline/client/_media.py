"""Everything a person may hand over as an image, and how it goes over the wire: addresses as they are, content as a data URI."""

from __future__ import annotations

import io
import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast
from urllib.parse import urlsplit

import msgspec

from sightline.client.failures import InputUnreadable
from sightline.protocol.language import Bilingual
from sightline.protocol.requests import MediaObject
from sightline.protocol.uploads import Upload


class Picture(Protocol):
    """An image of the Pillow library, known by its shape so that Pillow need not be installed."""

    @property
    def mode(self) -> str: ...
    def convert(self, mode: str) -> Any: ...
    def save(self, fp: IO[bytes], format: str | None = None, **params: Any) -> None: ...


class Readable(Protocol):
    """A file opened for reading bytes."""

    def read(self) -> bytes: ...


Image = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | Picture | MediaObject | Upload
"""An address, a data URI, a path, the content itself, an open file, a Pillow image, what `upload` gave, or a `MediaObject`.

A PDF or a video goes here too: what it is, is found by its content."""


File = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable
"""What can be uploaded: a path, the content itself, or an open file."""


@dataclass(frozen=True, slots=True)
class Remote:
    """An input that the service fetches or holds itself; `value` is what stands in the request."""

    value: str | MediaObject

    @property
    def is_video(self) -> bool:
        address = self.value if isinstance(self.value, str) else self.value.url or ""
        return address.startswith("data:video/") or urlsplit(address[:8192]).path.lower().endswith(_VIDEO_SUFFIXES)


@dataclass(frozen=True, slots=True)
class Content:
    """An input that is sent along."""

    data: bytes
    mime: str

    @property
    def is_video(self) -> bool:
        return self.mime.startswith("video/")

    @property
    def is_picture(self) -> bool:
        """Whether it is one picture for certain; a TIFF may hold many pages."""
        return self.mime.startswith("image/") and self.mime != "image/tiff"


Source = Remote | Content

_EMPTY = Bilingual("内容为空", "it is empty")
_VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi")
_PNG_MODES = {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}
_MAGIC = [
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"\x1aE\xdf\xa3", "video/webm"),
]


def read(images: Image | Iterable[Image], where: str = "images") -> tuple[Source, ...]:
    """Reads what is local. Blocks on files and on encoding Pillow images.

    Raises `InputUnreadable` for a file that cannot be read, and `TypeError` for something that is no image at all.
    """
    several = images if isinstance(images, Sequence) and not isinstance(images, (str, bytes, bytearray, memoryview)) else None
    if several is None and not _single(images):
        several = list(images) if isinstance(images, Iterable) else None
    if several is None:
        return (_read(images, f"{where}[0]"),)
    return tuple(_read(image, f"{where}[{index}]") for index, image in enumerate(several))


def _single(image: object) -> bool:
    # An open file can be iterated over too, line by line.
    return (
        isinstance(image, (str, bytes, bytearray, memoryview, os.PathLike, MediaObject, Upload))
        or hasattr(image, "read")
        or _is_picture(image)
    )


def _is_picture(image: object) -> bool:
    return hasattr(image, "save") and hasattr(image, "mode")


def _read(image: Any, where: str) -> Source:
    match image:
        case MediaObject():
            return Remote(image)
        case Upload():
            return Remote(MediaObject(file_id=image.file_id))
        case str() if image.startswith(("http://", "https://", "data:")):
            return Remote(image)
        case str() | os.PathLike():
            return _content(_file(Path(cast("str", image)), where), where)
        case bytes() | bytearray() | memoryview():
            return _content(bytes(cast("bytes", image)), where)
        case _ if _is_picture(image):
            return Content(_png(image), "image/png")
        case _ if hasattr(image, "read"):
            data = image.read()
            if not isinstance(data, bytes):
                raise TypeError(f"{where} is a file opened as text; open it with mode 'rb'")
            return _content(data, where)
        case _:
            raise TypeError(
                f"{where} is a {type(image).__name__}; an image is an address, a path, bytes, an open file, a Pillow image or a MediaObject"
            )


@contextmanager
def _readable(path: Path, where: str) -> Generator[None]:
    """Raises `InputUnreadable`, in words of ours, for whatever the system says against reading a file."""
    try:
        yield
    except (OSError, ValueError) as error:
        name = str(path)[:200]
        if isinstance(error, FileNotFoundError):
            reason = Bilingual(f"没有文件 {name}", f"there is no file {name}")
        elif isinstance(error, IsADirectoryError):
            reason = Bilingual(f"{name} 是文件夹", f"{name} is a folder")
        elif isinstance(error, PermissionError):
            reason = Bilingual(f"没有权限读取 {name}", f"{name} may not be read by this user")
        else:
            reason = Bilingual(f"{name} 不是可读的文件", f"{name} is not a readable file")
        raise InputUnreadable(where, reason) from error


def _file(path: Path, where: str) -> bytes:
    with _readable(path, where):
        return path.read_bytes()


def open_file(file: File) -> tuple[Path | bytes, int]:
    """What is to be uploaded, and its size in bytes; a file on disk is not read yet. Raises `InputUnreadable`, `TypeError`."""
    where = "file"
    if isinstance(file, (str, os.PathLike)):
        path = Path(file)
        with _readable(path, where), path.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
        content = path
    else:
        source = _read(file, where)
        if not isinstance(source, Content):
            raise TypeError("an upload is a path, bytes or an open file")
        content, size = source.data, len(source.data)
    if not size:
        raise InputUnreadable(where, _EMPTY)
    return content, size


def _content(data: bytes, where: str) -> Content:
    if not data:
        raise InputUnreadable(where, _EMPTY)
    return Content(data, _mime(data[:16]))


def _mime(head: bytes) -> str:
    """A media type for the data URI; the service looks at the content itself, so a wrong guess does no harm."""
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}.get(head[8:12], "application/octet-stream")
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "image/avif" if brand in {b"avif", b"avis"} else "image/heic" if brand in {b"heic", b"heix", b"mif1"} else "video/mp4"
    return next((mime for magic, mime in _MAGIC if head.startswith(magic)), "application/octet-stream")


def _png(picture: Picture) -> bytes:
    """Lossless, and at the compression level where the time is not yet wasted."""
    buffer = io.BytesIO()
    (picture if picture.mode in _PNG_MODES else picture.convert("RGB")).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def as_json(remote: Remote) -> bytes:
    return msgspec.json.encode(remote.value)
