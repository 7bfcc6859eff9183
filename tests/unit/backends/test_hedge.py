"""A generation that is late is asked for twice, and answered once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from sightline.backends.balance import Balance
from sightline.backends.hedge import Allowance, race
from sightline.prompt import Delta
from sightline.protocol.errors import BackendUnavailable, MalformedRequest
from sightline.protocol.language import Bilingual
from tests.unit.backends.test_replicas import Scripted, question, replicas, whole


class Engine:
    """Says its words with a pause before the first, or fails after it; notes when it is stopped."""

    def __init__(self, words: str, after: float = 0.0, error: Exception | None = None) -> None:
        self.words, self.after, self.error = words, after, error
        self.asked = self.stopped = False

    async def deltas(self) -> AsyncGenerator[Delta]:
        self.asked = True
        try:
            await asyncio.sleep(self.after)
            if self.error:
                raise self.error
            for word in self.words.split():
                yield Delta(word)
                await asyncio.sleep(0)
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped = True
            raise


async def said(first: Engine, second: Engine | None, after_s: float = 0.02) -> str:
    deltas = race(first.deltas(), lambda: second.deltas() if second else None, after_s)
    return " ".join([delta.text async for delta in deltas])


AWAY = BackendUnavailable(cause="away")


async def test_one_that_is_in_time_is_alone() -> None:
    other = Engine("other")
    assert await said(Engine("a b c"), other, 5.0) in {"a b c", "abc", "a bc", "ab c"}
    assert not other.asked


async def test_the_first_to_begin_answers_and_the_other_is_stopped() -> None:
    late, quick = Engine("late", 5.0), Engine("quick")
    assert await said(late, quick) == "quick"
    assert late.stopped
    early, slow = Engine("early", 0.05), Engine("slow", 5.0)
    assert await said(early, slow) == "early"
    assert (slow.asked, slow.stopped) == (True, True)


async def test_it_waits_for_the_late_one_where_there_is_no_other() -> None:
    assert await said(Engine("late", 0.05), None) == "late"


async def test_one_that_fails_leaves_it_to_the_other() -> None:
    assert await said(Engine("", 0.05, AWAY), Engine("other", 0.05)) == "other"
    assert await said(Engine("late", 0.1), Engine("", 0.0, AWAY)) == "late"
    with pytest.raises(BackendUnavailable) as raised:
        await said(Engine("", 0.04, AWAY), Engine("", 0.0, BackendUnavailable(cause="other")))
    assert raised.value is AWAY


async def test_a_request_that_is_wrong_is_told_at_once() -> None:
    wrong = MalformedRequest("text", Bilingual("太长", "too long"))
    other = Engine("other", 5.0)
    with pytest.raises(MalformedRequest):
        await said(Engine("", 0.04, wrong), other)
    assert other.stopped


async def test_a_caller_who_leaves_stops_both() -> None:
    engines = Engine("a", 5.0), Engine("b", 5.0)
    caller = asyncio.create_task(said(*engines))
    await asyncio.sleep(0.06)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert [engine.stopped for engine in engines] == [True, True]


def test_at_most_one_in_twenty_is_asked_twice() -> None:
    allowance, twice = Allowance(), 0
    for _ in range(1000):
        allowance.note()
        twice += allowance.take()
    assert 50 <= twice <= 51


async def test_a_slow_replica_is_overtaken() -> None:
    slow, quick = Scripted("slow", speed=1), Scripted("quick")
    async with replicas(slow, quick, balance=Balance(slow_start_s=0, hedge_s=0.02)) as backend, asyncio.timeout(5):
        pictures = iter(f"{number:064x}" for number in range(100))
        while not slow.asked:  # until one has its home there, which would take a minute over it
            assert await whole(backend, question(next(pictures)))
    assert quick.asked[-1] == slow.asked[-1]
