"""The metrics page: what is counted where, and that one call's tokens are not counted twice."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from sightline.protocol.errors import Overloaded
from sightline.protocol.requests import InferRequest
from sightline.server.metrics import EngineState, Metrics
from sightline.service.infer import Inference
from sightline.service.lanes import Claim, LaneLimits
from sightline.stores.cache import MemoryCache
from tests.doubles import Bench
from tests.unit.service.test_degradation import with_lighter
from tests.unit.service.test_infer import gather


def metered(**settings: Any) -> tuple[Bench, Metrics]:
    bench = Bench(**settings)
    metrics = Metrics(bench.lanes, bench.relief, lambda: [EngineState("one", True, 3), EngineState("two", False)])
    bench.inference = Inference(replace(bench.ports, meter=metrics), bench.lanes, bench.relief)
    return bench, metrics


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """A sample of the page; 0 where it is not there."""
    for line in metrics.expose().decode().splitlines():
        found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if found and dict(re.findall(r'(\w+)="([^"]*)"', found[1] or "")) == labels:
            return float(found[2])
    return 0.0


async def test_an_answered_call_is_counted_with_its_times_and_tokens() -> None:
    bench, metrics = metered(words=["a", "b", "c"])
    bench.backend.pause = 0.002
    await gather(bench, bench.call())
    assert value(metrics, "sightline_calls_total", task="vqa", code="0") == 1
    assert value(metrics, "sightline_tokens_total", direction="output", model="scripted") == 3
    for name in ("first_token", "queue", "generation", "inter_token"):
        assert value(metrics, f"sightline_{name}_seconds_count", lane="A") == 1, name
    assert 0.001 < value(metrics, "sightline_inter_token_seconds_sum", lane="A") < 1
    assert value(metrics, "sightline_media_seconds_count", stage="probe") == 1
    assert value(metrics, "sightline_media_seconds_count", stage="load") == 1


async def test_a_remembered_answer_costs_no_tokens_a_second_time() -> None:
    bench, metrics = metered(cache=MemoryCache())
    greedy = InferRequest(task="vqa", images=["a"], text="?", options=msgspec.Raw(b'{"temperature":0}'))
    for _ in range(3):
        await gather(bench, bench.call(greedy))
    assert value(metrics, "sightline_cache_total", task="vqa", outcome="miss") == 1
    assert value(metrics, "sightline_cache_total", task="vqa", outcome="hit") == 2
    assert value(metrics, "sightline_tokens_total", direction="output", model="scripted") == 2


async def test_a_lighter_answer_is_counted_with_its_reason() -> None:
    bench, metrics = metered()
    with_lighter(bench)
    bench.backend.ready = lambda: False  # type: ignore[method-assign]
    await gather(bench, bench.call())
    assert value(metrics, "sightline_degraded_total", lane="A", reason="unavailable") == 1


async def test_refusals_are_counted_by_lane_and_code_and_leaving_is_no_refusal() -> None:
    bench, metrics = metered(limits=LaneLimits(slots=1, waiting=0))
    bench.backend.pause = 30
    stream = bench.inference.stream(bench.call())
    await anext(stream)
    with pytest.raises(Overloaded):
        await gather(bench, bench.call())
    await stream.aclose()
    assert value(metrics, "sightline_refused_total", lane="A", code="2001") == 1
    assert value(metrics, "sightline_left_total", task="vqa", lane="A") == 1


async def test_the_state_of_lanes_and_engines_is_told_as_it_is() -> None:
    bench, metrics = metered(limits=LaneLimits(slots=1, waiting=9))
    kept = [bench.lanes["B"].enter(Claim(500, bench.clock.now() + 60, 60_000)) for _ in range(3)]
    assert value(metrics, "sightline_lane_waiting", lane="B") == 2
    assert value(metrics, "sightline_lane_waiting_tokens", lane="B") == 1500
    assert value(metrics, "sightline_lane_predicted_wait_seconds", lane="B") > 0
    assert value(metrics, "sightline_lane_slots", lane="A") == 1
    assert (value(metrics, "sightline_engine_ready", engine="one"), value(metrics, "sightline_engine_ready", engine="two")) == (1, 0)
    assert value(metrics, "sightline_engine_restarts_total", engine="one") == 3
    del kept
