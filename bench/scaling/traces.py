"""Load over time: seeded traces of arrivals, and what each lane is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Workload:
    """What callers of a lane ask for, and how fast one replica's slot works. Every number is an assumption, named as one in
    docs/scaling.md; speeds are tokens a second for one of `slots` that are all busy."""

    name: str
    peak: float
    """Calls a second at the top of the diurnal trace."""
    shown: tuple[int, int]
    """Visual and prompt tokens of a generation: uniform between the two."""
    longest: int
    """max_tokens: what the price counts."""
    answer: float
    """Mean length of an answer; lognormal, cut at `longest`."""
    parts: float
    """Mean number of generations of a call, one after another in one slot's time; geometric."""
    prefill: float
    decode: float
    slots: int
    waiting: int
    """Calls that may wait, over all gateways."""
    timeout: float
    slo: float
    """A first token within so many seconds, for 95 in 100."""


A = Workload("A", 12.0, (300, 1320), 512, 120, 1, 6000, 45, 16, 256, 60, 2.0)
B = Workload("B", 1.5, (1300, 2600), 1024, 300, 4, 6000, 45, 16, 1024, 600, 30.0)
C = Workload("C", 3.0, (6000, 12000), 512, 200, 1, 4000, 40, 8, 64, 120, 15.0)
LANES = {"A": A, "B": B, "C": C}


@dataclass(frozen=True, slots=True)
class Trace:
    """Arrivals in order: time, price in tokens, seconds in a slot until the first token, seconds in a slot altogether."""

    name: str
    seconds: float
    at: list[float]
    price: list[int]
    first: list[float]
    held: list[float]


def arrivals(rate: Floats, rng: np.random.Generator) -> Floats:
    """Poisson arrivals; `rate[s]` is the calls a second during second s."""
    counts = rng.poisson(rate)
    return np.sort(np.repeat(np.arange(len(rate)), counts) + rng.random(counts.sum()))


def fill(name: str, rate: Floats, load: Workload, rng: np.random.Generator) -> Trace:
    """A trace of this rate, of calls as the workload has them."""
    at = arrivals(rate, rng)
    count = len(at)
    shown = rng.uniform(*load.shown, count).astype(int)
    sigma = 0.6
    answer = np.clip(rng.lognormal(np.log(load.answer) - sigma**2 / 2, sigma, count), 4, load.longest).astype(int)
    parts = rng.geometric(1 / load.parts, count) if load.parts > 1 else np.ones(count, int)
    first = shown / load.prefill + 1 / load.decode
    held = parts * (shown / load.prefill + answer / load.decode)
    price = parts * (shown + load.longest)
    return Trace(name, float(len(rate)), at.tolist(), price.tolist(), first.tolist(), held.tolist())


def _wobble(seconds: int, rng: np.random.Generator, size: float = 0.1, minutes: float = 10) -> Floats:
    """Slow noise around 1, so that no curve is smoother than people are."""
    steps = rng.normal(0, 1, seconds // 60 + 2)
    keep = np.exp(-1 / minutes)
    level = np.zeros(len(steps))
    for number in range(1, len(steps)):
        level[number] = keep * level[number - 1] + np.sqrt(1 - keep**2) * steps[number]
    return np.maximum(0.2, 1 + size * np.interp(np.arange(seconds) / 60, np.arange(len(steps)), level))


def diurnal(peak: float, rng: np.random.Generator) -> Floats:
    """A day: a fifth of the peak at night, two humps, slow noise."""
    hours = np.arange(24 * HOUR) / HOUR
    day = 0.2 + 0.8 * np.clip(0.75 * np.exp(-(((hours - 10.5) / 2.2) ** 2)) + np.exp(-(((hours - 15.5) / 3.0) ** 2)), 0, 1)
    return peak * day * _wobble(24 * HOUR, rng)


def burst(peak: float, rng: np.random.Generator) -> Floats:
    """Three hours at a third of the peak; every half hour three minutes of 2.5 times as much."""
    seconds = np.arange(3 * HOUR)
    return peak / 3 * np.where(seconds % 1800 > 1620, 2.5, 1.0) * _wobble(3 * HOUR, rng)


def flash(peak: float, rng: np.random.Generator) -> Floats:
    """Two hours at a quarter of the peak; after 40 minutes, within half a minute, ten times as much, for 20 minutes."""
    seconds = np.arange(2 * HOUR)
    crowd = np.interp(seconds, [2400, 2430, 3600, 3900], [1, 10, 10, 1])
    return peak / 4 * crowd * _wobble(2 * HOUR, rng)


def ramp(peak: float, rng: np.random.Generator) -> Floats:
    """From a quarter of the peak to all of it in 90 minutes, then an hour there."""
    seconds = np.arange(int(2.75 * HOUR))
    return peak * np.interp(seconds, [900, 6300], [0.25, 1.0]) * _wobble(len(seconds), rng)


def market(peak: float, rng: np.random.Generator) -> Floats:
    """Held out: two hours with a lunch peak, a dip and a second, steeper rise. No setting was chosen by it."""
    seconds = np.arange(2 * HOUR)
    shape = np.interp(seconds, [0, 1500, 2700, 3600, 4500, 5100, 6600, 7200], [0.3, 0.5, 0.9, 0.85, 0.45, 0.5, 1.0, 0.7])
    return peak * shape * _wobble(2 * HOUR, rng, 0.15, 4)


SHAPES: dict[str, Callable[[float, np.random.Generator], Floats]] = {
    "diurnal": diurnal,
    "ramp": ramp,
    "burst": burst,
    "flash crowd x10": flash,
}
"""What settings are chosen by."""


def trace(name: str, load: Workload, seed: int = 1) -> Trace:
    """The trace of this name for a lane; the same for the same seed."""
    rng = np.random.default_rng([seed, *name.encode(), *load.name.encode()])
    shape = SHAPES.get(name, market)
    return fill(name, shape(load.peak, rng), load, rng)
