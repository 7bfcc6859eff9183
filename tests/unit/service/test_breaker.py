"""Engines that keep failing: passed over, refused for at once, and tried again after a pause."""

from __future__ import annotations

import pytest

from sightline.protocol.errors import BackendUnavailable
from sightline.protocol.events import Final
from tests.doubles import Bench, ScriptedBackend
from tests.unit.service.test_degradation import with_lighter
from tests.unit.service.test_infer import gather

DOWN = BackendUnavailable(cause="accepts and says nothing")


class Clock:
    """Turned by hand."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


def bench_with(clock: Clock) -> Bench:
    bench = Bench()
    bench.clock = clock  # type: ignore[assignment]
    bench.__dict__["ports"] = bench.ports.__class__(media=bench.gate, pool=bench.pool, clock=clock, meter=bench.journal)
    for lane in (*bench.lanes.values(), *bench.relief.values()):
        lane.clock = clock
    bench.inference = bench.inference.__class__(bench.ports, bench.lanes, bench.relief)
    return bench


async def fail(bench: Bench) -> BackendUnavailable:
    bench.backend.failures = [DOWN, DOWN]
    with pytest.raises(BackendUnavailable) as raised:
        await gather(bench, bench.call())
    return raised.value


async def test_an_engine_that_fails_after_a_pause_again_is_not_waited_for() -> None:
    bench = bench_with(clock := Clock())
    await fail(bench)
    await fail(bench)  # three in a row: a pause of a second, in which it may still be tried
    clock.time += 1.1
    await fail(bench)  # and once more after it
    tries = bench.backend.started
    bench.backend.failures = []
    with pytest.raises(BackendUnavailable) as raised:
        await gather(bench, bench.call())
    assert bench.backend.started == tries
    assert raised.value.retry_after_ms == 2000
    clock.time += 2.1
    final = (await gather(bench, bench.call()))[-1]
    assert isinstance(final, Final)
    assert (await gather(bench, bench.call()))[-1] is not None  # and from then on as before


async def test_a_lane_with_a_second_engine_asks_that_one_first_while_the_first_keeps_failing() -> None:
    bench = bench_with(Clock())
    other = ScriptedBackend(["from ", "the other"], journal=bench.journal)
    other.name = "other"
    bench.pool.backends = (bench.backend, other)
    bench.backend.failures = [DOWN] * 10
    for _ in range(6):
        final = (await gather(bench, bench.call()))[-1]
        assert isinstance(final, Final)
        assert final.answer == "from the other"
    assert bench.backend.started == 3


async def test_the_lighter_model_answers_at_once_while_the_asked_one_keeps_failing() -> None:
    bench = bench_with(Clock())
    with_lighter(bench).name = "lighter"
    bench.backend.failures = [DOWN] * 10
    codes: list[int] = []
    for _ in range(4):
        final = (await gather(bench, bench.call()))[-1]
        assert isinstance(final, Final)
        codes.append(final.code)
    assert codes == [2001] * 4
    assert bench.backend.started <= 4


async def test_an_engine_that_dies_and_is_started_again_is_waited_for_however_often() -> None:
    bench = bench_with(Clock())
    dying = Dying(journal=bench.journal)
    bench.pool.backends = (dying,)
    for _ in range(6):
        dying.failures = [DOWN]
        assert isinstance((await gather(bench, bench.call()))[-1], Final)
    assert dying.started == 12


async def test_a_picture_is_not_blamed_for_an_engine_that_does_not_come_back() -> None:
    bench = bench_with(Clock())
    dying = Dying(journal=bench.journal)
    dying.comes_back = False
    bench.pool.backends = (dying,)
    dying.failures = [DOWN]
    with pytest.raises(BackendUnavailable):
        await gather(bench, bench.call())
    dying.alive = True
    assert isinstance((await gather(bench, bench.call()))[-1], Final)


class Dying(ScriptedBackend):
    """Is not ready after a failure until somebody waits for it."""

    alive = True
    comes_back = True

    def ready(self) -> bool:
        return self.alive

    async def wait_ready(self, seconds: float) -> bool:
        self.alive = self.alive or self.comes_back
        return self.alive

    async def generate(self, prompt, *, tenant):  # type: ignore[no-untyped-def, override]
        self.alive = not self.failures
        async for delta in super().generate(prompt, tenant=tenant):
            yield delta
