"""What `sightline run` is to ask: a folder or files with one question for all, or lines of JSON with a question each."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sightline.cli.base import UsageError

if TYPE_CHECKING:
    from sightline.client import Ask

ADDRESSES = ("http://", "https://", "data:")
_LINES = {".jsonl", ".ndjson"}
_IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic"}
_MEDIA = _IMAGES | {".pdf", ".mp4", ".mov", ".webm", ".mkv", ".avi"}
_TAKEN = {"stream", "timeout", "messages", "on_upload", "images", "question", "task", "self"}
"""Words that mean something else to an ask than an option."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of JSON. What is left out is taken from the command; paths are relative to the file that the line stands in."""

    images: str | list[str]
    id: str | int | None = None
    text: str | None = None
    task: str | None = None
    options: dict[str, Any] = {}


class Item(msgspec.Struct, frozen=True):
    """One question: `id` names it in the results, `images` are paths or addresses."""

    id: str
    images: tuple[str, ...]
    text: str
    task: str
    options: dict[str, Any]

    @property
    def key(self) -> str:
        """Tells whether a result is the answer to this very question: changes with it, and with the size or time of a file."""
        files = [_state(image) for image in self.images]
        return hashlib.sha256(msgspec.json.encode([self.images, files, self.text, self.task, self.options])).hexdigest()[:16]

    def ask(self) -> Ask:
        from sightline.client import Ask

        return Ask(self.images, self.text, self.task, self.options)


def read_items(inputs: Sequence[str], text: str, task: str, options: dict[str, Any]) -> list[Item]:
    """The questions in order. Raises `UsageError` that names the line or the input that cannot be used."""
    items: list[Item] = []
    for name in inputs:
        path = Path(name)
        if name == "-" or path.suffix.lower() in _LINES:
            items += _of_lines(name, text, task, options)
        elif name.startswith(ADDRESSES):
            items.append(Item(name, (name,), text, task, options))
        elif path.is_dir():
            found = sorted(each for each in path.rglob("*") if each.suffix.lower() in _MEDIA and each.is_file())
            items += [Item(str(each.relative_to(path)), (str(each),), text, task, options) for each in found]
        elif path.is_file():
            items.append(Item(name, (name,), text, task, options))
        else:
            raise UsageError(f"there is no file or folder {name}.")
    if not items:
        raise UsageError(f"there is nothing to ask about in {', '.join(inputs)}.")
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise UsageError(f"two inputs are named '{item.id}'; give them different ids.")
        seen.add(item.id)
    return items


def check_options(options: dict[str, Any]) -> None:
    """Raises `UsageError` for what is no option of an answer."""
    for name in options:
        if name in _TAKEN:
            raise UsageError(f"'{name}' cannot be given as an option of the answer.")


def _of_lines(name: str, text: str, task: str, options: dict[str, Any]) -> Iterator[Item]:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from None
    folder = Path() if name == "-" else Path(name).parent
    for number, raw in enumerate(content.splitlines(), 1):
        if not raw.strip():
            continue
        try:
            line = msgspec.json.decode(raw, type=Line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UsageError(f"line {number} of {name} is not a question: {error}.") from None
        check_options(line.options)
        images = [line.images] if isinstance(line.images, str) else line.images
        yield Item(
            id=str(number if line.id is None else line.id),
            images=tuple(image if image.startswith(ADDRESSES) else str(folder / image) for image in images),
            text=text if line.text is None else line.text,
            task=line.task or task,
            options={**options, **line.options},
        )


def _state(image: str) -> list[int]:
    """Size and time of a file, so that a changed one is asked about again."""
    try:
        state = Path(image).stat()
    except (OSError, ValueError):  # an address, or a file that is not there: the answer will say so
        return []
    return [state.st_size, state.st_mtime_ns]
