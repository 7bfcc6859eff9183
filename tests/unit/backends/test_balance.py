"""The choice between servers, in simulated time: what is learnt, what is not believed, and many gateways at once."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from sightline.backends.balance import Balance, Load, Scales, Work


class Now:
    """The service's clock, moved by hand."""

    seconds = 0.0

    def now(self) -> float:
        return self.seconds


class Gateway:
    """What one gateway knows of some servers, and what it sends them."""

    def __init__(self, clock: Now, servers: int, seed: int = 1, balance: Balance | None = None) -> None:
        self.scales = Scales(balance or Balance(slow_start_s=0), clock, Random(seed))
        self.loads = [Load(f"server {number}", clock) for number in range(servers)]

    def send(self, price: int, picture: str | None = None) -> tuple[int, Work]:
        load = self.scales.choose(price, picture, self.loads)
        return self.loads.index(load), self.scales.begin(load, price)


def teach(gateway: Gateway, clock: Now, seconds: Sequence[Sequence[float]], price: int = 100) -> None:
    """Generations one after another, of so many seconds at each server."""
    for load, each in zip(gateway.loads, seconds, strict=True):
        for held in each:
            work = gateway.scales.begin(load, price)
            clock.seconds += held
            gateway.scales.learn(load, work)


def test_short_answers_do_not_make_a_server_fast() -> None:
    clock, draw = Now(), Random(3)
    gateway = Gateway(clock, 8)
    teach(gateway, clock, [[draw.lognormvariate(0, 0.7) for _ in range(12)] for _ in range(8)])
    before = gateway.scales.pace(gateway.loads[0])
    teach(gateway, clock, [[0.02], [], [], [], [], [], [], []])
    assert before / 1.3 < gateway.scales.pace(gateway.loads[0]) < before


def test_servers_of_different_speed_are_told_apart() -> None:
    clock, draw = Now(), Random(3)
    gateway = Gateway(clock, 4)
    teach(gateway, clock, [[draw.lognormvariate(0, 0.5) / speed for _ in range(30)] for speed in (1, 1.5, 2, 4)])
    paces = [gateway.scales.pace(load) for load in gateway.loads]
    assert paces == sorted(paces, reverse=True)
    assert 2.5 < paces[0] / paces[3] < 6


def test_a_server_that_became_slow_is_left_before_it_has_ended_anything() -> None:
    clock = Now()
    gateway = Gateway(clock, 2)
    teach(gateway, clock, [[1.0] * 30, [1.0] * 30])
    gateway.scales.begin(gateway.loads[0], 100)
    clock.seconds += 60
    assert {gateway.send(100)[0] for _ in range(3)} == {1}


def test_what_others_do_there_counts() -> None:
    clock = Now()
    gateway = Gateway(clock, 3)
    teach(gateway, clock, [[1.0] * 10] * 3)
    for load, generations in zip(gateway.loads, (9, 2, 9), strict=True):
        load.report(generations)
    assert gateway.send(100)[0] == 1
    # Our own are among those that are reported.
    gateway.loads[1].report(1)
    assert (gateway.loads[1].running, gateway.loads[1].others) == (1, 0)


@pytest.mark.parametrize("slots", [2, 32], ids=["few", "many"])
def test_how_much_a_server_does_at_a_time_is_learnt(slots: int) -> None:
    """Servers that share themselves among what they have: beyond `slots`, everything takes longer."""
    clock, draw = Now(), Random(5)
    gateway = Gateway(clock, 2)
    for _ in range(60):
        company = draw.randint(1, 3 * slots)
        for load in gateway.loads:
            works = [gateway.scales.begin(load, 100) for _ in range(company)]
            clock.seconds += draw.lognormvariate(0, 0.2) * max(1.0, company / slots)
            for work in works:
                gateway.scales.learn(load, work)
    assert gateway.scales.slots == slots


def test_a_picture_has_a_home_that_is_the_same_for_all_gateways() -> None:
    clock = Now()
    homes = [
        [gateway.send(100, f"{picture:064x}")[0] for picture in range(40)] for gateway in (Gateway(clock, 50, 1), Gateway(clock, 50, 2))
    ]
    assert homes[0] == homes[1]
    assert len(set(homes[0])) > 15


def test_a_picture_that_everybody_asks_about_does_not_fill_its_home() -> None:
    clock = Now()
    gateways = [Gateway(clock, 20, seed) for seed in range(24)]
    under_way = Counter[int]()
    for number in range(400):
        clock.seconds += 0.02
        gateway = gateways[number % 24]
        if number % 24 == 0:
            for each in gateways:
                for server, load in enumerate(each.loads):
                    load.report(under_way[server])
        under_way[gateway.send(100, "f" * 64)[0]] += 1
    assert max(under_way.values()) < 2.5 * 400 / 20


def waits(gateways: int, *, chance: bool) -> float:
    """The longest wait but one in a hundred, of servers with four slots that are 80 % busy and report every second."""
    clock, draw = Now(), Random(7)
    known = [Gateway(clock, 20, seed) for seed in range(gateways)]
    free = [[0.0] * 4 for _ in range(20)]
    under_way = [0] * 20
    ending: list[tuple[float, int, int, int, Work]] = []
    found: list[float] = []
    report = 0.0
    for number in range(1200):
        now = number * 3 / (0.8 * 20 * 4)
        while ending and ending[0][0] <= now:
            clock.seconds, _, who, server, work = heapq.heappop(ending)
            under_way[server] -= 1
            known[who].scales.learn(known[who].loads[server], work)
        clock.seconds = now
        if now >= report:
            report = now + 1
            for gateway in known:
                for server, load in enumerate(gateway.loads):
                    load.report(under_way[server])
        who = draw.randrange(gateways)
        server = draw.randrange(20) if chance else known[who].loads.index(known[who].scales.choose(100, None, known[who].loads))
        work = known[who].scales.begin(known[who].loads[server], 100)
        start = max(now, free[server][0])
        end = start + 3 * draw.lognormvariate(-0.18, 0.6)
        heapq.heapreplace(free[server], end)
        heapq.heappush(ending, (end, number, who, server, work))
        under_way[server] += 1
        if number > 400:
            found.append(start - now)
    return sorted(found)[int(0.99 * len(found))]


def test_one_gateway_lets_nobody_wait_while_there_is_room_and_many_do_better_than_chance() -> None:
    assert waits(1, chance=False) < 0.5
    assert waits(12, chance=False) < 0.7 * waits(12, chance=True)
