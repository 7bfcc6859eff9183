"""A lane of the gateway in front of a pool that an autoscaler grows and shrinks, call by call.

What is modelled: the lane's order (first come, first served), its slots (those of every ready replica), its waiting room, its refusals
(full; or the wait would outlast the caller's time) and its predicted wait, by the formulas of `sightline.service.lanes`; replicas that
take minutes to load; a scrape that is a few seconds old. What is not: that a slot gets slower when its neighbours are busy (speeds are
those of a busy replica), that gateways share the slots unevenly, and the gateway's own milliseconds.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .hpa import SYNC_SECONDS, Autoscaler, AverageValue, Settings, Value
from .traces import Trace, Workload

STEP = 5.0
"""Seconds between two looks: a replica that is ready takes part at the next (a resolver's answer is about as old)."""
LAG = 2
"""Steps by which what the autoscaler sees is old: a scrape every 7 s, and Prometheus' own evaluation."""
DRAIN = 120.0
"""Seconds for which a replica that was let go still holds its card."""
_FIRST_GUESS = 0.001
_WEIGHT = 0.2


@dataclass(frozen=True, slots=True)
class Scaling:
    """What the chart's values choose for a lane: the autoscaler, and the two targets."""

    settings: Settings
    tokens: int
    wait: float


@dataclass(slots=True)
class Outcome:
    """A trace, served."""

    first: list[float] = field(default_factory=list[float])
    """Seconds to the first token, of calls that were admitted."""
    at: list[float] = field(default_factory=list[float])
    """When each of those came."""
    refused: int = 0
    gpu_seconds: float = 0.0
    seconds: float = 0.0
    changes: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """When the count of replicas was changed, and by how many."""
    watched: list[tuple[float, int, int, int, int, float]] = field(default_factory=list[tuple[float, int, int, int, int, float]])
    """At every step: time, replicas, ready, waiting tokens, running tokens, predicted wait."""

    def late(self, slo: float) -> float:
        """The share of calls that were refused, or had to wait longer than that for a first token."""
        return (self.refused + sum(each > slo for each in self.first)) / max(1, len(self.first) + self.refused)

    def p(self, share: float) -> float:
        return float(np.quantile(self.first, share)) if self.first else float("nan")

    def flaps(self, within: float = 600.0) -> int:
        """How often the direction changed within the longest time that a replica takes to load: one let go that was wanted back
        before it could have come again, or one asked for that was let go before it could be of use."""
        pairs = itertools.pairwise(self.changes)
        return sum(1 for (before, one), (after, two) in pairs if one * two < 0 and after - before <= within)


def loading(seed: int) -> Callable[[], float]:
    """Seconds from wanting a replica to having it: 2 to 10 minutes, most often 4."""
    rng = np.random.default_rng(seed)
    return lambda: float(rng.triangular(120, 240, 600))


class Pool:
    """The lane and its replicas, advanced in steps."""

    def __init__(self, load: Workload, trace: Trace, replicas: int, load_time: Callable[[], float]) -> None:
        self._load = load
        self._trace = trace
        self._load_time = load_time
        self._next = 0
        self._busy: list[tuple[float, int, float]] = []
        self._queue: deque[int] = deque()
        self._coming: list[float] = []
        self._token_seconds = _FIRST_GUESS
        self.ready = replicas
        self.waiting_tokens = 0
        self.running_tokens = 0
        self.outcome = Outcome(seconds=trace.seconds)

    @property
    def replicas(self) -> int:
        """Those that are ready and those that load."""
        return self.ready + len(self._coming)

    def predicted_wait(self) -> float:
        """See `sightline.service.lanes.Lane.predicted_wait`."""
        slots = self.ready * self._load.slots
        if len(self._busy) + len(self._queue) < slots:
            return 0.0
        return (self.waiting_tokens + self.running_tokens / 2) * self._token_seconds / slots

    def scale(self, now: float, replicas: int) -> None:
        """Asks for more, or lets go: first those that still load, then ready ones, which finish what they have begun."""
        change = replicas - self.replicas
        if change:
            self.outcome.changes.append((now, change))
        for _ in range(change):
            self._coming.append(now + self._load_time())
        self._coming.sort()
        for _ in range(-change):
            if self._coming:
                self._coming.pop()
            else:
                self.ready -= 1
                self.outcome.gpu_seconds += DRAIN

    def advance(self, until: float) -> None:
        """Lives on to this time."""
        self.outcome.gpu_seconds += STEP * self.replicas
        while self._coming and self._coming[0] <= until - STEP:
            self._coming.pop(0)
            self.ready += 1
        self._fill(until - STEP)
        at, price, load = self._trace.at, self._trace.price, self._load
        slots = self.ready * load.slots
        number, count = self._next, len(at)
        while number < count and at[number] < until:
            now = at[number]
            self._finish(now)
            cost = price[number]
            if len(self._busy) < slots and not self._queue:
                self._start(number, now)
            elif len(self._queue) >= load.waiting:
                self.outcome.refused += 1
            else:
                wait = (self.waiting_tokens + self.running_tokens / 2) * self._token_seconds / slots
                if wait + cost * self._token_seconds > load.timeout:
                    self.outcome.refused += 1
                else:
                    self._queue.append(number)
                    self.waiting_tokens += cost
            number += 1
        self._next = number
        self._finish(until)

    def _start(self, number: int, now: float) -> None:
        trace = self._trace
        cost, held = trace.price[number], trace.held[number]
        heapq.heappush(self._busy, (now + held, cost, held))
        self.running_tokens += cost
        self.outcome.at.append(trace.at[number])
        self.outcome.first.append(now - trace.at[number] + trace.first[number])

    def _finish(self, until: float) -> None:
        busy = self._busy
        while busy and busy[0][0] <= until:
            ended, cost, held = heapq.heappop(busy)
            self.running_tokens -= cost
            self._token_seconds += _WEIGHT * (held / cost - self._token_seconds)
            if self._queue:
                self._fill(ended)

    def _fill(self, now: float) -> None:
        slots = self.ready * self._load.slots
        while self._queue and len(self._busy) < slots:
            number = self._queue.popleft()
            self.waiting_tokens -= self._trace.price[number]
            self._start(number, now)


def simulate(load: Workload, trace: Trace, scaling: Scaling, *, seed: int = 1, start: int | None = None) -> Outcome:
    """A trace against a pool under an autoscaler. It begins with as many replicas as the first quarter of an hour needs."""
    early = sum(held for at, held in zip(trace.at, trace.held, strict=True) if at < 900)
    need = early / 900 / load.slots * load_price(load) * load.slots / scaling.tokens
    begin = min(max(scaling.settings.least, start or int(np.ceil(need))), scaling.settings.most)
    pool = Pool(load, trace, begin, loading(seed))
    scaler = Autoscaler(scaling.settings)
    seen: deque[tuple[int, float]] = deque([(0, 0.0)], maxlen=LAG + 1)
    steps = int(trace.seconds / STEP)
    every = round(SYNC_SECONDS / STEP)
    for step in range(1, steps + 1):
        now = step * STEP
        pool.advance(now)
        wait = pool.predicted_wait()
        pool.outcome.watched.append((now, pool.replicas, pool.ready, pool.waiting_tokens, pool.running_tokens, wait))
        seen.append((pool.waiting_tokens + pool.running_tokens, wait))
        if step % every == 0:
            work, waited = seen[0]
            metrics = [AverageValue(work, scaling.tokens), Value(waited, scaling.wait)]
            pool.scale(now, scaler.sync(now, pool.replicas, pool.ready, metrics))
    return pool.outcome


def load_price(load: Workload) -> float:
    """Mean price of a call, in tokens."""
    return load.parts * (sum(load.shown) / 2 + load.longest)
