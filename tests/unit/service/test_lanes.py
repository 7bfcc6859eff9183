"""Lanes: who goes first, what is refused at once, and that slots and places always come back."""

from __future__ import annotations

import asyncio
import random

import pytest

from sightline.protocol.errors import DeadlineExceeded, Overloaded, TooLarge
from sightline.service.lanes import Claim, Lane, LaneLimits, Ticket
from tests.doubles import Wall


def lane(slots: int = 1, waiting: int = 100, waiting_tokens: int = 1_000_000) -> Lane:
    return Lane("A", LaneLimits(slots, waiting, waiting_tokens), Wall())


def claim(price: int = 100, left: float = 1e6, tenant: str = "local", priority: int = 0) -> Claim:
    return Claim(price, Wall().now() + left, 30_000, tenant, priority)


async def order_of(lane: Lane, claims: dict[str, Claim]) -> str:
    """The names in the order in which they get the only slot."""
    order: list[str] = []
    first = lane.enter(claim())
    release = asyncio.Event()

    async def hold() -> None:
        async with first.slot():
            await release.wait()

    async def take(name: str, ticket: Ticket) -> None:
        async with ticket.slot():
            order.append(name)

    holder = asyncio.create_task(hold())
    await asyncio.sleep(0)
    jobs = [asyncio.create_task(take(name, lane.enter(each))) for name, each in claims.items()]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(holder, *jobs)
    return "".join(order)


async def test_the_earliest_deadline_goes_first() -> None:
    assert await order_of(lane(), {"a": claim(left=300), "b": claim(left=100), "c": claim(left=200)}) == "bca"


async def test_priority_goes_before_deadlines() -> None:
    assert await order_of(lane(), {"a": claim(left=100), "b": claim(left=300, priority=5), "c": claim(left=200)}) == "bac"


async def test_a_tenant_who_asks_a_lot_does_not_starve_another() -> None:
    greedy = {name: claim(tenant="greedy", left=100) for name in "abcdef"}
    order = await order_of(lane(), {**greedy, "x": claim(tenant="modest", left=500), "y": claim(tenant="modest", left=500)})
    assert order.index("y") <= 4


async def test_work_is_weighed_and_not_counted() -> None:
    heavy = {name: claim(price=1000, tenant="heavy") for name in "ab"}
    light = {name: claim(price=100, tenant="light") for name in "uvwxyz"}
    order = await order_of(lane(), {**heavy, **light})
    assert order.index("b") > order.index("y")


async def test_the_wait_is_told_from_the_work_ahead() -> None:
    room = lane(slots=2)
    assert room.predicted_wait() == 0
    tickets = [room.enter(claim(price=1000)) for _ in range(4)]
    less = room.predicted_wait()
    tickets += [room.enter(claim(price=10_000))]
    assert 0 < less < room.predicted_wait()
    for ticket in tickets:
        ticket.leave()
    assert room.predicted_wait() == 0


async def test_a_full_room_refuses_by_calls_and_by_tokens() -> None:
    by_calls = lane(slots=1, waiting=1)
    kept = [by_calls.enter(claim()) for _ in range(2)]
    with pytest.raises(Overloaded) as raised:
        by_calls.enter(claim())
    assert (raised.value.retry_after_ms or 0) >= 1000
    by_tokens = lane(slots=1, waiting_tokens=1500)
    kept += [by_tokens.enter(claim(price=1000))]
    with pytest.raises(Overloaded):
        by_tokens.enter(claim(price=1000))


async def test_work_that_can_never_fit_is_too_large_at_once() -> None:
    with pytest.raises(TooLarge) as raised:
        lane(waiting_tokens=1000).enter(claim(price=2000))
    assert (raised.value.details["actual"], raised.value.details["limit"]) == (2000, 1000)


async def test_a_wait_over_the_deadline_is_refused_with_the_wait() -> None:
    room = lane()
    kept = [room.enter(claim(price=100_000)) for _ in range(3)]
    with pytest.raises(DeadlineExceeded) as raised:
        room.enter(claim(left=1.0))
    assert raised.value.details["predicted_wait_ms"] > 1000
    assert len(kept) == 3


async def test_a_paused_lane_starts_nothing_until_it_goes_on() -> None:
    room = lane()
    room.pause(True)
    ticket = room.enter(claim())
    started = asyncio.Event()

    async def work() -> None:
        async with ticket.slot():
            started.set()

    job = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    assert not started.is_set()
    room.pause(False)
    await asyncio.wait_for(job, 5)
    assert (room.running, room.running_tokens, room.expected, room.expected_tokens) == (0, 0, 0, 0)


async def test_whatever_is_cancelled_every_slot_and_place_comes_back() -> None:
    chance = random.Random(7)
    room = lane(slots=3, waiting=500)

    async def work(ticket: Ticket) -> None:
        try:
            async with ticket.slot():
                assert room.running <= 3
                await asyncio.sleep(chance.random() * 0.002)
        finally:
            ticket.leave()

    jobs = [asyncio.create_task(work(room.enter(claim(price=chance.randrange(1, 50), tenant=chance.choice("abc"))))) for _ in range(300)]
    for _ in range(100):
        await asyncio.sleep(0)
        chance.choice(jobs).cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    assert (room.running, room.running_tokens, room.expected, room.expected_tokens) == (0, 0, 0, 0)


async def test_who_is_cancelled_in_the_moment_a_slot_comes_free_is_only_cancelled() -> None:
    room = lane()
    first, second = room.enter(claim()), room.enter(claim())
    release = asyncio.Event()

    async def hold() -> None:
        async with first.slot():
            await release.wait()
            waiting.cancel()  # and the slot comes free before the other has heard of it

    async def take() -> None:
        async with second.slot():
            pass

    holder = asyncio.create_task(hold())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(take())
    await asyncio.sleep(0)
    release.set()
    await holder
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert room.running == 0


async def test_who_could_begin_in_time_but_not_finish_is_refused_at_once() -> None:
    room = lane()
    running = room.enter(claim(price=2000))
    async with running.slot():
        assert room.predicted_wait() == pytest.approx(1.0)
        room.enter(claim(price=400, left=1.5)).leave()
        with pytest.raises(DeadlineExceeded) as raised:
            room.enter(claim(price=600, left=1.5))
    assert raised.value.retry_after_ms == 1000


async def test_a_call_of_many_generations_keeps_its_unbegun_work_in_the_account() -> None:
    room = lane(slots=2)
    document = room.enter(claim(price=1000))
    seen: list[tuple[int, int, int]] = []
    for _ in range(3):
        async with document.slot(300):
            seen.append((room.expected, room.expected_tokens, room.running_tokens))
    document.leave()
    assert seen == [(0, 700, 300), (0, 400, 300), (0, 100, 300)]
    assert (room.expected_tokens, room.running_tokens) == (0, 0)


async def test_a_draining_lane_answers_whom_it_has_and_lets_nobody_in() -> None:
    room = lane(slots=1)
    running, waiting = room.enter(claim()), room.enter(claim())
    room.drain(True)
    with pytest.raises(Overloaded):
        room.enter(claim())
    for ticket in (running, waiting):
        async with ticket.slot():
            assert room.running == 1
    assert (room.running, room.expected) == (0, 0)
    room.drain(False)
    room.enter(claim()).leave()
