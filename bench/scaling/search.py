"""Looks for settings: the least GPU hours among those that keep the promise, one setting after another until nothing gets better."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .hpa import from_values
from .pool import Outcome, Scaling, load_price, simulate
from .traces import SHAPES, Trace, Workload, trace

Values = dict[str, Any]
"""The `autoscaling` values of a lane, as the chart has them."""
PROMISED = ("diurnal", "ramp")


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


def try_out(load: Workload, values: Values, traces: dict[str, Trace], seeds: tuple[int, ...] = (1,)) -> dict[str, Outcome]:
    """Every trace served under these values; the last seed's outcome of each."""
    return {name: simulate(load, each, scaling(values), seed=seed) for name, each in traces.items() for seed in seeds}


def judge(load: Workload, values: Values, traces: dict[str, Trace], seeds: tuple[int, ...] = (1, 2)) -> Verdict:
    """What the values come to, over several draws of loading times."""
    broken, hours, late = 0.0, 0.0, 0.0
    for seed in seeds:
        outcomes = try_out(load, values, traces, (seed,))
        for name, outcome in outcomes.items():
            broken += 10 * outcome.flaps(900)  # half as long again as any replica takes to load
            if name in PROMISED:
                # With something in hand: a fifth of the time; and at most one call in a hundred late.
                broken += max(0.0, outcome.p(0.95) / (0.8 * load.slo) - 1) + max(0.0, 100 * outcome.late(load.slo) - 1)
            else:
                late += outcome.late(load.slo) / len(seeds)
        hours += outcomes["diurnal"].gpu_seconds / 3600 / len(seeds)
    return Verdict(broken, hours, late)


def first_guess(load: Workload) -> Values:
    """Where the search begins: half of a replica's slots busy, Kubernetes' own windows."""
    full = load.slots * load_price(load)
    return {
        "min": 2,
        "max": 40,
        "tokensPerReplica": round(full / 2, -2).__int__(),
        "waitSeconds": 1,
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


def search(load: Workload, tell: Callable[[str], None], seed: int = 1) -> tuple[Values, Verdict]:
    """The winner, and what it comes to."""
    traces = {name: trace(name, load, seed) for name in SHAPES}
    best, verdict = first_guess(load), None
    known: dict[str, Verdict] = {}

    def judged(values: Values) -> Verdict:
        if (key := repr(values)) not in known:
            known[key] = judge(load, values, traces)
        return known[key]

    verdict = judged(best)
    better = True
    while better:
        better = False
        for path, options in choices(load):
            for option in options:
                tried = _with(best, path, option)
                if judged(tried).rank < verdict.rank:
                    best, verdict, better = tried, judged(tried), True
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
