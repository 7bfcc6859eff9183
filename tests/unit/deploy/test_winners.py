"""The chart's numbers are the simulation's: chosen by it, and still keeping what they were chosen for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bench.scaling.pool import Pool, loading, simulate
from bench.scaling.search import scaling, search
from bench.scaling.traces import LANES, A, Trace, trace

from sightline.service.lanes import Claim, Lane, LaneLimits
from tests.doubles import Wall
from tests.unit.deploy.charts import ROOT
from tests.unit.deploy.test_autoscaling import values

WINNERS: dict[str, dict[str, Any]] = json.loads((ROOT / "bench" / "scaling" / "winners.json").read_text())


def test_the_charts_numbers_are_the_simulations_winners() -> None:
    chart = values()["lanes"]
    assert {lane: chart[lane]["autoscaling"] for lane in chart} == WINNERS
    assert {lane: chart[lane]["slotsPerReplica"] for lane in chart} == {lane: LANES[lane].slots for lane in LANES}


def test_the_winner_keeps_its_promise_on_a_ramp_that_the_search_did_not_see() -> None:
    for seed in (11, 12):
        outcome = simulate(A, trace("ramp", A, seed), scaling(WINNERS["A"]), seed=seed)
        assert outcome.p(0.95) < A.slo
        assert outcome.late(A.slo) < 0.01
        assert outcome.flaps() == 0


def test_a_setting_that_is_too_tight_breaks_the_promise() -> None:
    """The check above can fail: with slots filled up before anything is added, people wait."""
    full = {**WINNERS["A"], "tokensPerReplica": 3 * WINNERS["A"]["tokensPerReplica"], "waitSeconds": 1000}
    assert simulate(A, trace("ramp", A, 11), scaling(full), seed=11).p(0.95) > A.slo
    restless = {**WINNERS["A"], "down": {**WINNERS["A"]["down"], "windowSeconds": 0, "percent": 100}}
    assert simulate(A, trace("burst", A, 11), scaling(restless), seed=11).flaps() > 0


@pytest.mark.full
@pytest.mark.timeout(0)
@pytest.mark.parametrize("lane", LANES)
def test_the_search_finds_nothing_better(lane: str) -> None:
    best, verdict = search(LANES[lane], print, WINNERS[lane])
    assert best == WINNERS[lane]
    assert verdict.broken == 0


def test_the_same_seed_is_the_same_trace() -> None:
    assert trace("burst", A, 3) == trace("burst", A, 3)
    assert trace("burst", A, 3).at != trace("burst", A, 4).at


async def test_the_simulated_lane_predicts_as_the_real_one() -> None:
    """Eight slots, ten calls of 700 tokens, nothing seen yet: two wait."""
    load = LANES["C"]
    pool = Pool(load, Trace("ten", 60, [0.1 * number for number in range(10)], [700] * 10, [1.0] * 10, [50.0] * 10), 1, loading(1))
    pool.advance(5.0)
    real = Lane("C", LaneLimits(slots=load.slots, waiting=load.waiting), Wall())
    tickets = [real.enter(Claim(700, real.clock.now() + 600, 600_000)) for _ in range(10)]
    real.running, real.running_tokens, real.expected, real.expected_tokens = 8, 5600, 2, 1400
    assert pool.predicted_wait() == pytest.approx(real.predicted_wait()) == pytest.approx((1400 + 2800) * 0.001 / 8)
    assert (pool.waiting_tokens, pool.running_tokens) == (real.expected_tokens, real.running_tokens)
    assert len(tickets) == 10


def test_a_call_waits_until_a_slot_is_free_and_a_replica_that_loads_brings_none() -> None:
    load = LANES["C"]
    eight = [0.0] * 8
    calls = Trace("nine", 60, [*eight, 1.0], [100] * 9, [0.5] * 9, [10.0] * 9)
    pool = Pool(load, calls, 1, lambda: 300.0)
    pool.advance(5.0)
    pool.scale(5.0, 2)
    assert (pool.replicas, pool.ready, pool.waiting_tokens) == (2, 1, 100)
    pool.advance(10.0)
    pool.advance(15.0)
    assert pool.outcome.first[-1] == pytest.approx(10.0 - 1.0 + 0.5)  # the first slot was free at second 10
    for step in range(4, 63):
        pool.advance(5.0 * step)
    assert pool.ready == 2
    assert pool.outcome.gpu_seconds == 5.0 + 5.0 * 2 * 61
