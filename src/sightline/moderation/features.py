"""A text as numbers that a linear classifier weighs: which letters follow each other, and which words stand near each other.

Read as letters alone (see `normalise`), so what disguises a word for the eye of a list disguises nothing here. Three kinds:
runs of 3 to 5 letters across all gaps; words (in Chinese, two characters each), also without their vowels and their order; and
pairs of words that stand near each other, where words of one kind (`data/lexicon.txt`) are one, so that who asks for what
weighs more than what is mentioned.
"""

from __future__ import annotations

import functools
import operator
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from sightline.moderation.normalise import SPACE, STOP, fold

BITS = 25
"""A feature's number is below two to this power."""
NEAR = 8
"""Words between which pairs are made."""
RUNS = (3, 4, 5)
WINDOW, STRIDE = 144, 24
"""How much of a long text is weighed at once (and half as much), and how far apart windows begin; a Chinese character counts
three letters."""

_RUN = 14
"""Letters from which what stands together is taken for words written without spaces."""
_DIGITS = str.maketrans("01345789@$", "oieastbgas")
_STROKES = re.compile(r"(?<=[A-Za-z0-9@$])!(?=[A-Za-z0-9@$])")
_PLAIN = {
    point: letters.translate(_DIGITS) or " " * bool(gap & (SPACE | STOP)) for point in range(128) for letters, gap in [fold(chr(point))]
}
"""What `Alphabet` says of ASCII, with a space for what parts words."""
_STRETCHED = re.compile(r"([^ ])\1+")
_FIRST = operator.itemgetter(1)
"""What stays of a stretched letter."""
_ALONE = 4
_TOGETHER = re.compile(rf"[^ ]{{{_RUN + 1}}}|(?<![^ ])[^ ] +[^ ] +[^ ] +[^ ](?![^ ])")
"""What `_spans` takes further apart: a run of letters too long for a word, and letters that stand one by one."""
_MATTERS = ("bomb", "gun", "poison", "attack", "drug", "high", "pills", "suicide", "die", "harm", "sexual", "abuse", "child")
"""Kinds of words that a request to be refused is about."""
_ALSO = "also"
_PART = SPACE | STOP
_VOWELS = str.maketrans("", "", "aeiou")
_MIX = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0x100000001B3)
_SHIFT = np.uint64(64 - BITS)

_WEIGHT = np.array((0.5, 1.0, 2.0), np.float32)
"""Of pairs, by how many of the two words are of a known kind."""

Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Features:
    """Parallel: each feature's number (0 to 2**BITS - 1), and where it ends in the text, in letters' widths."""

    numbers: NDArray[np.int64]
    values: NDArray[np.float32]
    """What each counts for: little for a run of letters, most for a pair of words whose kinds are known."""
    places: Places
    matters: Places
    """Where words end that a request to be refused is about."""
    width: int
    """Of the whole text: 1 a letter, 3 a Chinese character."""


_NOTHING = Features(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64), 0)


class Alphabet(dict[int, tuple[str, bool]]):
    """By code point: the letters that it is read as, and whether it parts words; remembered, as `normalise.Folds` is."""

    def __missing__(self, point: int) -> tuple[str, bool]:
        letters, gap = fold(chr(point))
        found = letters.translate(_DIGITS), bool(gap & _PART)
        if len(self) < 100_000:
            self[point] = found
        return found


def extract(text: str, alphabet: Alphabet, *, wholly: bool = False) -> Features:
    """The features of a text; none of one without a word that matters, unless it is read `wholly`. About 100 microseconds
    for a sentence with one, 10 without."""
    if not wholly and _is_plain(text):
        return _NOTHING
    letters, starts = _letters(text, alphabet)
    words = _words(letters, starts)
    if not (words.matters or wholly) or not letters:
        return _NOTHING
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
    runs = sum(map(len, hashes))
    last = ends[words.last]
    hashes += words.plain, words.bones
    places += last, last
    first, second, beside = _pairs(len(words.kinds))
    known = words.known[first].astype(np.int8) + words.known[second]
    told = (known > 0) | (beside > 0)
    first, second, known, beside = first[told], second[told], known[told], beside[told]
    # Neighbours are told apart from words that only stand near.
    hashes.append((words.kinds[first] * _STEP) ^ (words.kinds[second] + beside))
    places.append(last[second])
    mixed = (np.concatenate(hashes) * _MIX) >> _SHIFT
    values = np.concatenate((np.full(runs, 0.5, np.float32), np.ones(2 * len(last), np.float32), _WEIGHT[known]))
    return Features(mixed.astype(np.int64), values, np.concatenate(places), last[words.matters], int(ends[-1]))


def _is_plain(text: str) -> bool:
    """Whether a text is so written that its words are what stands between spaces, and none of them matters: most texts are, and seeing
    it costs a tenth of taking them apart. Where this says no, the text may still be clean."""
    if not text.isascii():
        return False
    letters = _STRETCHED.sub(_FIRST, (_STROKES.sub("i", text) if "!" in text else text).translate(_PLAIN))
    words = letters.split()
    lengths = [*map(len, words), 0]
    # `_TOGETHER` says so too, but at five times the cost: few texts have so long a word, or letters that stand one by one.
    together = max(lengths) > _RUN or (lengths.count(1) >= _ALONE and _TOGETHER.search(letters))
    return not together and _lexicon().heavy.isdisjoint(words)


def _letters(text: str, alphabet: Alphabet) -> tuple[str, list[int]]:
    """All letters in one form, a stretched one once, and the indices where words begin."""
    out: list[str] = []
    starts: list[int] = []
    parted, before = True, ""
    if "!" in text:
        text = _STROKES.sub("i", text)
    for letters, parts in map(alphabet.__getitem__, map(ord, text)):
        if not letters:
            parted = parted or parts
            continue
        for letter in letters:
            if parted:
                starts.append(len(out))
                parted = False
            elif letter == before and letter < "\u0250":
                continue
            out.append(letter)
            before = letter
    return "".join(out), starts


@dataclass(frozen=True, slots=True)
class _Words:
    """Parallel: the hashes of words, of their bones and of the kinds that stand for them, and the index of each one's last letter."""

    plain: Numbers
    bones: Numbers
    kinds: Numbers
    known: NDArray[np.bool_]
    """Whether their kinds are the lexicon's."""
    last: Places
    matters: list[int]
    """Which of them a request to be refused is about."""


def _words(letters: str, starts: list[int]) -> _Words:
    lexicon = _lexicon()
    kinds = lexicon.kinds
    plain: list[int] = []
    bones: list[int] = []
    like: list[int] = []
    last: list[int] = []
    known: list[bool] = []
    matters: list[int] = []
    for start, stop in _spans(letters, starts, lexicon):
        word = letters[start:stop]
        own = zlib.crc32(word.encode())
        plain.append(own)
        last.append(stop - 1)
        kind = None
        if word[0] >= "\u2e80" or letters[stop : stop + 1] >= "\u2e80":
            # Nothing parts words here: the longest that begins with this character is meant.
            for length in lexicon.lengths.get(word[0], ()):
                if kind := kinds.get(letters[start : start + length]):
                    break
        if word[0] >= "\u2e80":
            bones.append(own + 3)
        else:
            skeleton = _bones(word)
            kind = kind or kinds.get(word) or lexicon.slips.get(word)
            bones.append(zlib.crc32(skeleton.encode(), 7))
        if kind in lexicon.matters:
            matters.append(len(like))
        if kind == lexicon.also:
            kind = None
        known.append(kind is not None)
        like.append(kind or own)
    own, skeletons, alike = (np.array(each, np.uint64) for each in (plain, bones, like))
    return _Words(own, skeletons, alike, np.array(known, np.bool_), np.array(last, np.int64), matters)


def _bones(word: str) -> str:
    """What slips and masks leave of a word: its first letter, and its other consonants in the alphabet's order."""
    return word[0] + "".join(sorted(word[1:].translate(_VOWELS)))


def _slips(word: str) -> Iterator[str]:
    if not word.isascii() or len(word) < 4 or len(_bones(word)) < 3:
        return
    for at in range(1, len(word)):
        if word[at] in "aeiou":
            yield word[:at] + word[at + 1 :]
        if at + 1 < len(word):
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


@dataclass(frozen=True, slots=True)
class _Lexicon:
    kinds: dict[str, int]
    slips: dict[str, int]
    """The same for words with two letters swapped or a vowel left out."""
    matters: frozenset[int]
    heavy: frozenset[str]
    """The words that matter, and what slips make of them."""
    also: int
    """The kind of words that matter and are no kind."""
    longest: int
    """Letters of the longest word that is not Chinese."""
    lengths: dict[str, tuple[int, ...]]
    """How long words with Chinese characters are that begin with a character, the longest first."""


def _kind(name: str) -> int:
    return zlib.crc32(b"kind " + name.encode())


@functools.cache
def _lexicon() -> _Lexicon:
    text = resources.files("sightline.moderation").joinpath("data", "lexicon.txt").read_text("utf-8")
    alphabet, kinds = Alphabet(), dict[str, int]()
    for line in text.splitlines():
        if not line.startswith("#"):
            kind, *words = line.split()
            kinds |= dict.fromkeys((_letters(word, alphabet)[0] for word in words), _kind(kind))
    slips = {slip: kind for word, kind in kinds.items() for slip in _slips(word) if slip not in kinds}
    lengths: dict[str, set[int]] = {}
    for word in kinds:
        if not word.isascii():
            lengths.setdefault(word[0], set()).add(len(word))
    longest = max(len(word) for word in kinds if word.isascii())
    ordered = {first: tuple(sorted(each, reverse=True)) for first, each in lengths.items()}
    slips = {slip: kind for word, kind in kinds.items() for slip in _slips(word) if slip not in kinds}
    matters = frozenset(map(_kind, (*_MATTERS, _ALSO)))
    heavy = frozenset(word for word, kind in (kinds | slips).items() if kind in matters)
    return _Lexicon(kinds, slips, matters, heavy, _kind(_ALSO), longest, ordered)


@functools.lru_cache(maxsize=256)
def _pairs(count: int) -> tuple[Places, Places, Numbers]:
    """All pairs of so many words in a row that stand near each other: the index of the first, of the second, and 1 for neighbours."""
    distances = range(1, min(NEAR, count - 1) + 1)
    first = np.concatenate([np.arange(count - distance) for distance in distances] or [np.zeros(0, np.int64)])
    second = np.concatenate([np.arange(distance, count) for distance in distances] or [np.zeros(0, np.int64)])
    return first, second, (second - first == 1).astype(np.uint64)


def _spans(letters: str, starts: list[int], lexicon: _Lexicon) -> list[tuple[int, int]]:
    """Where words are: between spaces; each two characters in Chinese; as the lexicon knows them where the letters stand one by one."""
    found: list[tuple[int, int]] = []
    ends = [*starts[1:], len(letters)]
    index = 0
    while index < len(starts):
        begin, after = starts[index], index + 1
        while after < len(starts) and ends[after] - starts[after] == 1 and ends[after - 1] - starts[after - 1] == 1:
            after += 1
        alone = after - index >= 4
        if not alone:
            after = index + 1
        end = ends[after - 1]
        if (end - begin == 1 and letters[begin] < "\u2e80") or (not alone and end - begin <= _RUN and letters[begin:end].isascii()):
            found.append((begin, end))
        else:
            found += _known(letters, begin, end, lexicon) if letters[begin:end].isascii() else _parts(letters, begin, end)
        index = after
    return found


def _known(letters: str, begin: int, end: int, lexicon: _Lexicon) -> list[tuple[int, int]]:
    """Words of the lexicon in a run of letters, the longest first from the left, and what stands between them."""
    found: list[tuple[int, int]] = []
    start = index = begin
    while index < end:
        stop = next((stop for stop in range(min(end, index + lexicon.longest), index + 2, -1) if letters[index:stop] in lexicon.kinds), 0)
        if not stop:
            index += 1
            continue
        if start < index:
            found.append((start, index))
        found.append((index, stop))
        start = index = stop
    if start < end:
        found.append((start, end))
    return found


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
