"""Times that an answer about a clip names: "at 3.5 s", "0:07", "第3.5秒", as seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NUMBER = r"(?<![\d.:])(\d{1,5}(?:\.\d{1,3})?)"
_UNIT = r"(?:seconds?|secs?|s)\b"
_FORMS = (
    re.compile(r"(?<![\d.:])(?P<minutes>\d{1,3}):(?P<seconds>[0-5]\d(?:\.\d{1,3})?)(?![\d:])"),
    re.compile(r"(?P<minutes>\d{1,3})\s*分钟?\s*(?P<seconds>\d{1,2}(?:\.\d{1,3})?)\s*秒"),
    re.compile(rf"{_NUMBER}\s*(?:-|–|~|to|and)\s*(\d{{1,5}}(?:\.\d{{1,3}})?)\s*{_UNIT}", re.IGNORECASE),
    re.compile(r"(?<![\d.:])(\d{1,5}(?:\.\d{1,3})?)\s*秒?\s*(?:-|–|~|至|到)\s*第?\s*(\d{1,5}(?:\.\d{1,3})?)\s*秒"),
    re.compile(rf"\bsecond\s+{_NUMBER}", re.IGNORECASE),
    re.compile(rf"(?<!every )(?<!for ){_NUMBER}\s*{_UNIT}", re.IGNORECASE),
    re.compile(r"(?<!每)(?<![\d.:])(\d{1,5}(?:\.\d{1,3})?)\s*秒(?!钟?一次)"),
)
"""Longer forms first: what one has read, no other reads again."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as the answer words it; `within`: whether it lies in what was seen of the clip."""

    seconds: float
    text: str
    within: bool = True


def find_moments(text: str) -> list[Moment]:
    """The times that a text names, in its order, each place once. A span has two."""
    found: dict[int, list[Moment]] = {}
    taken: list[tuple[int, int]] = []
    for form in _FORMS:
        for match in form.finditer(text):
            start, end = match.span()
            if all(end <= before or start >= after for before, after in taken):
                taken.append((start, end))
                found[start] = [Moment(seconds, match[0].strip()) for seconds in _seconds(match)]
    return [moment for start in sorted(found) for moment in found[start]]


def _seconds(match: re.Match[str]) -> Iterator[float]:
    named = match.groupdict()
    if named:
        yield 60 * int(named["minutes"]) + float(named["seconds"])
    else:
        yield from (float(number) for number in match.groups() if number is not None)
