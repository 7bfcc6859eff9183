"""A text as numbers that a linear classifier weighs: which letters follow each other, and which words stand near each other.

Read as letters alone (see `normalise`), so what disguises a word for the eye of a list disguises nothing here. Three kinds:
runs of 3 to 5 letters across all gaps; words (in Chinese, two characters each), also without their vowels and their order; and
pairs of words that stand near each other, where words of one kind (`data/lexicon.txt`) are one, so that who asks for what
weighs more than what is mentioned.
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from sightline.moderation.normalise import CLAUSE, DOT, SPACE, STOP, Folds

BITS = 25
"""A feature's number is below two to this power."""
NEAR = 8
"""Words between which pairs are made."""
RUNS = (3, 4, 5)
WINDOW, STRIDE = 144, 48
"""How much text is weighed at once, and how far apart such windows begin; a Chinese character counts three letters."""

_DIGITS = str.maketrans("0134578@$", "oieastbas")
_PART = SPACE | CLAUSE | DOT | STOP
_VOWELS = str.maketrans("", "", "aeiou")
_MIX = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0x100000001B3)
_SHIFT = np.uint64(64 - BITS)

Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Features:
    """Parallel: each feature's number (0 to 2**BITS - 1), and where it ends in the text, in letters' widths."""

    numbers: NDArray[np.int64]
    places: Places
    width: int
    """Of the whole text: 1 a letter, 3 a Chinese character."""


def extract(text: str, folds: Folds) -> Features:
    """The features of a text. About 60 microseconds for a sentence."""
    letters, starts = _letters(text, folds)
    if not letters:
        return Features(np.zeros(0, np.int64), np.zeros(0, np.int64), 0)
    points = np.frombuffer(letters.encode("utf-32-le"), np.uint32).astype(np.uint64)
    ends = np.cumsum(np.where(points >= 0x2E80, 3, 1))
    hashes: list[Numbers] = []
    places: list[Places] = []
    run = points
    for length in range(2, RUNS[-1] + 1):
        if len(points) < length:
            break
        run = run[:-1] * _STEP + points[length - 1 :]
        if length not in RUNS:
            continue
        hashes.append(run + np.uint64(length))
        places.append(ends[length - 1 :])
    words, last = _words(letters, starts)
    hashes.append(words.plain)
    places.append(ends[last])
    hashes.append(words.bones)
    places.append(ends[last])
    first, second = _pairs(len(words.kinds))
    # Neighbours are told apart from words that only stand near.
    hashes.append((words.kinds[first] * _STEP) ^ (words.kinds[second] + (second - first == 1)))
    places.append(ends[last][second])
    mixed = (np.concatenate(hashes) * _MIX) >> _SHIFT
    return Features(mixed.astype(np.int64), np.concatenate(places), int(ends[-1]))


def _letters(text: str, folds: Folds) -> tuple[str, list[int]]:
    """All letters in one form, a stretched one once, and the indices where words begin."""
    out: list[str] = []
    starts: list[int] = []
    parted, before = True, ""
    for letters, gap in map(folds.__getitem__, map(ord, text)):
        if not letters:
            parted = parted or bool(gap & _PART)
            continue
        for letter in letters.translate(_DIGITS):
            if letter == before and letter < "\u0250" and not parted:
                continue
            if parted:
                starts.append(len(out))
                parted = False
            out.append(letter)
            before = letter
    return "".join(out), starts


@dataclass(frozen=True, slots=True)
class _Words:
    """Parallel hashes: of words, of what is left of them without vowels and order, and of the kinds that stand for them."""

    plain: Numbers
    bones: Numbers
    kinds: Numbers


def _words(letters: str, starts: list[int]) -> tuple[_Words, Places]:
    """The words, and the index of each one's last letter."""
    kinds, longest = _lexicon()
    plain: list[int] = []
    bones: list[int] = []
    like: list[int] = []
    last: list[int] = []
    for begin, end in zip(starts, [*starts[1:], len(letters)], strict=True):
        for start, stop in _parts(letters, begin, end):
            word = letters[start:stop]
            own = zlib.crc32(word.encode())
            plain.append(own)
            last.append(stop - 1)
            if word[0] >= "\u2e80":
                # Nothing parts words here: the longest that begins with this character is meant.
                known = (kinds.get(letters[start : start + length]) for length in range(longest, 0, -1))
                like.append(next((kind for kind in known if kind), own))
                bones.append(own + 3)
            else:
                like.append(kinds.get(word, own))
                bones.append(zlib.crc32((word[0] + "".join(sorted(word[1:].translate(_VOWELS)))).encode(), 7))
    return _Words(np.array(plain, np.uint64), np.array(bones, np.uint64), np.array(like, np.uint64)), np.array(last, np.int64)


@functools.cache
def _lexicon() -> tuple[dict[str, int], int]:
    """Kinds by word, and how many characters the longest Chinese one has."""
    text = resources.files("sightline.moderation").joinpath("data", "lexicon.txt").read_text("utf-8")
    folds, kinds = Folds(), dict[str, int]()
    for line in text.splitlines():
        if not line.startswith("#"):
            kind, *words = line.split()
            kinds |= dict.fromkeys((_letters(word, folds)[0] for word in words), zlib.crc32(b"kind " + kind.encode()))
    return kinds, max(len(word) for word in kinds if word[-1] >= "\u2e80")


@functools.lru_cache(maxsize=256)
def _pairs(count: int) -> tuple[Places, Places]:
    """All pairs of so many words in a row that stand near each other: the indices of the first and of the second."""
    first, second = np.triu_indices(count, 1)
    near = second - first <= NEAR
    return first[near], second[near]


def _parts(letters: str, begin: int, end: int) -> list[tuple[int, int]]:
    """A word where spaces part them; each two characters where they do not."""
    found: list[tuple[int, int]] = []
    start = begin
    for index in range(begin, end):
        if letters[index] >= "\u2e80":
            if start < index:
                found.append((start, index))
            follows = index + 1 < len(letters) and letters[index + 1] >= "\u2e80"
            found.append((index, index + (2 if follows else 1)))
            start = index + 1
    if start < end:
        found.append((start, end))
    return found
