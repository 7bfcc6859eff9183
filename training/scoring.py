"""When an answer is right, and how sure a share of right answers is."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
# Computed by the service from the values that it read: it answers with a sentence and its formula, `The sum is 12: 5 + 7 = 12.`
COMPUTED = frozenset({"chart_difference", "chart_sum", "pair_difference"})


@dataclass(frozen=True)
class Said:
    """A greedy answer, the log-probabilities of its tokens (none where the source does not tell), and how sure the source is of it."""

    text: str
    logprobs: tuple[float, ...] = ()
    confidence: float | None = None


def same(said: str, wanted: str, skill: str = "") -> bool:
    """Whether an answer is exactly the wanted one; of a computed number, whether it is that number."""
    if skill in COMPUTED:
        found = _NUMBER.findall(re.split("[:：]", said)[0])
        return bool(found) and float(found[-1]) == float(wanted)
    return said.strip() == wanted


def _table(text: str) -> list[tuple[str, list[Any]]] | None:
    """The series of a parsed chart, each with its points; None where it is none."""
    try:
        return [(series["name"], list(series["points"])) for series in json.loads(text)["series"]]
    except (json.JSONDecodeError, LookupError, TypeError):
        return None


def table_right(said: str, wanted: str) -> bool:
    """Whether every series of a parsed chart has its name and all its points, in order, and no other."""
    return _table(said) == _table(wanted)


def points_right(said: str, wanted: str) -> list[bool]:
    """Of a parsed chart, which points (label and value, in their series) are right."""
    right: list[bool] = []
    found = _table(said) or []
    for number, (_, points) in enumerate(_table(wanted) or []):
        there = found[number][1] if number < len(found) else []
        right += [index < len(there) and there[index] == point for index, point in enumerate(points)]
    return right


def interval(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, after Wilson (1927)."""
    if not count:
        return 0.0, 1.0
    z = 1.959964
    share, square = right / count, z * z / count
    middle = (share + square / 2) / (1 + square)
    reach = z * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))  # the share itself, in spite of rounding
