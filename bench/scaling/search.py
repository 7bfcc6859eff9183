"""Looks for settings: the least GPU hours among those that keep the promise, one setting after another until nothing gets better."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .hpa import from_values
from .pool import Scaling, load_price, simulate
from .traces import Trace, Workload, trace

Values = dict[str, Any]
"""The `autoscaling` values of a lane, as the chart has them."""
PROMISED = ("diurnal", "ramp")
SEEDS = (1, 2, 3)
"""Of the traces and of the loading times, together."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A set of values, tried on every trace. Smaller is better."""

    broken: float
    """By how much promises are broken; 0 where all are kept."""
    hours: float
    """GPU hours of the diurnal trace."""
    late: float
    """The share of late and refused calls over the burst and the crowd: what decides between equals."""

    @property
    def rank(self) -> tuple[float, float]:
        # A GPU hour a day is worth a hundredth of the calls of a burst.
        return (self.broken, self.hours + 100 * self.late)


def scaling(values: Values) -> Scaling:
    """What the chart makes of the values."""
    return Scaling(from_values(values), values["tokensPerReplica"], values["waitSeconds"])


def judge(load: Workload, values: Values, courses: Sequence[tuple[int, Trace]], bar: float = math.inf) -> Verdict:
    """What the values come to over traces with their seeds; given up as soon as more is broken than `bar`."""
    broken, hours, late = 0.0, 0.0, 0.0
    for seed, course in courses:
        outcome = simulate(load, course, scaling(values), seed=seed)
        broken += 10 * outcome.flaps(900)  # half as long again as any replica takes to load
        if course.name in PROMISED:
            # With something in hand: a fifth of the time; and at most one call in a hundred late.
            broken += max(0.0, outcome.p(0.95) / (0.8 * load.slo) - 1) + max(0.0, 100 * outcome.late(load.slo) - 1)
        else:
            late += outcome.late(load.slo) / len(SEEDS)
        if course.name == "diurnal":
            hours += outcome.gpu_seconds / 3600 / len(SEEDS)
        if broken > bar:
            return Verdict(broken, math.inf, math.inf)
    return Verdict(broken, hours, late)


def courses_of(load: Workload) -> list[tuple[int, Trace]]:
    """What the search sees, the short ones first."""
    return [(seed, trace(name, load, seed)) for name in ("ramp", "burst", "flash crowd x10", "diurnal") for seed in SEEDS]


def first_guess(load: Workload) -> Values:
    """Where the search begins: half of a replica's slots busy, Kubernetes' own windows."""
    full = load.slots * load_price(load)
    return {
        "min": 2,
        "max": 40,
        "tokensPerReplica": round(full / 2, -2).__int__(),
        "waitSeconds": 1 if load.slo <= 2 else 5,
        "up": {"windowSeconds": 0, "percent": 100, "pods": 4, "periodSeconds": 60},
        "down": {"windowSeconds": 300, "percent": 20, "periodSeconds": 300},
    }


def choices(load: Workload) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Each setting, and what is tried for it."""
    full = load.slots * load_price(load)
    yield ("tokensPerReplica",), [round(full * share, -2).__int__() for share in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)]
    yield ("down", "windowSeconds"), [300, 600, 900, 1800, 2700]
    yield ("waitSeconds",), [0.5, 1, 2, 5, 10] if load.slo <= 2 else [2, 5, 10, 20]
    yield ("down", "percent"), [10, 20, 50]
    yield ("min",), [2, 3, 4]
    yield ("up", "windowSeconds"), [0, 30, 60]
    yield ("up", "pods"), [2, 4, 8]


def search(load: Workload, tell: Callable[[str], None], start: Values | None = None) -> tuple[Values, Verdict]:
    """The winner, and what it comes to. It begins at `start`, or at `first_guess`."""
    courses = courses_of(load)
    best = start or first_guess(load)
    verdict = judge(load, best, courses)
    tried_before = {repr(best)}
    better = True
    while better:
        better = False
        for path, options in choices(load):
            for option in options:
                tried = _with(best, path, option)
                if repr(tried) in tried_before:
                    continue
                tried_before.add(repr(tried))
                found = judge(load, tried, courses, verdict.broken)
                if found.rank < verdict.rank:
                    best, verdict, better = tried, found, True
            now = f"{verdict.hours:.1f} GPU h, broken {verdict.broken:.2f}, late {verdict.late:.3f}"
            tell(f"  {load.name} {'.'.join(path):<20} {_at(best, path)!s:>7}   {now}")
    return best, verdict


def _with(values: Values, path: tuple[str, ...], option: Any) -> Values:
    head, *rest = path
    return {**values, head: _with(values[head], tuple(rest), option) if rest else option}


def _at(values: Values, path: tuple[str, ...]) -> Any:
    for name in path:
        values = values[name]
    return values
