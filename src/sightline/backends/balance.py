"""Which of several servers will have a generation done first: what a gateway knows of each, and the choice between them. No I/O.

A server is taken for one that does `slots` generations at a time at full speed and shares itself among more. From the generations that
end here is learnt how long a priced token takes at each server, and how many slots fit what was seen best. Answers end early or late,
so one of them says little: a server's own pace is believed as far as the differences between servers are larger than those between the
answers of one (an empirical Bayes estimate). A generation that is overdue counts at once, ended or not.

Other gateways' work is what a server reports beyond our own (`Load.report`). Between reports it goes on changing: the calls that others
are expected to have sent since are poured, in thought, over the servers up to one level, and ours goes to a server with the chance that
one of those would have (M. Dahlin, "Interpreting stale load information", 2000). With reports of this moment, or without other gateways,
that is the server which is done first; with very old ones it is chance. So gateways never run all to the same server.

A prompt with pictures goes to the server that has seen its first picture before (rendezvous hashing over the picture's digest), the next
one in the picture's own order where that one would be notably later.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappush, heapreplace, nlargest
from random import Random

from sightline.service.ports import Clock

_MEMORY = 24
"""Generations after which an older one counts for a third."""
_SLOTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_FIRST_SLOTS = 4
_MANY = 16
"""Of more servers than this, so many drawn at random are compared."""
_HOMES = 3
"""Of more servers than that, so many of a picture's own order are looked at."""
_LITTLE = 1.1
"""How many times longer than elsewhere a prompt may take on a server that knows its picture and where it has to wait."""
_NOTABLE_S = 0.02
"""What is later by less is not later."""
_COMPANY = 0.1
"""What a server's full company costs a generation that has a slot all the same."""
_SPREAD = 0.5
"""The spread of the logarithm of paces before anything is known."""
_FIRST = 8
"""Observations that what is assumed at first is worth."""
_WISHES_S = 5.0
"""Over so long it is counted how often pictures have their home at a server."""
_FEW = 4
"""With fewer gateways than this, the server that is done first by the last reports is the best (measured: bench/balancer.py)."""
_SURE = 0.05
"""With fewer calls of other gateways than this since their last reports, the servers are as the reports say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How work is shared. `loaded` is how many times longer than elsewhere a prompt may take on a server that knows its picture and
    has a slot for it.

    `slots` is what a server does at a time without slowing down, where the operator knows. `report_s` is how often servers are asked
    what they have to do. Where no token has come after `hedge_s`, another server is asked as well.
    """

    affinity: bool = True
    loaded: float = 1.5
    slots: int | None = None
    slow_start_s: float = 10.0
    report_s: float = 1.0
    discover_s: float = 5.0
    drain_s: float = 60.0
    hedge_s: float | None = None


class Work:
    """A generation under way."""

    __slots__ = ("area", "begun", "price", "started")

    def __init__(self, price: int, begun: float, area: float, *, waits: bool) -> None:
        self.price = price
        self.begun = begun
        self.area = area
        self.started = None if waits else begun
        """When it got a slot, if slots are given in order."""


class Load:
    """What a gateway knows of one server. `name` gives it its pictures."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.salt = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
        self.works: dict[Work, None] = {}
        """Ours, the oldest first."""
        self.outstanding = 0
        """Their priced tokens."""
        self.others = 0.0
        """Generations of other gateways, by the last report."""
        self.reported = -math.inf
        self.seen = 0
        """Generations that ended here, up to `_MEMORY`."""
        self.odd = 0
        """Of them, how many of the last were far from what was expected."""
        self.means: list[float] = []
        """Logarithm of the seconds of a priced token, for each number of slots that it may have."""
        self.since = -math.inf
        """When it came up, beside others that were there already."""
        self._clock = clock
        self._wanted = 0.0
        self._wished = 0.0
        self._area = 0.0
        self._at = clock.now()

    @property
    def running(self) -> int:
        """Generations of ours."""
        return len(self.works)

    def begin(self, price: int, slots: int) -> Work:
        """Counts a generation, at a server that does so many at a time."""
        self._pass()
        work = Work(price, self._at, self._area, waits=len(self.works) + self.others >= slots)
        self.works[work] = None
        self.outstanding += price
        return work

    def end(self, work: Work) -> tuple[float, float]:
        """Counts it no longer. Its seconds, and how many there were at a time meanwhile."""
        self._pass()
        del self.works[work]
        self.outstanding -= work.price
        next_one = next((other for other in self.works if other.started is None), None)
        if next_one is not None:
            next_one.started = self._at
        held = max(1e-6, self._at - work.begun)
        return held, max(1.0, (self._area - work.area) / held)

    def report(self, generations: float) -> None:
        """The server says how many it has under way and waiting, ours among them."""
        self._pass()
        self.others = max(0.0, generations - len(self.works))
        self.reported = self._at

    def want(self, now: float) -> float:
        """Notes that a picture has its home here. How many do in a second, about."""
        self._wanted = 1 + self._wanted * math.exp((self._wished - now) / _WISHES_S)
        self._wished = now
        return self._wanted / _WISHES_S

    def _pass(self) -> None:
        now = self._clock.now()
        self._area += (len(self.works) + self.others) * (now - self._at)
        self._at = now


class Scales:
    """The choice between servers. `random` draws among equals; everything else follows from what `Load`s say."""

    def __init__(self, balance: Balance, clock: Clock, random: Random) -> None:
        self._balance = balance
        self._clock = clock
        self._random = random
        self._grid = (balance.slots,) if balance.slots else _SLOTS
        self._fit = self._grid.index(min(self._grid, key=lambda slots: abs(slots - _FIRST_SLOTS)))
        self._noise = [_SPREAD**2] * len(self._grid)
        """Variance of a server's observations about its own mean, for each number of slots."""
        self._seen = self._repeated = 0
        self._price = 0.0
        self._held = 0.0
        """Of a generation on average."""
        self._usual, self._apart = 0.0, _SPREAD**2
        """Mean and variance of what servers are, in the logarithm."""
        self._news = 0
        self._ours = self._all = 0.0
        """Generations under way where we look, on average."""

    @property
    def slots(self) -> int:
        """How many generations a server does at a time without slowing down, as far as is known."""
        return self._grid[self._fit]

    def pace(self, load: Load) -> float:
        """Seconds that a priced token takes at a server where nothing waits; 1 where nothing is known of any."""
        if not self._seen:
            return 1.0
        if not load.seen:
            return math.exp(self._usual)
        sure, common = load.seen / max(1e-6, self._noise[self._fit]), 1 / self._apart
        return math.exp((sure * load.means[self._fit] + common * self._usual) / (sure + common))

    def begin(self, load: Load, price: int) -> Work:
        """A generation of this price begins at a server."""
        return load.begin(price, self.slots)

    def learn(self, load: Load, work: Work) -> None:
        """A generation has ended well."""
        held, company = load.end(work)
        told = math.log(held / work.price)
        seen = [told - math.log(max(1.0, company / slots)) for slots in self._grid]
        if not load.seen:
            load.means = seen
        else:
            off = seen[self._fit] - load.means[self._fit]
            noise = self._noise[self._fit]
            # One answer may end at once; two in a row that are far off say that something has happened, and what was known hardly matters.
            load.odd = load.odd + 1 if self._seen >= _MEMORY and abs(off) > 4 * math.sqrt(noise) + 0.3 else 0
            jumped = load.odd > 1
            weight = 0.5 if jumped else 1 / (min(load.seen, _MEMORY) + 1)
            if not jumped:
                share = 1 / min(self._repeated + _FIRST, 8 * _MEMORY)
                self._repeated += 1
                for index, (value, mean) in enumerate(zip(seen, load.means, strict=True)):
                    self._noise[index] += share * ((value - mean) ** 2 * load.seen / (load.seen + 1) - self._noise[index])
            load.means = [mean + weight * (value - mean) for value, mean in zip(seen, load.means, strict=True)]
            best = min(range(len(self._grid)), key=self._noise.__getitem__)
            if self._seen >= _MEMORY and self._noise[best] < 0.85 * self._noise[self._fit]:
                self._fit = best
        load.seen = min(load.seen + 1, _MEMORY)
        self._seen += 1
        share = 1 / min(self._seen, 8 * _MEMORY)
        self._price += share * (work.price - self._price)
        self._held += share * (held - self._held)
        self._news += 1

    def choose(self, price: int, picture: str | None, loads: Sequence[Load]) -> Load:
        """Where a generation of this price, whose first picture has this digest, is done first. There is at least one."""
        self._compare(loads)
        home = self._homes(picture, loads) if picture is not None and self._balance.affinity else []
        drawn = loads
        if len(loads) > _MANY:
            drawn = list({id(load): load for load in (*self._random.sample(loads, _MANY), *home)}.values())
        now = self._clock.now()
        expected = self._expected(drawn, now)
        gateways = self._gateways(drawn)
        finishes = {id(load): self._finish(load, price, now) for load in drawn}
        soonest = min(finishes.values())
        for load in home:
            most = self._balance.loaded if load.running + load.others < self.slots else _LITTLE
            if finishes[id(load)] <= max(most * soonest, soonest + _NOTABLE_S) and self._has_room(load, gateways, now):
                return load
        # Between few gateways, each one's own counts are much of the truth and keep them apart by themselves.
        if expected < _SURE or gateways < _FEW:
            return self._random.choice([load for load in drawn if finishes[id(load)] <= soonest * 1.001])
        return self._pour(drawn, [finishes[id(load)] for load in drawn], expected)

    def _expected(self, loads: Sequence[Load], now: float) -> float:
        """Calls that other gateways have sent since the reports, if they send as many as they have ended."""
        if not self._held:
            return 0.0
        return sum(load.others * (now - load.reported) for load in loads if load.others) / self._held

    def _gateways(self, loads: Sequence[Load]) -> float:
        """How many times our own work all of the work is."""
        ours, all_ = sum(load.running for load in loads), sum(load.running + load.others for load in loads)
        share = 1 / 16
        self._ours += share * (ours - self._ours)
        self._all += share * (all_ - self._all)
        return max(1.0, self._all / max(1e-3, self._ours))

    def _has_room(self, load: Load, gateways: float, now: float) -> bool:
        """Whether a picture goes to a server that knows it although other gateways may have sent as many since it has reported: only as
        many of them do as the server has room for."""
        wanted = load.want(now)
        coming = (gateways - 1) * wanted * (now - load.reported) if load.others else 0.0
        if coming < _SURE:
            return True
        return self._random.random() * coming < max(1.0, self.slots - load.running - load.others)

    def _pour(self, loads: Sequence[Load], depths: Sequence[float], expected: float) -> Load:
        """Draws a server with the chance that one of the expected calls would go to it."""
        steps = [self._price * self.pace(load) / self.slots for load in loads]
        order = sorted(range(len(loads)), key=depths.__getitem__)
        room, above, level = 0.0, 0.0, 0.0
        for place, index in enumerate(order):
            room += 1 / steps[index]
            above += depths[index] / steps[index]
            level = (expected + 1 + above) / room
            if place + 1 == len(order) or level <= depths[order[place + 1]]:
                break
        chances = [max(0.0, level - depth) / step for depth, step in zip(depths, steps, strict=True)]
        return self._random.choices(loads, chances)[0]

    def _finish(self, load: Load, price: int, now: float) -> float:
        """Seconds until a generation that came now would be done."""
        pace, slots = self.pace(load), self.slots
        under_way = load.running + load.others
        pace *= self._overdue(load, pace, now)
        wait = 0.0
        if under_way >= slots:
            wait = self._turn(load, pace, now) if load.others < 1 else (under_way + 1 - slots) / slots * self._price * pace
        company = 1 + _COMPANY * under_way / slots
        ramp = 1.0
        if self._balance.slow_start_s:
            ramp = min(1.0, max(0.1, (now - load.since) / self._balance.slow_start_s))
        return (wait + price * pace * company) / ramp

    def _turn(self, load: Load, pace: float, now: float) -> float:
        """Seconds until a slot is free where all the work is ours: each generation takes the slot that is free first."""
        # What should be done by now will be, in a while; nobody knows when.
        late = now + 0.1 * self._price * pace
        free: list[float] = []
        for work in load.works:
            if len(free) < self.slots:
                heappush(free, max(late, (now if work.started is None else work.started) + work.price * pace))
            else:
                heapreplace(free, free[0] + work.price * pace)
        return free[0] - now

    def _overdue(self, load: Load, pace: float, now: float) -> float:
        """How many times slower than it was the server must be by now, since its oldest generation has not ended."""
        oldest = next(iter(load.works), None)
        if oldest is None or not self._seen:
            return 1.0
        usual = oldest.price * pace * max(1.0, (load.running + load.others) / self.slots)
        return max(1.0, (now - oldest.begun) / (usual * 1.5 * math.exp(2 * math.sqrt(self._noise[self._fit]))))

    def _compare(self, loads: Sequence[Load]) -> None:
        """What servers are like on average, and how different they are from each other."""
        if self._news * 8 < len(loads) or not self._news:
            return
        self._news = 0
        noise = self._noise[self._fit]
        known = [(load.seen, load.means[self._fit]) for load in loads if load.seen]
        if not known:
            return
        total = sum(seen for seen, _ in known)
        self._usual = sum(seen * mean for seen, mean in known) / total
        if len(known) > 1:
            spread = sum(seen * ((mean - self._usual) ** 2 - noise / seen) for seen, mean in known) / total
            self._apart = max(1e-4, spread)

    def _homes(self, picture: str, loads: Sequence[Load]) -> list[Load]:
        """Servers in a picture's own order: only the pictures of one that is gone move."""
        key = int.from_bytes(hashlib.blake2b(picture.encode(), digest_size=8).digest())
        ranked = nlargest(
            min(len(loads), _HOMES if len(loads) > _MANY else len(loads)),
            ((_mix(key ^ load.salt), index) for index, load in enumerate(loads)),
        )
        return [loads[index] for _, index in ranked]


def _mix(value: int) -> int:
    """64 bits that look like chance, the same for all gateways."""
    value = value * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    value = (value ^ value >> 29) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return value ^ value >> 32
