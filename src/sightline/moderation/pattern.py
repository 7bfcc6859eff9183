"""Patterns of rules: written like regular expressions, but always of bounded length and matched in linear time.

    how to (make|build) (an? )?.{0,12}bombs?      literals, alternatives, `?`, `{m,n}`, `.`, [classes], \\d, \\w, \\.
    make a bomb(?!shelter|squad)                  at the end: not where one of these words goes on

There is no `*`, no `+` and no `{m,}`: a match must end somewhere, or a stream could never be released. Patterns are matched
against letters alone (see `normalise`), so spaces in them are for the reader; nothing backtracks. A pattern becomes its
positions and who may follow whom (Glushkov's construction), as bit masks; every path through them is finite.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from sightline.moderation.normalise import SPACE, coarse, fold
from sightline.moderation.reading import Reading, kind
from sightline.moderation.tails import bits, find_tails
from sightline.protocol.language import Bilingual

_UNLESS = re.compile(r"\(\?!([^?]*)\)$")
MOST_POSITIONS = 4000
LONGEST = 200
"""Letters that a match may span."""
_MOST_LEADS = 256
_LONGEST_LEAD = 8
_JOINED = 12
"""Letters without anything between them that are no single word any more."""


class PatternFault(ValueError):
    """A pattern that cannot be used: why, and where in it."""

    def __init__(self, reason: Bilingual, at: int) -> None:
        self.reason = Bilingual(f"第 {at + 1} 个字符：{reason.zh}", f"character {at + 1}: {reason.en}")
        super().__init__(self.reason.en)


@dataclass(frozen=True, slots=True)
class _Class:
    """The letters that one position takes; of `negated` ones, all others. No letters and negated: any."""

    letters: frozenset[str]
    negated: bool = False

    def takes(self, letter: str) -> bool:
        return (letter in self.letters) != self.negated


@functools.lru_cache(1024)
def _literal(sign: str) -> tuple[_Class, ...]:
    """The letters that a character of a pattern is read as; none for what is no letter."""
    return tuple(_Class(frozenset(letter)) for letter in fold(sign)[0])


_ANY = _Class(frozenset(), negated=True)
_DIGIT = _Class(frozenset("0123456789"))


class _Piece(NamedTuple):
    """A part of a pattern: whether it may be empty, its first and last positions, its longest length, all as masks and counts.

    A tuple: the shipped rules have some 100,000 of them, and every start waits for it.
    """

    empty: bool
    first: int
    last: int
    longest: int


_NOTHING = _Piece(True, 0, 0, 0)


class Pattern:
    """A compiled pattern. Raises `PatternFault`."""

    def __init__(self, source: str) -> None:
        excepted = _UNLESS.search(source)
        source = source[: excepted.start()] if excepted else source
        words = re.split(r"[|()]+", excepted[1]) if excepted else []
        self._unless = tuple({letters for word in words if (letters := "".join(fold(sign)[0] for sign in word))})
        self._source = source
        self._at = 0
        self._depth = 0
        self._classes: list[_Class] = []
        self._follow: list[int] = []
        whole = self._alternatives()
        if self._at < len(source):
            raise PatternFault(Bilingual("多余的右括号", "a bracket closes that was never opened"), self._at)
        if whole.empty:
            raise PatternFault(Bilingual("可以匹配空文本", "it matches nothing at all"), 0)
        if whole.longest > LONGEST:
            raise PatternFault(
                Bilingual(
                    f"匹配可长达 {whole.longest} 个字母，上限 {LONGEST}",
                    f"a match may span {whole.longest} letters, the limit is {LONGEST}",
                ),
                0,
            )
        self._first = whole.first
        self._last = whole.last
        self._steps: dict[tuple[int, str], tuple[bool, int]] = {}
        self.longest = whole.longest
        self.leads = self._find_leads()

    def match(self, reading: Reading, start: int, *, final: bool) -> tuple[int | None, bool]:
        """Looks for a match that begins with the letter at `start`.

        Returns the index after the shortest match (or None), and whether one could still come with more text.
        """
        if not reading.starts_word(start):
            return None, False
        waiting, undecided = self._first, False
        # This loop runs for every letter after every beginning of every rule, so it asks for nothing twice.
        letters, gaps, signs, steps, apart = reading.letters, reading.gaps, reading.signs, self._steps, False
        for index in range(start, len(letters)):
            if gaps[index] and index > start:
                # A sentence that ended is no part of a match; a single mark between letters is, and a space alone ends none.
                if gaps[index] != SPACE and reading.starts_sentence(index):
                    return None, False
                apart = True
            step = (waiting, signs[index])
            known = steps.get(step)
            ended, waiting = known if known else self._step(step, reading.readings(index))
            if ended:
                # Where a sentence is written without a space, its words end anywhere.
                joined = not apart and index - start >= _JOINED and letters[index].isascii()
                ends = joined or reading.ends_word(index, final=final)
                excepted = self._goes_on(reading, index + 1, final=final) if ends else False
                if ends and excepted is False:
                    return index + 1, False
                undecided = ends is None or excepted is None
            if not waiting:
                return None, undecided
        return None, not final

    def may_end(self, coarse_letters: str) -> bool:
        """Whether a match that begins with the first of these coarse letters could end among them. Most patterns begin as many questions
        do and end with what they are about: for a question about something else this says no, and nothing has to be read."""
        tails = self._tails
        return tails is None or bool(tails.find_matches_as_indexes(coarse_letters[: self.longest]))

    @functools.cached_property
    def _tails(self) -> AhoCorasick | None:
        """Looks for the coarse letters that every match ends with; None where they may be any. Made when it is first asked for: it
        takes a millisecond, and a service starts with a hundred patterns."""
        letters = [None if each.negated else each.letters for each in self._classes]
        tails = find_tails(self._first, self._last, self._follow, letters)
        return AhoCorasick(sorted(tails), store_patterns=False) if tails else None

    def _goes_on(self, reading: Reading, start: int, *, final: bool) -> bool | None:
        """Whether a word that makes it something else stands there; None when only more text can tell."""
        if not self._unless or (start < len(reading.letters) and reading.starts_sentence(start)):
            return False
        after = "".join(reading.letters[start : start + LONGEST])
        if any(after.startswith(word) for word in self._unless):
            return True
        return None if not final and any(word.startswith(after) for word in self._unless) else False

    def _step(self, step: tuple[int, str], letters: set[str]) -> tuple[bool, int]:
        """From the positions that wait for a letter to whether a match ends with it, and those that wait next; remembered."""
        active = sum(1 << position for position in bits(step[0]) if any(self._classes[position].takes(letter) for letter in letters))
        waiting = 0
        for position in bits(active):
            waiting |= self._follow[position]
        found = (bool(active & self._last), waiting)
        if len(self._steps) < 20_000:
            self._steps[step] = found
        return found

    # The parser: one method for each level of the grammar.

    def _alternatives(self) -> _Piece:
        whole = self._sequence()
        while self._peek() == "|":
            self._at += 1
            other = self._sequence()
            whole = _Piece(
                whole.empty or other.empty, whole.first | other.first, whole.last | other.last, max(whole.longest, other.longest)
            )
        return whole

    def _sequence(self) -> _Piece:
        whole = _NOTHING
        while self._peek() not in ("", "|", ")"):
            whole = self._join(whole, self._repeated())
        return whole

    def _repeated(self) -> _Piece:
        begin = self._at
        piece = self._atom()
        least, most = self._count()
        if (least, most) == (1, 1) or piece.longest == 0:
            return piece
        end, whole = self._at, _NOTHING
        for number in range(most):
            if number:
                # Each repetition has positions of its own: the atom is simply read again.
                self._at = begin
                piece = self._atom()
                self._at = end
            whole = self._join(whole, piece if number < least else _Piece(True, piece.first, piece.last, piece.longest))
        return whole

    def _count(self) -> tuple[int, int]:
        at = self._at
        sign = self._peek()
        if sign in ("*", "+"):
            raise PatternFault(Bilingual(f"“{sign}”没有最大长度：请改用 {{m,n}}", f"'{sign}' has no longest length: write {{m,n}}"), at)
        if sign == "?":
            self._at += 1
            return 0, 1
        if sign != "{":
            return 1, 1
        inside, closed, _ = self._source[at + 1 :].partition("}")
        least, comma, most = inside.partition(",")
        if not closed or not (least.isdecimal() and least.isascii()) or (comma and not (most.isdecimal() and most.isascii())):
            if closed and comma and not most:
                raise PatternFault(Bilingual("{m,} 没有最大长度：请改用 {m,n}", "{m,} has no longest length: write {m,n}"), at)
            raise PatternFault(Bilingual("次数须写作 {n} 或 {m,n}", "a count is written {n} or {m,n}"), at)
        low, high = int(least), int(most if comma else least)
        if not low <= high <= LONGEST or high == 0:
            raise PatternFault(Bilingual(f"次数须在 1 到 {LONGEST} 之间，且先小后大", f"counts are 1 to {LONGEST}, the smaller first"), at)
        self._at = at + len(inside) + 2
        return low, high

    def _atom(self) -> _Piece:
        at, sign = self._at, self._peek()
        self._at += 1
        if sign == "(":
            if self._source.startswith("?", self._at):
                raise PatternFault(Bilingual("(?!...) 只能在末尾，没有其他 (?...)", "there is no (?...) but (?!...) at the end"), at)
            self._depth += 1
            if self._depth > 20:
                raise PatternFault(Bilingual("括号嵌套过深", "brackets are nested too deeply"), at)
            piece = self._alternatives()
            self._depth -= 1
            if self._peek() != ")":
                raise PatternFault(Bilingual("括号没有闭合", "a bracket is never closed"), at)
            self._at += 1
            return piece
        if sign == ".":
            return self._position(_ANY, at)
        if sign == "[":
            return self._position(self._class(at), at)
        if sign in "?*+{^" or sign == "$" or sign in "]}":
            raise PatternFault(Bilingual(f"“{sign}”不能出现在这里", f"'{sign}' cannot stand here"), at)
        if sign == "\\":
            sign = self._peek()
            self._at += 1
            if sign == "d":
                return self._position(_DIGIT, at)
            if sign == "w":
                return self._position(_ANY, at)
            if not sign or sign.isalnum():
                raise PatternFault(Bilingual("未知的转义", "an unknown escape"), at)
        # What is no letter (a space, a hyphen) is no part of what is searched, and of a pattern only for its reader.
        piece = _NOTHING
        for letter in _literal(sign):
            piece = self._join(piece, self._position(letter, at))
        return piece

    def _class(self, at: int) -> _Class:
        end = self._source.find("]", self._at)
        inside = self._source[self._at : end]
        if end < 0 or not inside.strip("^"):
            raise PatternFault(Bilingual("字符组没有闭合或为空", "a class is empty or never closed"), at)
        self._at = end + 1
        negated, inside = inside.startswith("^"), inside.removeprefix("^")
        letters: set[str] = set()
        place = 0
        while place < len(inside):
            if inside[place + 1 : place + 2] == "-" and place + 2 < len(inside):
                first, last = ord(inside[place]), ord(inside[place + 2])
                if not 0 <= last - first <= 256:
                    raise PatternFault(Bilingual("字符组的范围有误", "a range in a class is backwards or too wide"), at)
                letters.update(*(fold(chr(point))[0] for point in range(first, last + 1)))
                place += 3
            else:
                letters.update(fold(inside[place])[0])
                place += 1
        return _Class(frozenset(letters), negated)

    def _position(self, letters: _Class, at: int) -> _Piece:
        if len(self._classes) >= MOST_POSITIONS:
            raise PatternFault(Bilingual("模式过大", "the pattern is too large"), at)
        self._classes.append(letters)
        self._follow.append(0)
        mask = 1 << (len(self._classes) - 1)
        return _Piece(False, mask, mask, 1)

    def _join(self, left: _Piece, right: _Piece) -> _Piece:
        if left is _NOTHING:
            return right
        for position in bits(left.last):
            self._follow[position] |= right.first
        return _Piece(
            left.empty and right.empty,
            left.first | (right.first if left.empty else 0),
            right.last | (left.last if right.empty else 0),
            left.longest + right.longest,
        )

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]

    def _find_leads(self) -> frozenset[str]:
        """The coarse letters that every match begins with: what the automaton looks for, so that a pattern costs nothing until then."""
        best: frozenset[str] = frozenset()
        growing: set[tuple[str, int]] = {("", self._first)}
        done: set[str] = set()
        for _ in range(_LONGEST_LEAD):
            longer: set[tuple[str, int]] = set()
            for lead, positions in growing:
                for position in bits(positions):
                    letters = self._classes[position]
                    if letters.negated or len(letters.letters) > _MOST_LEADS:
                        return self._checked(best)
                    for letter in letters.letters:
                        grown = lead + coarse(letter)
                        if self._last >> position & 1:
                            done.add(grown)
                        if self._follow[position]:
                            longer.add((grown, self._follow[position]))
            leads = frozenset({lead for lead, _ in longer} | done)
            if len(leads) > _MOST_LEADS or len(longer) > 4 * _MOST_LEADS:
                break
            best, growing = leads, longer
            if not growing:
                break
        return self._checked(best)

    def _checked(self, leads: frozenset[str]) -> frozenset[str]:
        if not leads or any(len(lead) < 2 and (not lead or kind(lead) != "c") for lead in leads):
            raise PatternFault(
                Bilingual("开头须是确定的两个字母或一个汉字", "it must begin with two certain letters, or one Chinese character"), 0
            )
        return leads
