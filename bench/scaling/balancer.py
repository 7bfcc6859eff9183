"""How to choose among many replicas: simulated, with gateways that know only of their own work.

Every gateway counts what it has under way at each replica; of the others' work it knows nothing. Ways to choose: at random; the least of
its own counts (ties at random); the better of two drawn at random; the replica that the picture's hash prefers (rendezvous), unless it has
a quarter more than its share here, then the next in its order. `of its part`: a gateway speaks to a part of the replicas alone, every
replica standing in as many parts as any other. A replica serves `slots` calls at a time, in order; one that was shown the same picture
lately answers sooner by the time of reading it.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import math
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from sightline.backends.discovery import Place, static
from sightline.backends.replicas import ReplicaSet

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
    """The share of calls about a picture that was asked about before: one of the last few thousand."""
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
    """The service's own choosing code (`sightline.backends.replicas`): work weighed by the pace that each replica has shown, and the
    replica that knows a picture, unless it is loaded. `ended` lets it learn, as the end of a generation does."""

    def __init__(self, rng: np.random.Generator, part: NDArray[np.int64], clock: Now) -> None:
        places = [Place(f"http://10.{number >> 16}.{number >> 8 & 255}.{number & 255}:8000") for number in part.tolist()]
        self._set = ReplicaSet("pool", static([place.url for place in places]), _Engine, clock)
        asyncio.run(self._begin())
        self._members = list(self._set.members())
        self._index = {id(replica): number for number, replica in enumerate(self._members)}
        self._working: dict[int, deque[contextlib.AbstractContextManager[None]]] = defaultdict(deque)

    async def _begin(self) -> None:
        await self._set._follow()
        for replica in self._set.members():
            replica.look(first=True)

    def __call__(self, counts: Counts, picture: int) -> int:
        prompt = SimpleNamespace(messages=[SimpleNamespace(parts=[SimpleNamespace(digest=f"{picture:064x}")])])
        chosen = self._set._choose(prompt, PRICE, without=None)
        assert chosen is not None
        number = self._index[id(chosen)]
        work = chosen.working(PRICE)
        work.__enter__()
        self._working[number].append(work)
        return number

    def ended(self, number: int) -> None:
        self._working[number].popleft().__exit__(None, None, None)


class _Engine:
    """A server that is always there."""

    info = None

    def __init__(self, name: str, place: Place) -> None:
        self.name = name

    async def start(self) -> None: ...

    def ready(self) -> bool:
        return True


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
}
"""Each way, and whether a gateway keeps to its part."""


def _asked(fleet: Fleet, total: int, rng: np.random.Generator) -> list[int]:
    """Numbers of pictures: new ones, and, for a share of the calls, one of those before."""
    pictures = np.arange(total)
    again = rng.random(total) < fleet.again
    back = rng.integers(1, 20_000, total)
    for number in np.flatnonzero(again):
        pictures[number] = pictures[max(0, number - back[number])]
    return pictures.tolist()


def _parts(fleet: Fleet, apart: bool) -> list[NDArray[np.int64]]:
    """The replicas that each gateway speaks to: neighbours on a ring, so that all are in as many parts."""
    everything = np.arange(fleet.replicas)
    if not apart or fleet.replicas <= PART:
        return [everything] * fleet.gateways
    size = max(PART, math.ceil(fleet.replicas / fleet.gateways))
    return [(everything[:size] + fleet.replicas * gateway // fleet.gateways) % fleet.replicas for gateway in range(fleet.gateways)]


def simulate(fleet: Fleet, way: Way, apart: bool = False, seed: int = 1) -> Report:
    """One way, from an empty fleet; what comes in the first `warm_s` is not counted."""
    rng = np.random.default_rng(seed)
    parts = _parts(fleet, apart)
    clock = Now()
    chooses = [way(np.random.default_rng([seed, gateway]), part, clock) for gateway, part in enumerate(parts)]
    told = [getattr(choose, "ended", None) for choose in chooses]
    rate = fleet.load * fleet.replicas * fleet.slots / (fleet.read_s + fleet.answer_s)
    total = int(rate * fleet.seconds)
    arrivals = np.cumsum(rng.exponential(1 / rate, total)).tolist()
    pictures = _asked(fleet, total, rng)
    gateways = rng.integers(0, fleet.gateways, total).tolist()
    answers = (fleet.answer_s * rng.lognormal(-0.18, 0.6, total)).tolist()
    counts = [np.zeros(len(part), np.int32) for part in parts]
    under_way = np.zeros(fleet.replicas, np.int32)
    free = [[0.0] * fleet.slots for _ in range(fleet.replicas)]
    caches: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(fleet.replicas)]
    ending: list[tuple[float, int, int]] = []
    waits, peaks = list[float](), deque[float]()
    hits = seen = 0
    spent = 0.0
    for now, picture, gateway, answer in zip(arrivals, pictures, gateways, answers, strict=True):
        while ending and ending[0][0] <= now:
            clock.seconds, who, where = heapq.heappop(ending)
            if learn := told[who]:
                learn(where)
            counts[who][where] -= 1
            under_way[parts[who][where]] -= 1
        clock.seconds = now
        begun = time.perf_counter()
        chosen = chooses[gateway](counts[gateway], picture)
        spent += time.perf_counter() - begun
        counts[gateway][chosen] += 1
        place = int(parts[gateway][chosen])
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
        heapq.heappush(ending, (end, gateway, chosen))
        if now >= fleet.warm_s:
            waits.append(start - now)
            hits += hit
            seen += 1
            if seen % 500 == 0:
                peaks.append(float(under_way.max() / under_way.mean()))
    p50, p99 = np.quantile(waits, [0.5, 0.99])
    return Report(float(p50), float(p99), max(waits), hits / seen, float(np.mean(peaks)), 1e6 * spent / total)
