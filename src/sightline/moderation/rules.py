"""The rules: lists of terms and patterns by category, searched together in one pass.

A rule file is text in UTF-8, one rule a line:

    # a comment
    [weapons]                              the category of what follows
    pipe bomb                              a term: these words, however they are written
    /how to (make|build) .{0,12}bombs?/    a pattern, see `pattern`

All terms and the beginnings of all patterns stand in one Aho-Corasick automaton (Rust), over coarse letters; what it finds
is compared exactly. So 100,000 terms cost no more than ten, and a text without candidates is read once by native code.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from itertools import accumulate

import ahocorasick_rs

from sightline.moderation.normalise import CLAUSE, SPACE, VERSION, CoarseTable, Folds, PartedTable
from sightline.moderation.pattern import LONGEST, Pattern, PatternFault
from sightline.moderation.reading import Reading, kind
from sightline.protocol.language import Bilingual, Language

_BLOCK = 128
_SURE = 10
"""Letters from which a term is not met by chance: spaces may then stand anywhere in it."""
_JOINED = 8
"""Letters from which the spaces between a term's own words may be left out."""
_CATEGORY = re.compile(r"\[([a-z][a-z0-9_]{0,47})\]")
_DEFINITION = re.compile(r"\{([a-z_]{1,24})\} = (.+)")
_DEFINED = re.compile(r"\{([a-z_]{1,24})\}")
_LONGEST_PATTERN = 50_000
"""Characters of a pattern once its definitions are written out, which may name each other."""


class RulesFault(Exception):
    """A rule that cannot be used: the file's name, the line and why, for the operator."""

    def __init__(self, name: str, line: int, reason: Bilingual) -> None:
        self.message = Bilingual(f"{name} 第 {line} 行：{reason.zh}", f"{name}, line {line}: {reason.en}")
        super().__init__(self.message.en)

    def say(self, language: Language) -> str:
        return self.message.pick(language)


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule file's name, as rules are called after it, and its content."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Match:
    """What was found: `start` and `end` in the original text (code points), the category, and the rule as `file:line`."""

    start: int
    end: int
    category: str
    rule: str


@dataclass(frozen=True, slots=True)
class _Term:
    letters: str
    gaps: frozenset[int]
    """Where its own words part: indices of letters with a gap before them."""


@dataclass(frozen=True, slots=True)
class _Rule:
    what: _Term | Pattern
    category: str
    name: str


def shipped() -> list[RuleText]:
    """The rules that come with this release, one file a language."""
    folder = resources.files("sightline.moderation").joinpath("data", "rules")
    return [
        RuleText(entry.name.removesuffix(".txt"), entry.read_text("utf-8"))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".txt")
    ]


class Rules:
    """Compiled rules; immutable, shared by all calls. Raises `RulesFault`."""

    def __init__(self, texts: Iterable[RuleText]) -> None:
        self._folds = Folds()
        self._table = CoarseTable(self._folds)
        self._parted = PartedTable(self._folds)
        self._rules: dict[str, list[_Rule]] = {}
        """By the coarse letters that the automaton looks for."""
        names: set[str] = set()
        categories: set[str] = set()
        version = hashlib.sha256(VERSION.encode())
        for text in texts:
            version.update(f"\0{text.name}\0{text.content}".encode())
            for coarse, rule in self._compile(text):
                self._rules.setdefault(coarse, []).append(rule)
                categories.add(rule.category)
                names.add(rule.name)
        self.version = version.hexdigest()[:16]
        self.categories = tuple(sorted(categories))
        self.count = len(names)
        self._needles = sorted(self._rules)
        self._longest = max((len(needle) for needle in self._needles), default=0)
        self._automaton = ahocorasick_rs.AhoCorasick(
            self._needles,
            matchkind=ahocorasick_rs.MatchKind.Standard,
            implementation=ahocorasick_rs.Implementation.ContiguousNFA,
            store_patterns=False,
        )

    def find(self, text: str) -> Match | None:
        """The first thing in a whole text that must be refused."""
        # Most of what the automaton finds stands in the middle of a word, where nothing begins, or is how questions about anything
        # begin: that is seen before anything is read.
        parts = text.translate(self._parted).split()
        letters = "".join(parts)
        begins = {0, *accumulate(map(len, parts))}
        found = [
            (needle, start, end, rules)
            for needle, start, end in self._automaton.find_matches_as_indexes(letters, overlapping=True)
            if start in begins and (rules := self._possible(needle, letters[start : start + LONGEST]))
        ]
        if not found:
            return None
        # Letters to characters: by blocks, so that only what stands around a candidate is read in full.
        blocks = [text[begin : begin + _BLOCK] for begin in range(0, len(text), _BLOCK)]
        ends = list(accumulate(len(block.translate(self._table)) for block in blocks))
        readings: dict[int, Reading] = {}
        for _, start, end, rules in sorted(found, key=lambda each: (each[1], each[2])):
            # The letter before tells whether a word begins here.
            first = bisect_right(ends, max(0, start - 1))
            offset = ends[first - 1] if first else 0
            reading = readings.get(first)
            if reading is None:
                reading = readings[first] = Reading(self._folds, start=first * _BLOCK)
            pending = True
            while pending:
                if len(reading.letters) >= end - offset:
                    match, pending = self._judge(reading, rules, start - offset, end - offset, final=reading.end == len(text))
                    if match:
                        return match
                if pending:
                    reading.read(blocks[reading.end // _BLOCK])
        return None

    def _possible(self, needle: int, letters: str) -> list[_Rule]:
        """The rules behind a candidate that could match the coarse letters from there on."""
        rules = self._rules[self._needles[needle]]
        return [rule for rule in rules if not isinstance(rule.what, Pattern) or rule.what.may_end(letters)]

    def reading(self) -> Reading:
        """An empty reading for a stream."""
        return Reading(self._folds)

    def search(self, reading: Reading, *, final: bool) -> tuple[Match | None, int]:
        """What a stream holds so far: a match, or how many of its letters, from the front, no match can begin with any more."""
        letters = len(reading.letters)
        clear = letters
        found = self._automaton.find_matches_as_indexes(reading.coarse, overlapping=True)
        for needle, start, end in sorted(found, key=lambda each: (each[1], each[2])):
            match, pending = self._judge(reading, self._rules[self._needles[needle]], start, end, final=final)
            if match:
                return match, 0
            if pending:
                clear = min(clear, start)
        if not final:
            for start in range(max(0, letters - self._longest + 1), clear):
                if self._begins(reading.coarse[start:]) and reading.starts_word(start):
                    return None, start
        return None, clear

    def _begins(self, coarse: str) -> bool:
        """Whether some needle is longer than these letters and begins with them."""
        after = bisect_right(self._needles, coarse)
        return after < len(self._needles) and self._needles[after].startswith(coarse)

    def _judge(self, reading: Reading, rules: list[_Rule], start: int, end: int, *, final: bool) -> tuple[Match | None, bool]:
        """The match among the rules behind a candidate, and whether one could still come with more text."""
        pending = False
        for rule in rules:
            if isinstance(rule.what, Pattern):
                stop, alive = rule.what.match(reading, start, final=final)
            else:
                complete = _is_term(reading, rule.what, start, end, final=final)
                stop, alive = (end if complete else None), complete is None
            if stop is not None:
                return Match(reading.at[start], reading.at[stop - 1] + 1, rule.category, rule.name), False
            pending |= alive
        return None, pending

    def _compile(self, text: RuleText) -> Iterable[tuple[str, _Rule]]:
        category = ""
        definitions: dict[str, str] = {}
        for number, raw in enumerate(text.content.splitlines(), start=1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("["):
                named = _CATEGORY.fullmatch(line)
                if not named:
                    raise RulesFault(
                        text.name, number, Bilingual("类别须写作 [小写字母_数字]", "a category is written [lower_case_letters]")
                    )
                category = named[1]
                continue
            if defined := _DEFINITION.fullmatch(line):
                definitions[defined[1]] = f"({_written_out(defined[2], definitions, text.name, number)})"
                continue
            if not category:
                raise RulesFault(text.name, number, Bilingual("第一条规则之前须有 [类别]", "a [category] must come before the first rule"))
            name = f"{text.name}:{number}"
            if line.startswith("/") and line.endswith("/") and len(line) > 2:
                try:
                    pattern = Pattern(_written_out(line[1:-1], definitions, text.name, number))
                except PatternFault as fault:
                    raise RulesFault(text.name, number, fault.reason) from None
                for lead in pattern.leads:
                    yield lead, _Rule(pattern, category, name)
            else:
                reading = self._term(text.name, number, line)
                gaps = frozenset(index for index, gap in enumerate(reading.gaps) if gap and index)
                yield reading.coarse, _Rule(_Term("".join(reading.letters), gaps), category, name)

    def _term(self, name: str, number: int, line: str) -> Reading:
        reading = Reading(self._folds)
        reading.read(line)
        letters = reading.letters
        if len(letters) > LONGEST:
            raise RulesFault(name, number, Bilingual(f"词语过长（上限 {LONGEST}）", f"a term has at most {LONGEST} letters"))
        if not letters or (len(letters) == 1 and kind(letters[0]) != "c"):
            raise RulesFault(
                name, number, Bilingual("词语至少须有两个字母或一个汉字", "a term has at least two letters, or one Chinese character")
            )
        return reading


def _written_out(pattern: str, definitions: dict[str, str], name: str, number: int) -> str:
    """The pattern with what its `{names}` stand for. Raises `RulesFault`."""
    for named in _DEFINED.findall(pattern):
        if named not in definitions:
            raise RulesFault(name, number, Bilingual(f"{{{named}}} 此前没有定义", f"{{{named}}} is not defined before this line"))
    whole = _DEFINED.sub(lambda found: definitions[found[1]], pattern)
    if len(whole) > _LONGEST_PATTERN:
        raise RulesFault(name, number, Bilingual("展开后的模式过长", "the pattern is too long once its definitions are written out"))
    return whole


def _is_term(reading: Reading, term: _Term, start: int, end: int, *, final: bool) -> bool | None:
    """Whether the letters from `start` to `end` are the term and no accident; None when only more text can tell."""
    if not reading.starts_word(start):
        return False
    alike = [reading.same(index, letter) for index, letter in enumerate(term.letters, start)]
    if False in alike or alike.count(True) * 2 < len(alike):
        return False
    if not _gaps_fit(reading, term, start, end):
        return False
    return reading.ends_word(end - 1, final=final)


def _gaps_fit(reading: Reading, term: _Term, start: int, end: int) -> bool:
    """Whether the term is written together, as its own words part, or so taken apart that a reader still sees it."""
    gaps = {index - start: reading.gaps[index] for index in range(start + 1, end) if reading.gaps[index]}
    # Where letters meet digits a space is as good as none.
    seams = {place for place in gaps if {kind(term.letters[place - 1]), kind(term.letters[place])} == {"a", "d"}}
    within = {gap for place, gap in gaps.items() if place not in term.gaps | seams}
    if any(reading.starts_sentence(start + place) for place in gaps):
        return False
    if not within and (term.gaps <= gaps.keys() or end - start >= _JOINED):
        return True
    spelled = len(gaps) == end - start - 1 and len(gaps) >= 2
    if any(kind(letter) == "c" for letter in term.letters):
        return spelled or not any(gap & CLAUSE for gap in within)
    if spelled or end - start >= _SURE:
        return True
    digits = any(kind(term.letters[place - 1]) == kind(term.letters[place]) == "d" for place in gaps)
    return not digits and not any(gap & (SPACE | CLAUSE) for gap in within) and term.gaps <= gaps.keys()
