"""The lighter model: it steps in where it may, and always says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import pytest

from sightline.prompt import Frame
from sightline.protocol.errors import BackendUnavailable, DamagedMedia, Overloaded
from sightline.protocol.events import Accepted, Final
from sightline.protocol.requests import InferRequest
from sightline.service.lanes import LaneLimits
from sightline.service.ports import ModelInfo
from tests.doubles import INFO, Bench, ScriptedBackend
from tests.unit.service.test_infer import gather

LIGHT: ModelInfo = replace(INFO, name="light", view=replace(INFO.view, max_pixels=1024), active_experts=1)


def with_lighter(bench: Bench) -> ScriptedBackend:
    lighter = ScriptedBackend(["light"], journal=bench.journal)
    lighter.info = LIGHT
    bench.pool.spare = [lighter]
    return lighter


async def fill(bench: Bench) -> list[asyncio.Task[object]]:
    bench.backend.pause = 30
    busy = [asyncio.create_task(gather(bench, bench.call())) for _ in range(bench.limits.slots + bench.limits.waiting)]
    await asyncio.sleep(0.02)
    return list(busy)


async def drop(busy: list[asyncio.Task[object]]) -> None:
    for job in busy:
        job.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


async def test_a_full_lane_is_answered_by_the_lighter_model_which_says_so() -> None:
    bench = Bench(limits=LaneLimits(slots=1, waiting=0))
    with_lighter(bench)
    busy = await fill(bench)
    events = await gather(bench, bench.call())
    await drop(busy)
    accepted, final = events[0], events[-1]
    assert isinstance(accepted, Accepted)
    assert isinstance(final, Final)
    assert (accepted.degraded, accepted.model) == (True, "light")
    assert (final.code, final.answer, final.metadata.model) == (2001, "light", "light")
    told = msgspec.to_builtins(final.metadata)["degraded"]
    assert told == {"requested": "scripted", "served": "light", "reason": "overloaded"}


async def test_while_the_engine_is_too_slow_for_a_callers_time_the_lighter_model_answers_at_once() -> None:
    bench = Bench(limits=LaneLimits(slots=1, waiting=8))
    with_lighter(bench)
    bench.backend.pause = 0.2
    await gather(bench, bench.call())  # from which the lane learns how slow it is
    bench.backend.pause = 30
    busy = asyncio.create_task(gather(bench, bench.call()))
    await asyncio.sleep(0.02)
    hurried = InferRequest(task="vqa", images=["a"], text="?", options=msgspec.Raw(b'{"timeout_ms":300}'))
    final = (await gather(bench, bench.call(hurried)))[-1]
    await drop([busy])
    assert isinstance(final, Final)
    assert (final.code, final.answer) == (2001, "light")


async def test_the_prompt_is_rendered_again_within_the_lighter_models_limits() -> None:
    bench = Bench(limits=LaneLimits(slots=1, waiting=0))
    lighter = with_lighter(bench)
    busy = await fill(bench)
    await gather(bench, bench.call())
    await drop(busy)
    frames: list[Frame] = list(lighter.prompts[0].frames)
    assert [(frame.width, frame.height) for frame in frames] == [(32, 32)]


async def test_what_the_lighter_model_has_no_room_for_is_refused_as_if_there_were_none() -> None:
    bench = Bench(limits=LaneLimits(slots=1, waiting=0))
    lighter = with_lighter(bench)
    lighter.info = replace(LIGHT, context_tokens=64)
    busy = await fill(bench)
    with pytest.raises(Overloaded) as raised:
        await gather(bench, bench.call())
    await drop(busy)
    assert raised.value.retry_after_ms
    assert lighter.prompts == []


async def test_who_does_not_want_a_lighter_answer_gets_none() -> None:
    bench = Bench(limits=LaneLimits(slots=1, waiting=0))
    with_lighter(bench)
    busy = await fill(bench)
    refused = InferRequest(task="vqa", images=["a"], text="?", options=msgspec.Raw(b'{"allow_degraded":false}'))
    with pytest.raises(Overloaded):
        await gather(bench, bench.call(refused))
    await drop(busy)


async def test_an_engine_that_stays_away_is_relieved_before_the_first_token() -> None:
    bench = Bench()
    with_lighter(bench)
    bench.backend.failures = [BackendUnavailable(cause="gone"), BackendUnavailable(cause="gone")]
    final = (await gather(bench, bench.call()))[-1]
    assert isinstance(final, Final)
    assert (final.code, final.answer) == (2001, "light")
    assert msgspec.to_builtins(final.metadata)["degraded"]["reason"] == "unavailable"


async def test_without_a_lighter_model_the_refusal_stands() -> None:
    bench = Bench(limits=LaneLimits(slots=1, waiting=0))
    busy = await fill(bench)
    with pytest.raises(Overloaded) as raised:
        await gather(bench, bench.call())
    await drop(busy)
    assert raised.value.retry_after_ms


async def test_an_input_that_takes_the_engine_down_twice_is_kept_away() -> None:
    bench = Bench()
    down = BackendUnavailable(cause="the engine died")

    class Fragile(ScriptedBackend):
        """Dies of whatever it is asked, and comes back."""

        alive = True

        def ready(self) -> bool:
            return self.alive

        async def wait_ready(self, seconds: float) -> bool:
            self.alive = True
            return True

        async def generate(self, prompt, *, tenant):  # type: ignore[no-untyped-def, override]
            self.started += 1
            self.alive = False
            raise down
            yield

    fragile = Fragile(journal=bench.journal)
    bench.pool.backends = (fragile,)
    with pytest.raises(BackendUnavailable):
        await gather(bench, bench.call())
    with pytest.raises(DamagedMedia):
        await gather(bench, bench.call())
    assert fragile.started == 2
