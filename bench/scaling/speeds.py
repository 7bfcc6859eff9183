"""Replicas of different speed behind one gateway or many, in simulated time: the service's own choosing code, chance, and an ideal.

The ideal sends each question, when it comes, to the replica that will truly have it done first: it knows every length, every speed and
what all gateways have sent. A replica serves `SLOTS` questions at a time, in order. Gateways learn speeds from what ends, and hear what a
replica has to do every `REPORT_S`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from sightline.backends.balance import Balance, Load, Scales, Work

SPEEDS = (1.0, 1.5, 2.0, 4.0)
SLOTS = 4
BASE = 120.0
"""Tokens/s of a slot at speed 1."""
REPORT_S = 1.0
WARM_S = 10.0
MEAN = 60
"""Tokens of an answer, on average."""


@dataclass(frozen=True, slots=True)
class Question:
    """`price` is what the gateway knows of its length, `tokens` what it truly takes."""

    at: float
    tokens: int
    price: int
    gateway: int


class Now:
    """The simulated time, as the service's clock."""

    seconds = 0.0

    def now(self) -> float:
        return self.seconds


def questions(seconds: float, seed: int, share: float, gateways: int = 1, *, known: bool = True) -> list[Question]:
    """A Poisson stream that keeps the replicas busy for that share. Lengths are told, or only the longest is."""
    draw = Random(seed)
    rate = share * sum(SPEEDS) * SLOTS * BASE / MEAN
    at, found = 0.0, list[Question]()
    while (at := at + draw.expovariate(rate)) < seconds:
        tokens = draw.randint(20, 100) if known else max(1, round(MEAN * draw.lognormvariate(-0.18, 0.6)))
        found.append(Question(at, tokens, tokens if known else 512, draw.randrange(gateways)))
    return found


def ideal(work: Sequence[Question]) -> list[float]:
    """Times of a balancer that knows everything."""
    free = [[0.0] * SLOTS for _ in SPEEDS]
    times: list[float] = []
    for question in work:
        ends = [max(question.at, slots[0]) + question.tokens / BASE / speed for slots, speed in zip(free, SPEEDS, strict=True)]
        best = min(range(len(SPEEDS)), key=ends.__getitem__)
        heapq.heapreplace(free[best], ends[best])
        times.append(ends[best] - question.at)
    return times


class Gateway:
    """One gateway's knowledge, and its choice."""

    def __init__(self, clock: Now, seed: int) -> None:
        self.scales = Scales(Balance(slow_start_s=0), clock, Random(seed))
        self.loads = [Load(f"replica {number}", clock) for number in range(len(SPEEDS))]


def simulate(work: Sequence[Question], way: Literal["shipped", "random"], gateways: int = 1, seed: int = 0) -> list[float]:
    """Times of the answers."""
    clock, draw = Now(), Random(seed)
    known = [Gateway(clock, seed * 1000 + number) for number in range(gateways)]
    free = [[0.0] * SLOTS for _ in SPEEDS]
    under_way = [0] * len(SPEEDS)
    times: list[float] = []
    ending: list[tuple[float, int, int, int, Work]] = []
    reports = [(REPORT_S * draw.random(), number, place) for number in range(gateways) for place in range(len(SPEEDS))]
    heapq.heapify(reports)
    for number, question in enumerate(work):
        while (now := min(reports[0][0], ending[0][0] if ending else question.at)) < question.at:
            clock.seconds = now
            if reports[0][0] == now:
                _, who, place = reports[0]
                known[who].loads[place].report(under_way[place])
                heapq.heapreplace(reports, (now + REPORT_S, who, place))
            else:
                _, _, who, place, done = heapq.heappop(ending)
                under_way[place] -= 1
                known[who].scales.learn(known[who].loads[place], done)
        clock.seconds = question.at
        gateway = known[question.gateway]
        if way == "random":
            place = draw.randrange(len(SPEEDS))
        else:
            place = gateway.loads.index(gateway.scales.choose(question.price, None, gateway.loads))
        begun = gateway.scales.begin(gateway.loads[place], question.price)
        under_way[place] += 1
        end = max(question.at, free[place][0]) + question.tokens / BASE / SPEEDS[place]
        heapq.heapreplace(free[place], end)
        heapq.heappush(ending, (end, number, question.gateway, place, begun))
        times.append(end - question.at)
    return times
