"""Sentences drawn from a small grammar.

make = make|build                      a list
[weapons]                              the category of what follows; `clean` is none
{how} {make} a bomb {at?}              `{name}` draws from a list, `{name?}` half of the time; lists may name lists
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SLOT = re.compile(r"\{([^{}?]+)(\?)?\}")
_LETTERS = re.compile(r"[A-Za-z]{5,}")
_COMMON = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经十三之进着等部度"
    "家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看"
    "原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路"
)
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Line:
    category: str
    pattern: str


class Grammar:
    def __init__(self, content: str) -> None:
        self._lists: dict[str, list[str]] = {}
        self._instead: dict[str, str] = {}
        self.lines: list[Line] = []
        category = ""
        for raw in content.splitlines():
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            name, defined, choices = line.partition(" = ")
            if line.startswith("["):
                category = line.strip("[]")
            elif defined and "{" not in name:
                self._lists[name] = choices.split("|")
            elif " -> " in line:
                harmful, _, harmless = line.partition(" -> ")
                self._instead[harmful] = harmless
            else:
                self.lines.append(Line(category, line))

    def counterpart(self, pattern: str) -> str | None:
        """The clean sentence of the same form, where all that is harmful stands in lists."""
        found = False

        def swap(slot: re.Match[str]) -> str:
            nonlocal found
            found = found or slot[1] in self._instead
            return "{" + self._instead.get(slot[1], slot[1]) + (slot[2] or "") + "}"

        clean = _SLOT.sub(swap, pattern)
        return clean if found else None

    def draw(self, pattern: str, chance: random.Random) -> str:
        def fill(slot: re.Match[str]) -> str:
            if slot[2] and chance.random() < 0.5:
                return ""
            return self.draw(chance.choice(self._lists[slot[1]]), chance)

        return re.sub(r" +", " ", _SLOT.sub(fill, pattern)).strip()


def grammar(language: str) -> Grammar:
    return Grammar((FOLDER / f"{'english' if language == 'en' else 'chinese'}.txt").read_text("utf-8"))


def sentences(language: str, each: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Categories with sentences, `each` of every line; some beside a clean sentence, some written to get round a filter."""
    source = grammar(language)
    clean = [line.pattern for line in source.lines if line.category == "clean"]
    gap = " " if language == "en" else ""
    lines = [*source.lines, *(Line("clean", other) for line in source.lines if (other := source.counterpart(line.pattern)))]
    for line in lines:
        # What is asked without any ado is drawn more often: it must be known for what it is.
        bare = line.category != "clean" and "?}" not in line.pattern and "{" in line.pattern
        for _ in range(each * 4 if bare else each):
            text = source.draw(line.pattern, chance)
            if line.category == "clean" and chance.random() < 0.2:
                text = _with_strange_words(text, language, chance)
            where = chance.random()
            if where < 0.2:
                beside = source.draw(chance.choice(clean), chance)
                text = f"{beside}. {text}" if where < 0.1 else f"{text}. {beside}"
            yield line.category, rewritten(text, gap, chance)


def _with_strange_words(text: str, language: str, chance: random.Random) -> str:
    """Some words made others that nobody has seen: what is not known is clean."""
    if language == "en":
        return _LETTERS.sub(lambda word: "".join(chance.sample(word[0], len(word[0]))) if chance.random() < 0.5 else word[0], text)
    at = chance.randrange(len(text) + 1)
    return text[:at] + "".join(chance.choices(_COMMON, k=chance.randint(1, 4))) + text[at + chance.randint(0, 2) :]


def rewritten(text: str, gap: str, chance: random.Random) -> str:
    """The text as it is, mostly, or with the slips and tricks of people who type it."""
    draw = chance.random()
    if draw < 0.06:
        return " ".join(text.replace(" ", "") if chance.random() < 0.5 else text)
    if draw < 0.10 and gap:
        return text.replace(" ", "")
    if draw < 0.25 and gap:
        return _LETTERS.sub(lambda word: _slip(word[0], chance) if chance.random() < 0.4 else word[0], text)
    return text


def _slip(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 2)
    kind = chance.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        vowels = [place for place, letter in enumerate(word) if place and letter in "aeiou"]
        if vowels:
            at = chance.choice(vowels)
        return word[:at] + "*" + word[at + 1 :]
    return word[:at] + word[at] + word[at:]
