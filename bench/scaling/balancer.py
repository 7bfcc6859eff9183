"""How to choose among many replicas: simulated, with gateways that know only of their own work.

Every gateway counts what it has under way at each replica; of the others' work it knows nothing. Ways to choose: at random; the least of
its own counts (ties at random); the better of two drawn at random; the replica that the picture's hash prefers (rendezvous), unless it has
a quarter more than its share here, then the next in its order. A replica serves `slots` calls at a time, in order; one that was shown the
same picture lately answers sooner by the time of reading it.
"""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int32]
Choose = Callable[[Counts, int], int]
"""From what this gateway has under way at each replica, and a picture's number, to a replica."""

SPILL = 1.25
"""A replica may have so much more than its share of this gateway's work before a picture goes to the next in its order."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is simulated. `load` is the share of all slots that would be busy if nothing were ever read twice."""

    replicas: int = 1000
    gateways: int = 24
    slots: int = 16
    load: float = 0.8
    read_s: float = 0.35
    answer_s: float = 2.65
    pictures: int = 200_000
    zipf: float = 1.1
    remembered: int = 400
    """Pictures that a replica's caches hold."""
    warm_s: float = 6.0
    seconds: float = 12.0


@dataclass(frozen=True, slots=True)
class Report:
    """Seconds of waiting for a slot, the share of pictures that were known where they came, the most work of a replica against the
    mean, and microseconds of this machine for one choice."""

    wait_p50: float
    wait_p99: float
    wait_worst: float
    hits: float
    most: float
    choice_us: float


def random(rng: np.random.Generator, replicas: int) -> Choose:
    drawn = _draws(rng, replicas)
    return lambda counts, picture: next(drawn)


def least(rng: np.random.Generator, replicas: int) -> Choose:
    def choose(counts: Counts, picture: int) -> int:
        lowest = np.flatnonzero(counts == counts.min())
        return int(lowest[picture * 2654435761 % len(lowest)])

    return choose


def two(rng: np.random.Generator, replicas: int) -> Choose:
    drawn = _draws(rng, replicas)

    def choose(counts: Counts, picture: int) -> int:
        one, other = next(drawn), next(drawn)
        return one if counts[one] <= counts[other] else other

    return choose


def affinity(rng: np.random.Generator, replicas: int) -> Choose:
    salts = rng.integers(0, 2**63, replicas, dtype=np.uint64) | np.uint64(1)

    def choose(counts: Counts, picture: int) -> int:
        mixed = (salts ^ np.uint64(picture)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        most = max(1.0, SPILL * (counts.sum() + 1) / len(counts))
        free = counts + 1 <= np.ceil(most)
        return int(np.argmax(np.where(free, mixed, 0)))

    return choose


def _draws(rng: np.random.Generator, replicas: int) -> Iterator[int]:
    while True:
        yield from rng.integers(0, replicas, 100_000).tolist()


WAYS: dict[str, Callable[[np.random.Generator, int], Choose]] = {
    "at random": random,
    "least of its own": least,
    "better of two": two,
    "by picture": affinity,
}


def simulate(fleet: Fleet, way: Callable[[np.random.Generator, int], Choose], seed: int = 1) -> Report:
    """One way, from an empty fleet; what comes in the first `warm_s` is not counted."""
    rng = np.random.default_rng(seed)
    choose = way(rng, fleet.replicas)
    rate = fleet.load * fleet.replicas * fleet.slots / (fleet.read_s + fleet.answer_s)
    total = int(rate * fleet.seconds)
    arrivals = np.cumsum(rng.exponential(1 / rate, total)).tolist()
    pictures = np.minimum(rng.zipf(fleet.zipf, total), fleet.pictures).tolist()
    gateways = rng.integers(0, fleet.gateways, total).tolist()
    answers = (fleet.answer_s * rng.lognormal(-0.18, 0.6, total)).tolist()
    counts = np.zeros((fleet.gateways, fleet.replicas), np.int32)
    under_way = np.zeros(fleet.replicas, np.int32)
    free = [[0.0] * fleet.slots for _ in range(fleet.replicas)]
    caches: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(fleet.replicas)]
    ending: list[tuple[float, int, int]] = []
    waits, peaks = list[float](), deque[float]()
    hits = seen = 0
    spent = 0.0
    for now, picture, gateway, answer in zip(arrivals, pictures, gateways, answers, strict=True):
        while ending and ending[0][0] <= now:
            _, who, where = heapq.heappop(ending)
            counts[who, where] -= 1
            under_way[where] -= 1
        begun = time.perf_counter()
        place = choose(counts[gateway], picture)
        spent += time.perf_counter() - begun
        counts[gateway, place] += 1
        under_way[place] += 1
        cache = caches[place]
        hit = picture in cache
        cache[picture] = None
        cache.move_to_end(picture)
        if len(cache) > fleet.remembered:
            cache.popitem(last=False)
        start = max(now, free[place][0])
        end = start + answer + (0.0 if hit else fleet.read_s)
        heapq.heapreplace(free[place], end)
        heapq.heappush(ending, (end, gateway, place))
        if now >= fleet.warm_s:
            waits.append(start - now)
            hits += hit
            seen += 1
            if seen % 500 == 0:
                peaks.append(float(under_way.max() / under_way.mean()))
    p50, p99 = np.quantile(waits, [0.5, 0.99])
    return Report(float(p50), float(p99), max(waits), hits / seen, float(np.mean(peaks)), 1e6 * spent / total)
