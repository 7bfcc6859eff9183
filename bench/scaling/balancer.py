"""How to choose among many replicas: simulated, with gateways that know only of their own work.

Every gateway counts what it has under way at each replica; of the others' work it knows what replicas report, where it listens. Ways to
choose: at random; the least of its own counts (ties at random); the better of two drawn at random; the replica that the picture's hash
prefers (rendezvous), unless it has a quarter more than its share here, then the next in its order. `of its part`: a gateway speaks to a
part of the replicas alone, every replica standing in as many parts as any other. A replica serves `slots` calls at a time, in order; one
that was shown the same picture lately answers sooner by the time of reading it.
"""

from __future__ import annotations

import heapq
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.backends.balance import Balance, Load, Scales, Work

Counts = NDArray[np.int32]
Choose = Callable[[Counts, int], int]
"""From what this gateway has under way at each replica that it speaks to, and a picture's number, to one of them."""
Way = Callable[[np.random.Generator, NDArray[np.int64], "Now"], Choose]

SPILL = 1.25
"""A replica may have so much more than its share of this gateway's work before a picture goes to the next in its order."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is simulated. `load` is the share of all slots that would be busy if nothing were ever read twice."""

    replicas: int = 1000
    gateways: int = 24
    slots: int = 4
    load: float = 0.8
    read_s: float = 0.35
    answer_s: float = 2.65
    again: float = 0.4
    """The share of calls about a picture that was asked about before: one of the last 20 for each replica."""
    hot: float = 0.0
    """The share of calls about one and the same picture."""
    remembered: int = 400
    """Pictures that a replica's caches hold."""
    warm_s: float = 20.0
    seconds: float = 60.0
    report_s: float = 1.0
    """How often a server tells a gateway what it has to do; 0 where it never does."""


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


class Now:
    """The simulated time, as the service's clock."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds


def random(rng: np.random.Generator, part: NDArray[np.int64], clock: Now) -> Choose:
    drawn = _draws(rng, len(part))
    return lambda counts, picture: next(drawn)


def least(rng: np.random.Generator, part: NDArray[np.int64], clock: Now) -> Choose:
    drawn = _draws(rng, 1 << 30)

    def choose(counts: Counts, picture: int) -> int:
        lowest = np.flatnonzero(counts == counts.min())
        return int(lowest[next(drawn) % len(lowest)])

    return choose


def two(rng: np.random.Generator, part: NDArray[np.int64], clock: Now) -> Choose:
    drawn = _draws(rng, len(part))

    def choose(counts: Counts, picture: int) -> int:
        one, other = next(drawn), next(drawn)
        return one if counts[one] <= counts[other] else other

    return choose


def affinity(rng: np.random.Generator, part: NDArray[np.int64], clock: Now) -> Choose:
    # The same for all gateways: wherever a picture comes, it prefers the same replicas in the same order.
    salts = np.random.default_rng(7).integers(0, 2**63, 1 << 16, dtype=np.uint64)[part] | np.uint64(1)

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


class Shipped:
    """The service's own choosing code (`sightline.backends.balance`). It learns from what ends, as in the service, and servers report
    what they have to do every `Fleet.report_s`."""

    affinity = True

    def __init__(self, rng: np.random.Generator, part: NDArray[np.int64], clock: Now) -> None:
        self._scales = Scales(Balance(affinity=self.affinity, slow_start_s=0), clock, Random(int(rng.integers(1 << 30))))
        self.loads = [Load(f"http://10.0.{number >> 8}.{number & 255}:8000", clock) for number in part.tolist()]
        self._index = {id(load): number for number, load in enumerate(self.loads)}
        self.begun: tuple[int, Work] | None = None
        """The generation that began last, and where."""

    def __call__(self, counts: Counts, picture: int) -> int:
        chosen = self._scales.choose(PRICE, f"{picture:064x}", self.loads)
        number = self._index[id(chosen)]
        self.begun = number, self._scales.begin(chosen, PRICE)
        return number

    def ended(self, begun: tuple[int, Work]) -> None:
        self._scales.learn(self.loads[begun[0]], begun[1])


class Strangers(Shipped):
    """The same without regard for pictures."""

    affinity = False


PRICE = 1500
PART = 100
WAYS: dict[str, tuple[Way, bool]] = {
    "at random": (random, False),
    "better of two": (two, False),
    "least of its own": (least, False),
    "least of its part": (least, True),
    "by picture": (affinity, False),
    "by picture, its part": (affinity, True),
    "shipped": (Shipped, False),
    "shipped, its part": (Shipped, True),
    "shipped, no pictures": (Strangers, False),
}
"""Each way, and whether a gateway keeps to its part."""


def _asked(fleet: Fleet, total: int, rng: np.random.Generator) -> list[int]:
    """Numbers of pictures: new ones; for a share of the calls, one of those before; and one that everybody asks about."""
    pictures = np.arange(1, total + 1)
    again = rng.random(total) < fleet.again
    back = rng.integers(1, 20 * fleet.replicas, total)
    for number in np.flatnonzero(again):
        if back[number] <= number:
            pictures[number] = pictures[number - back[number]]
    pictures[rng.random(total) < fleet.hot] = 0
    return pictures.tolist()


def _parts(fleet: Fleet, apart: bool) -> list[NDArray[np.int64]]:
    """The replicas that each gateway speaks to: neighbours on a ring, so that all are in as many parts."""
    everything = np.arange(fleet.replicas)
    if not apart or fleet.replicas <= PART:
        return [everything] * fleet.gateways
    size = max(PART, math.ceil(fleet.replicas / fleet.gateways))
    return [(everything[:size] + fleet.replicas * gateway // fleet.gateways) % fleet.replicas for gateway in range(fleet.gateways)]


class _World:
    """The replicas, and what the gateways have under way there."""

    def __init__(self, fleet: Fleet, way: Way, parts: list[NDArray[np.int64]], seed: int) -> None:
        self.clock = Now()
        self.chooses: list[Any] = [way(np.random.default_rng([seed, gateway]), part, self.clock) for gateway, part in enumerate(parts)]
        self.counts = [np.zeros(len(part), np.int32) for part in parts]
        self.under_way = np.zeros(fleet.replicas, np.int32)
        self._fleet = fleet
        self._parts = parts
        self._free = [[0.0] * fleet.slots for _ in range(fleet.replicas)]
        self._caches: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(fleet.replicas)]
        self._ending: list[tuple[float, int, int, int, Any]] = []
        self._reports = self._first_reports(np.random.default_rng([seed, 77])) if fleet.report_s else []

    def _first_reports(self, rng: np.random.Generator) -> list[tuple[float, int, int]]:
        """When the replicas report first, to those who listen; each at a moment of its own."""
        listening = [(who, where) for who, choose in enumerate(self.chooses) for where in range(len(getattr(choose, "loads", ())))]
        moments = (self._fleet.report_s * rng.random(len(listening))).tolist()
        found = [(at, who, where) for at, (who, where) in zip(moments, listening, strict=True)]
        heapq.heapify(found)
        return found

    def pass_to(self, now: float) -> None:
        """What happens up to then: generations end, replicas report."""
        while True:
            ends = self._ending[0][0] if self._ending else math.inf
            asked = self._reports[0][0] if self._reports else math.inf
            if min(ends, asked) > now:
                self.clock.seconds = now
                return
            if ends <= asked:
                self.clock.seconds, _, who, where, begun = heapq.heappop(self._ending)
                if begun:
                    self.chooses[who].ended(begun)
                self.counts[who][where] -= 1
                self.under_way[self._parts[who][where]] -= 1
            else:
                self.clock.seconds, who, where = self._reports[0]
                self.chooses[who].loads[where].report(float(self.under_way[self._parts[who][where]]))
                heapq.heapreplace(self._reports, (self.clock.seconds + self._fleet.report_s, who, where))

    def serve(self, number: int, gateway: int, chosen: int, picture: int, answer: float) -> tuple[float, bool]:
        """A call goes to a replica: the seconds that it waits, and whether its picture is known there."""
        now, fleet = self.clock.seconds, self._fleet
        place = int(self._parts[gateway][chosen])
        self.counts[gateway][chosen] += 1
        self.under_way[place] += 1
        cache = self._caches[place]
        hit = picture in cache
        cache[picture] = None
        cache.move_to_end(picture)
        if len(cache) > fleet.remembered:
            cache.popitem(last=False)
        start = max(now, self._free[place][0])
        end = start + answer + (0.0 if hit else fleet.read_s)
        heapq.heapreplace(self._free[place], end)
        heapq.heappush(self._ending, (end, number, gateway, chosen, getattr(self.chooses[gateway], "begun", None)))
        return start - now, hit


def simulate(fleet: Fleet, way: Way, apart: bool = False, seed: int = 1) -> Report:
    """One way, from an empty fleet; what comes in the first `warm_s` is not counted."""
    rng = np.random.default_rng(seed)
    world = _World(fleet, way, _parts(fleet, apart), seed)
    rate = fleet.load * fleet.replicas * fleet.slots / (fleet.read_s + fleet.answer_s)
    total = int(rate * fleet.seconds)
    arrivals = np.cumsum(rng.exponential(1 / rate, total)).tolist()
    pictures = _asked(fleet, total, rng)
    gateways = rng.integers(0, fleet.gateways, total).tolist()
    answers = (fleet.answer_s * rng.lognormal(-0.18, 0.6, total)).tolist()
    waits, peaks = list[float](), deque[float]()
    hits = 0
    spent = 0.0
    for number, (now, picture, gateway, answer) in enumerate(zip(arrivals, pictures, gateways, answers, strict=True)):
        world.pass_to(now)
        begun = time.thread_time()
        chosen = world.chooses[gateway](world.counts[gateway], picture)
        spent += time.thread_time() - begun
        waited, hit = world.serve(number, gateway, chosen, picture, answer)
        if now >= fleet.warm_s:
            waits.append(waited)
            hits += hit
            if len(waits) % 500 == 0:
                peaks.append(float(world.under_way.max() / world.under_way.mean()))
    p50, p99 = np.quantile(waits, [0.5, 0.99])
    return Report(float(p50), float(p99), max(waits), hits / len(waits), float(np.mean(peaks)), 1e6 * spent / total)
