"""The terminal: what is for a program goes to standard output, what is for a person only goes to standard error.

Text that a model wrote is shown without control characters, since a picture can make a model write anything.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import msgspec

from sightline.protocol.language import Language

_CONTROL = dict.fromkeys(
    # The controls but tab and line feed, and the marks that reorder what stands around them on the line.
    {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)} - {9, 10}
)


def printable(text: str) -> str:
    """The text without the characters that a terminal obeys."""
    return text.translate(_CONTROL)


class Terminal:
    """Where a command speaks. `as_json`: one JSON document a line on standard output, nothing else there."""

    def __init__(self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.language: Language = language_of(os.environ)
        self._passing = False

    def write(self, text: str) -> None:
        """A piece of an answer, shown at once."""
        self._clear()
        self.out.write(printable(text))
        self.out.flush()

    def draw(self, drawing: str) -> None:
        """Something made for the terminal to obey, such as a picture."""
        self.out.write(drawing)
        self.out.flush()

    def line(self, text: str = "") -> None:
        self.write(text + "\n")

    def json(self, value: Any) -> None:
        """A document of one line."""
        self._clear()
        self.out.write(msgspec.json.encode(value).decode() + "\n")
        self.out.flush()

    def note(self, text: str) -> None:
        """Something about the answer that is not the answer: dim, and only where a person looks."""
        if self._is_watched() and not self.as_json:
            self._tell(text, "2")

    def warn(self, text: str) -> None:
        """Something a person should know; always told."""
        self._tell(text, "33")

    def fail(self, text: str) -> None:
        """Why it did not work."""
        self._tell(text, "31")

    def passing(self, text: str) -> None:
        """Progress: replaced by what comes next, and only where a person looks."""
        if self._is_watched() and not self.as_json:
            self.err.write(f"\r\x1b[2K\x1b[2m{printable(text)}\x1b[0m")
            self.err.flush()
            self._passing = True

    def table(self, rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> None:
        """Columns as wide as their widest entry; Chinese characters are two wide."""
        shown = [[printable(cell) for cell in row] for row in ([header, *rows] if header else rows)]
        widths = [max((width(cell) for cell in column), default=0) for column in zip(*shown, strict=True)]
        for number, row in enumerate(shown):
            padded = "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip()
            bold = header and number == 0 and self.out.isatty() and _colours()
            self._clear()
            self.out.write(f"\x1b[1m{padded}\x1b[0m\n" if bold else padded + "\n")

    def _tell(self, text: str, style: str) -> None:
        self._clear()
        text = printable(text)
        self.err.write(f"\x1b[{style}m{text}\x1b[0m\n" if self._is_watched() and _colours() else text + "\n")
        self.err.flush()

    def _clear(self) -> None:
        if self._passing:
            self.err.write("\r\x1b[2K")
            self.err.flush()
            self._passing = False

    def _is_watched(self) -> bool:
        return self.err.isatty()


def width(text: str) -> int:
    """Columns that a text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text if not unicodedata.combining(character))


def language_of(environment: Mapping[str, str]) -> Language:
    """The language of the person at the terminal, by the usual variables."""
    chosen = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


def bytes_of(count: float) -> str:
    """`19.1 MB`: as disks and downloads are labelled, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _colours() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
