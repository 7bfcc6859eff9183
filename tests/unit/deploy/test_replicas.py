"""Lanes that follow their pools: as many slots as the replicas there are have, shared among the gateways there are."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import msgspec
import pytest

from sightline.assembly.replicas import Follower, addresses, following, share
from sightline.config import Settings
from sightline.service.lanes import Claim, Lane, LaneLimits, Ticket
from sightline.tasks.base import Lane as LaneName
from tests.doubles import Wall

NAMES: tuple[LaneName, ...] = ("A", "B", "C")


def described(**server: str) -> Settings:
    lanes: dict[str, dict[str, Any]] = {name: {"backends": ["x"], "slots": 8} for name in NAMES}
    lanes["A"]["replicas"] = "pool-a"
    lanes["B"]["replicas"] = "pool-b"
    return msgspec.convert({"backends": {"x": {"kind": "fake"}}, "lanes": lanes, "server": server}, Settings)


def rooms() -> dict[LaneName, Lane]:
    return {name: Lane(name, LaneLimits(slots=8, waiting=4), Wall()) for name in NAMES}


class Names:
    """A resolver whose answers a test chooses."""

    def __init__(self, **counts: int | None) -> None:
        self.counts = counts

    async def __call__(self, name: str) -> int | None:
        return self.counts[name.replace("-", "_")]


async def test_slots_grow_and_shrink_with_the_replicas() -> None:
    lanes, names = rooms(), Names(pool_a=1, pool_b=5)
    follower = Follower(described(), lanes, names)
    await follower.look()
    assert {name: lane.limits.slots for name, lane in lanes.items()} == {"A": 8, "B": 40, "C": 8}
    names.counts |= {"pool_a": 3, "pool_b": 2}
    await follower.look()
    assert {name: lane.limits.slots for name, lane in lanes.items()} == {"A": 24, "B": 16, "C": 8}


async def test_gateways_share_what_there_is() -> None:
    lanes, names = rooms(), Names(pool_a=5, pool_b=1, gateways=3)
    follower = Follower(described(peers="gateways"), lanes, names)
    await follower.look()
    assert lanes["A"].limits.slots == 14  # 40 for three, rounded up
    names.counts["gateways"] = 2
    await follower.look()
    assert lanes["A"].limits.slots == 20


async def test_a_resolver_that_is_away_changes_nothing() -> None:
    lanes, names = rooms(), Names(pool_a=3, pool_b=1, gateways=2)
    follower = Follower(described(peers="gateways"), lanes, names)
    await follower.look()
    names.counts |= dict.fromkeys(names.counts)
    await follower.look()
    assert lanes["A"].limits.slots == 12


def test_no_gateway_is_ever_without_a_slot() -> None:
    assert share(4, 0, 3) == 1
    assert share(1, 2, 9) == 1


async def test_what_waits_starts_when_a_replica_comes_and_what_runs_finishes_when_one_goes() -> None:
    lane = Lane("A", LaneLimits(slots=1, waiting=4), Wall())
    tickets = [lane.enter(Claim(100, lane.clock.now() + 60, 60_000)) for _ in range(3)]
    release = asyncio.Event()

    async def work(ticket: Ticket) -> None:
        async with ticket.slot():
            await release.wait()
        ticket.leave()

    jobs = [asyncio.create_task(work(ticket)) for ticket in tickets]
    await asyncio.sleep(0)
    assert (lane.running, lane.waiting) == (1, 2)
    lane.resize(3)
    await asyncio.sleep(0.01)
    assert (lane.running, lane.waiting) == (3, 0)
    lane.resize(1)
    assert lane.running == 3
    assert lane.busy
    release.set()
    await asyncio.gather(*jobs)
    assert (lane.running, lane.expected_tokens) == (0, 0)


async def test_the_service_counts_before_it_serves_and_goes_on_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Names(pool_a=2, pool_b=1)
    monkeypatch.setattr("sightline.assembly.replicas.addresses", counts)
    lanes = rooms()
    async with following(described(), lanes, every_s=0.01):
        assert lanes["A"].limits.slots == 16
        counts.counts["pool_a"] = 4
        deadline = asyncio.get_running_loop().time() + 5
        while lanes["A"].limits.slots != 32:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)


async def test_addresses_of_real_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await addresses("127.0.0.1") == 1
    loop = asyncio.get_running_loop()

    async def no_such_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async def not_now(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    monkeypatch.setattr(loop, "getaddrinfo", no_such_name, raising=False)
    assert await addresses("nobody") == 0
    monkeypatch.setattr(loop, "getaddrinfo", not_now, raising=False)
    assert await addresses("nobody") is None
