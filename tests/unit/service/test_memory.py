"""Remembered answers and single flight: one generation for many, and never somebody else's answer."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from dataclasses import replace

import cv2
import msgspec
import numpy as np
import pytest

from sightline.assembly import SystemClock
from sightline.backends.fake import FakeBackend
from sightline.media.gate import Gate
from sightline.media.settings import MediaSettings
from sightline.protocol.errors import BackendUnavailable, DeadlineExceeded, MalformedRequest
from sightline.protocol.events import Accepted, Event, Final, Token
from sightline.protocol.requests import InferRequest, Turn
from sightline.service.calls import Call
from sightline.service.infer import Inference
from sightline.service.memory import name_answer, remembers
from sightline.service.ports import Caller
from sightline.stores.cache import MemoryCache
from tests.doubles import INFO, Bench, Picture
from tests.pictures import data_uri
from tests.unit.service.test_degradation import with_lighter
from tests.unit.service.test_infer import gather

GREEDY = msgspec.Raw(b'{"temperature":0}')


def bench(words: list[str] | None = None) -> Bench:
    return Bench(words=words or ["hel", "lo"], cache=MemoryCache())


def ask(options: bytes = bytes(GREEDY), text: str = "what is this?") -> InferRequest:
    return InferRequest(task="vqa", images=["a"], text=text, options=msgspec.Raw(options))


def last(events: list[Event]) -> Final:
    assert isinstance(events[-1], Final)
    return events[-1]


async def test_the_second_time_nothing_is_decoded_or_generated() -> None:
    service = bench()
    first = last(await gather(service, service.call(ask())))
    events = await gather(service, service.call(ask(), request_id="req_2"))
    second = last(events)
    assert (first.metadata.cache, second.metadata.cache) == ("miss", "hit")
    assert (second.answer, second.request_id) == (first.answer, "req_2")
    assert [event.token for event in events if isinstance(event, Token)] == ["hello"]
    assert service.backend.started == 1
    assert service.journal.lines.count("load") == 1


async def test_sampled_answers_are_not_remembered_by_default() -> None:
    service = bench()
    for _ in range(2):
        final = last(await gather(service, service.call(ask(b'{"temperature":0.7}'))))
    assert service.backend.started == 2
    assert final.metadata.cache is msgspec.UNSET


async def test_the_caller_chooses_how_the_memory_is_used() -> None:
    service = bench()
    with pytest.raises(MalformedRequest, match=r"options\.cache"):
        await gather(service, service.call(ask(b'{"temperature":0,"cache":"only"}')))
    await gather(service, service.call(ask()))
    assert last(await gather(service, service.call(ask(b'{"temperature":0,"cache":"only"}')))).metadata.cache == "hit"
    await gather(service, service.call(ask(b'{"temperature":0,"cache":"refresh"}')))
    assert service.backend.started == 2
    await gather(service, service.call(ask(b'{"temperature":0,"cache":"off"}')))
    assert service.backend.started == 3


async def test_a_hundred_identical_calls_cost_one_generation() -> None:
    service = bench()
    service.backend.pause = 0.01
    finals = [last(events) for events in await asyncio.gather(*(gather(service, service.call(ask())) for _ in range(100)))]
    assert service.backend.started == 1
    assert {final.answer for final in finals} == {"hello"}
    assert sorted({str(final.metadata.cache) for final in finals}) == ["miss", "shared"]


async def test_the_work_goes_on_when_its_first_reader_leaves_and_stops_with_the_last() -> None:
    service = bench(["a"] * 200)
    service.backend.pause = 0.001

    async def leave_at_first_token() -> None:
        async with aclosing(service.inference.stream(service.call(ask()))) as events:
            async for event in events:
                if isinstance(event, Token):
                    return

    leader = asyncio.create_task(leave_at_first_token())
    await asyncio.sleep(0)
    follower = asyncio.create_task(gather(service, service.call(ask())))
    await leader
    assert service.backend.closed == 0
    assert last(await follower).answer == "a" * 200
    await leave_at_first_token()
    service.backend.pause = 0.001
    other = ask(text="another question?")
    async with aclosing(service.inference.stream(service.call(other))) as events:
        async for event in events:
            if isinstance(event, Token):
                break
    assert service.backend.closed == 2
    assert (service.lanes["A"].running, service.lanes["A"].expected) == (0, 0)


async def test_a_caller_who_leaves_at_once_leaves_no_place_behind() -> None:
    for request in (ask(), ask(b"{}")):
        service = bench()
        async with aclosing(service.inference.stream(service.call(request))) as events:
            await anext(events)
        await asyncio.sleep(0)
        assert (service.lanes["A"].running, service.lanes["A"].expected) == (0, 0)


async def test_a_failure_is_told_to_all_and_not_remembered() -> None:
    service = bench()
    service.backend.failures = [BackendUnavailable(cause="x")] * 2
    results = await asyncio.gather(*(gather(service, service.call(ask())) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, BackendUnavailable) for result in results)
    assert last(await gather(service, service.call(ask()))).answer == "hello"


def test_a_key_depends_on_everything_that_an_answer_depends_on() -> None:
    service = bench()
    call = Call("r", *_parts(service))
    picture = Picture(0)
    versions = ("m1", "r1")
    base = name_answer(call, [picture], INFO, versions)
    other_options = msgspec.structs.replace(call.options, max_tokens=7)
    changed = [
        name_answer(msgspec.structs.replace(call, caller=Caller(tenant="other")), [picture], INFO, versions),
        name_answer(msgspec.structs.replace(call, caller=Caller(language="zh")), [picture], INFO, versions),
        name_answer(msgspec.structs.replace(call, turns=(Turn("user", "another", ["a"]),)), [picture], INFO, versions),
        name_answer(msgspec.structs.replace(call, turns=(Turn("user", "x"), *call.turns)), [picture], INFO, versions),
        name_answer(msgspec.structs.replace(call, options=other_options), [picture], INFO, versions),
        name_answer(call, [replace(picture, sha256="1" * 64)], INFO, versions),
        name_answer(call, [picture, picture], INFO, versions),
        name_answer(call, [picture], replace(INFO, name="other"), versions),
        name_answer(call, [picture], INFO, ("m2", "r1")),
        name_answer(call, [picture], INFO, ("m1", "r2")),
    ]
    assert len({base, *changed}) == len(changed) + 1
    unchanged = msgspec.structs.replace(
        call, request_id="s", arrived=5.0, options=msgspec.structs.replace(call.options, timeout_ms=5, priority=3)
    )
    assert name_answer(unchanged, [picture], INFO, versions) == base


def _parts(service: Bench):  # type: ignore[no-untyped-def]
    from sightline.tasks.base import tasks

    task = tasks()["vqa"]
    return task, task.Options(temperature=0), (Turn("user", "what?", ["a"]),), Caller(), 0.0


async def test_the_memory_is_bounded_in_bytes_and_forgets_the_oldest() -> None:
    service = bench()
    final = last(await gather(service, service.call(ask())))
    store = MemoryCache(most_bytes=20_000)
    for number in range(100):
        await store.put(bytes([number]) * 32, final)
    assert await store.get(bytes([99]) * 32) == final
    assert await store.get(bytes([0]) * 32) is None
    kept = [number for number in range(100) if await store.get(bytes([number]) * 32)]
    assert kept == list(range(kept[0], 100))
    await store.put(b"k" * 32, msgspec.structs.replace(final, answer="x" * 10_000))
    assert await store.get(b"k" * 32) is None


async def test_everyone_keeps_to_their_own_time_whoever_began_the_work() -> None:
    service = bench(["a", "b", "c"])
    service.backend.pause = 0.05
    short, long = ask(b'{"temperature":0,"timeout_ms":80}'), ask(b'{"temperature":0,"timeout_ms":20000}')
    for first, second in ((short, long), (long, short)):
        jobs = {id(request): asyncio.create_task(gather(service, service.call(request))) for request in (first, second)}
        with pytest.raises(DeadlineExceeded) as raised:
            await jobs[id(short)]
        assert raised.value.details["timeout_ms"] == 80
        assert last(await jobs[id(long)]).answer == "abc"
        service = bench(["a", "b", "c"])
        service.backend.pause = 0.05


async def test_who_wants_no_lighter_answer_does_not_share_one() -> None:
    service = bench()
    lighter = with_lighter(service)
    lighter.pause = 0.02
    service.backend.failures = [BackendUnavailable(cause="x")] * 2
    willing = asyncio.create_task(gather(service, service.call(ask())))
    await asyncio.sleep(0.01)
    strict = await gather(service, service.call(ask(b'{"temperature":0,"allow_degraded":false}')))
    assert (last(await willing).code, last(strict).code) == (2001, 0)


async def test_what_a_lighter_model_said_is_never_remembered_as_the_asked_ones() -> None:
    service = bench()
    with_lighter(service)
    service.backend.failures = [BackendUnavailable(cause="x")] * 2
    assert last(await gather(service, service.call(ask()))).code == 2001
    again = last(await gather(service, service.call(ask())))
    assert (again.code, again.answer, again.metadata.cache) == (0, "hello", "miss")


@pytest.mark.parametrize(
    ("task", "options", "remembered"),
    [
        *((task, b"{}", True) for task in ("chart_parse", "doc_analyze", "ocr")),
        *((task, b'{"cache":"off"}', False) for task in ("chart_parse", "doc_analyze", "ocr")),
        ("vqa", b"{}", False),
        ("captioning", b"{}", False),
        ("vqa", b'{"temperature":0}', True),
        ("vqa", b'{"cache":"refresh"}', True),
    ],
)
async def test_what_is_read_is_remembered_and_what_is_drawn_is_not(task: str, options: bytes, remembered: bool) -> None:
    service = bench()
    request = InferRequest(task=task, images=["a"], text="?" if task in {"vqa", "doc_analyze"} else "", options=msgspec.Raw(options))
    assert remembers(service.call(request)) is remembered


async def test_pictures_that_differ_by_one_digit_never_answer_for_each_other() -> None:
    """Through the real gate: two tables with the same size, layout and light, and another number."""
    engine = FakeBackend(decode_tokens_per_s=math.inf, prefill_tokens_per_s=math.inf)
    doubles = Bench(cache=MemoryCache())
    async with Gate(MediaSettings(), SystemClock(), shares={"A": 1, "B": 1, "C": 1}) as media:
        doubles.pool.backends = (engine,)
        inference = Inference(replace(doubles.ports, media=media), doubles.lanes)
        told: list[Final] = []
        for number in (*range(10), *range(10)):
            request = InferRequest(task="ocr", images=[data_uri(_table(f"total {number}23"))])
            told += [event async for event in inference.stream(doubles.call(request)) if isinstance(event, Final)]
    assert [final.metadata.cache for final in told] == ["miss"] * 10 + ["hit"] * 10
    assert [final.answer for final in told[:10]] == [final.answer for final in told[10:]]
    assert len({final.metadata.receipts[0].sha256 for final in told}) == 10


def _table(text: str) -> bytes:
    sheet = np.full((96, 256, 3), 255, np.uint8)
    cv2.putText(sheet, text, (8, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
    return cv2.imencode(".png", sheet)[1].tobytes()


async def test_who_joins_is_told_the_same_as_the_first() -> None:
    service = bench()
    with_lighter(service).pause = 0.02
    service.backend.ready = lambda: False  # type: ignore[method-assign]
    both = await asyncio.gather(*(gather(service, service.call(ask(), request_id=f"req_{number}")) for number in range(2)))
    told = [(accepted.request_id, accepted.model, accepted.degraded) for accepted, *_ in both if isinstance(accepted, Accepted)]
    assert told == [("req_0", "light", True), ("req_1", "light", True)]
