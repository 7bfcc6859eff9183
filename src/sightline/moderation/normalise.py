"""How text is read before it is searched: letters alone, in one form, whatever was done to hide them.

Each character is folded on its own, so that a stream can be read token by token with the same outcome: compatibility
forms (full width, circled, mathematical), case, accents, look-alikes of other scripts, traditional characters; zero-width
characters vanish. What is no letter or digit is a gap, whose kind is remembered. A second, coarser folding makes one
letter of those that stand for each other in writing such as `b0mb`; it finds candidates, which are then compared exactly.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from importlib import resources

VERSION = "2"
"""Raise it when a fold changes: it is part of every cache key."""

SPACE, SYMBOL, DOT, CLAUSE, STOP = 1, 2, 4, 8, 16
"""Kinds of gap, as bits: a space or line break; a mark inside words (`b*mb`); `.!?`, which end a sentence before a space;
a comma or bracket; a full-width full stop."""

LEET = {"a": "4@", "b": "8", "e": "3", "g": "9", "i": "1", "l": "1", "o": "0", "s": "5$", "t": "7", "z": "2"}
"""Letters and what is written for them."""

_COARSE = str.maketrans({mark: letter for letter, marks in LEET.items() for mark in marks} | {"1": "i", "l": "i"})
_KEPT = "@$"
_DOTS = frozenset(".!?")
_STOPS = frozenset("。")
_CLAUSES = frozenset(',;:、()[]{}<>"“”‘’「」『』《》〈〉【】〔〕')
_INVISIBLE = frozenset("\u115f\u1160\u17b4\u17b5")
"""Letters to Unicode, nothing to the eye (their compatibility forms fold to them)."""
_MARKS = (
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x180B, 0x180F),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE2F),
    (0xE0100, 0xE01EF),
)
"""Accents and variation selectors; vowel signs of other scripts are letters."""
_NAMED = re.compile(
    r"(?:LATIN|REGIONAL INDICATOR SYMBOL|NEGATIVE CIRCLED LATIN|NEGATIVE SQUARED LATIN|CROSSED NEGATIVE SQUARED LATIN)\b"
    r"(?: SMALL| CAPITAL)? (?:LETTER )+"
    r"(?:(?:SMALL CAPITAL|DOTLESS|LONG|SCRIPT|TURNED|REVERSED|INSULAR|OPEN|BARRED|SIDEWAYS|STRETCHED) )*"
    r"([A-Z])(?: .*)?"
)
"""Latin letters by their Unicode names, whatever was added to them."""


def fold(character: str) -> tuple[str, int]:
    """The letters and digits that one character is read as, and the gap that it leaves where there are none.

    `("", 0)` for what is not seen at all.
    """
    if alike := _homoglyphs().get(character):
        return alike, 0
    letters, gap = "", 0
    for part in unicodedata.normalize("NFKD", character):
        shape = _shape(part)
        if isinstance(shape, str):
            letters += shape
        else:
            gap |= shape
    return letters, 0 if letters else gap


@functools.cache
def _homoglyphs() -> dict[str, str]:
    table: dict[str, str] = {}
    data = resources.files("sightline.moderation").joinpath("data")
    for line in data.joinpath("homoglyphs.txt").read_text("utf-8").splitlines():
        letter, _, alike = line.partition(" ")
        table.update(dict.fromkeys(alike, letter))
    traditional, simplified = data.joinpath("traditional.txt").read_text("utf-8").splitlines()
    table.update(zip(traditional, simplified, strict=True))
    return table


def _shape(character: str) -> str | int:
    """One character in compatibility form: the letters that it is read as, or the kind of its gap."""
    if character.isascii() and (character.isalnum() or character in _KEPT):
        return character.lower()
    category = unicodedata.category(character)
    if category[0] in "LNM":
        if category[0] == "M" and any(first <= ord(character) <= last for first, last in _MARKS):
            return ""
        return "" if character in _INVISIBLE else _letter(character)
    if character.isspace():
        return SPACE
    if category in ("Cf", "Cc", "Cs", "Co", "Cn"):
        return ""
    if named := _latin(character):
        return named
    if character in _DOTS:
        return DOT
    if character in _STOPS:
        return STOP
    return CLAUSE if character in _CLAUSES else SYMBOL


def _letter(character: str) -> str:
    alike = _homoglyphs()
    # An upper-case letter is compared as it looks, before it is lowered: Greek Eta is an H, eta is not.
    if found := alike.get(character) or _latin(character) or alike.get(character.upper()) or alike.get(_bare(character)):
        return found
    if (digit := unicodedata.digit(character, None)) is not None:
        return str(digit)
    folded = character.casefold()
    if folded == character:
        return character
    # Casefolding may bring out an accent (i with a dot) or another look-alike.
    return "".join(_letter(part) for part in unicodedata.normalize("NFKD", folded) if unicodedata.category(part) != "Mn")


def _bare(character: str) -> str:
    """A letter without what was added to it (`WITH DESCENDER`), by its name; empty where nothing was."""
    name, added, _ = unicodedata.name(character, "").partition(" WITH ")
    try:
        return unicodedata.lookup(name) if added else ""
    except KeyError:
        return ""


def _latin(character: str) -> str:
    named = _NAMED.fullmatch(unicodedata.name(character, ""))
    return named[1].lower() if named else ""


def coarse(letters: str) -> str:
    """Folded letters as candidates are searched in: the same length, look-alikes of one letter made one."""
    return letters.translate(_COARSE)


class Folds(dict[int, tuple[str, int]]):
    """`fold` by code point, remembered; what is rare is worked out again rather than kept, so that it stays small."""

    def __missing__(self, point: int) -> tuple[str, int]:
        found = fold(chr(point))
        if len(self) < 100_000:
            self[point] = found
        return found


class CoarseTable(dict[int, str]):
    """For `str.translate`: a text to the coarse letters of all of it in one pass."""

    def __init__(self, folds: Folds) -> None:
        super().__init__()
        self._folds = folds

    def __missing__(self, point: int) -> str:
        found = coarse(self._folds[point][0])
        if len(self) < 100_000:
            self[point] = found
        return found


class PartedTable(dict[int, str]):
    """For `str.translate`: a text to its coarse letters, with spaces wherever a word may begin or end, and perhaps elsewhere.

    Without its spaces it is what `CoarseTable` makes of the text.
    """

    def __init__(self, folds: Folds) -> None:
        super().__init__()
        self._folds = folds

    def __missing__(self, point: int) -> str:
        letters, gap = self._folds[point]
        # Letters of an alphabet stand together; at digits, signs and characters of other scripts a word may begin or end anywhere.
        together = letters.isascii() and letters.isalpha()
        found = " " * bool(gap) + (coarse(letters) if together else "".join(f" {letter} " for letter in coarse(letters)))
        if len(self) < 100_000:
            self[point] = found
        return found
