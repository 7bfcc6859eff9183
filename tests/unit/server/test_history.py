"""The console's history: slots of a few seconds that stay true where nothing happened in them."""

from __future__ import annotations

import random
from collections import Counter

from sightline.server.history import History, quantile
from sightline.service.lanes import Claim, Lane, LaneLimits


class Hand:
    """A clock that is set by hand."""

    time = 0.0

    def now(self) -> float:
        return self.time


def kept() -> tuple[Hand, Lane, History]:
    clock = Hand()
    lane = Lane("A", LaneLimits(slots=1, waiting=9), clock)
    return clock, lane, History({"A": lane}, clock.now)


def test_a_slot_shows_the_most_and_the_next_goes_on_as_it_ended() -> None:
    clock, lane, history = kept()
    tickets = [lane.enter(Claim(10, 1e6, 30_000)) for _ in range(3)]
    history.look()
    tickets[0].leave()
    history.left("A")
    clock.time = 17.0
    course = history.course("A")
    assert course.waiting == [2, 1, 1, 1]
    for ticket in tickets:
        ticket.leave()
    history.look()
    clock.time = 21.0
    assert history.course("A").waiting == [2, 1, 1, 0, 0]


def test_first_tokens_and_endings_stand_in_their_slots_and_fall_out_of_the_last() -> None:
    clock, _, history = kept()
    for seconds in (0.1, 0.2, 2.0):
        history.first_token("A", seconds)
    history.answered("A")
    clock.time = 6.0
    history.refused("A")
    history.refused(None)
    course = history.course("A")
    assert (course.answered, course.refused) == ([1, 0], [0, 1])
    assert course.p99_ms[1] is None
    total = history.first_tokens("A")
    assert total.count == 3
    assert total.p50_ms is not None
    assert abs(total.p50_ms - 200) <= 10
    clock.time = 5.0 * 180
    assert history.first_tokens("A").count == 0
    assert len(history.course("A").answered) == 180


def test_quantiles_are_within_five_percent_whatever_the_times() -> None:
    _, _, history = kept()
    times = [random.Random(7).lognormvariate(-1, 1) for _ in range(1000)]
    for seconds in times:
        history.first_token("A", seconds)
    told = history.first_tokens("A")
    for share, found in ((0.5, told.p50_ms), (0.99, told.p99_ms)):
        exact = 1000 * sorted(times)[int(share * 1000) - 1]
        assert found is not None
        assert abs(found - exact) <= 0.05 * exact + 1
    assert quantile(Counter[int](), 0.5) is None


def test_a_lane_that_is_not_kept_is_not_missed() -> None:
    _, _, history = kept()
    history.first_token("C", 1.0)
    history.answered("B")
    history.left(None)
    assert history.first_tokens("A").count == 0
