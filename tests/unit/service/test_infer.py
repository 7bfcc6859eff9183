"""The one path, walked with doubles: its order, its refusals, and that nothing goes on behind a caller who left."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec
import pytest

from sightline.protocol.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    Internal,
    MalformedRequest,
    Overloaded,
    TooLarge,
    UnknownTask,
    UnsupportedMedia,
)
from sightline.protocol.events import Accepted, Event, Final, Token
from sightline.protocol.requests import InferRequest, Turn
from sightline.service.calls import Call
from sightline.service.infer import collect
from sightline.service.lanes import LaneLimits
from sightline.service.ports import Caller
from tests.doubles import Bench


async def gather(bench: Bench, call: Call) -> list[Event]:
    return [event async for event in bench.inference.stream(call)]


def request(**changes: object) -> InferRequest:
    return msgspec.structs.replace(InferRequest(task="vqa", images=["a"], text="what is this?"), **changes)


async def test_a_call_is_accepted_told_word_by_word_and_ended_once() -> None:
    bench = Bench()
    events = await gather(bench, bench.call())
    assert isinstance(events[0], Accepted)
    assert events[0].lane == "A"
    final = events[-1]
    assert isinstance(final, Final)
    tokens = [event for event in events if isinstance(event, Token)]
    assert "".join(token.token for token in tokens) == final.answer == "hello"
    assert [token.index for token in tokens] == list(range(len(tokens)))
    assert sum(isinstance(event, Final) for event in events) == 1


async def test_the_final_event_tells_how_the_answer_came_about() -> None:
    bench = Bench()
    final = (await gather(bench, bench.call()))[-1]
    assert isinstance(final, Final)
    assert final.confidence == pytest.approx(0.9048, abs=1e-4)  # exp(-0.1), the geometric mean
    told = final.metadata
    assert (told.activated_experts, told.input_tokens, told.output_tokens) == (2, 7, 2)
    assert (told.model, told.task, told.lane, told.finish_reason, told.calibrated) == ("scripted", "vqa", "A", "stop", False)
    assert told.receipts[0].visual_tokens == 4


async def test_the_order_is_that_of_the_design() -> None:
    bench = Bench()
    await gather(bench, bench.call())
    assert bench.journal.lines == ["probe", "load", "generate", "first token", "answered"]


async def test_nothing_is_decoded_before_the_call_is_accepted() -> None:
    bench = Bench()
    async with aclosing(bench.inference.stream(bench.call())) as events:
        await anext(events)
        assert bench.journal.lines == ["probe"]


async def test_several_images_are_numbered_and_history_is_kept() -> None:
    bench = Bench()
    earlier = [Turn("user", "这是什么？", ["x"]), Turn("assistant", "一个圆。")]
    await gather(bench, bench.call(request(images=["a", "b"], text="哪个更大？", messages=earlier)))
    (prompt,) = bench.backend.prompts
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "user"]
    texts = [part for message in prompt.messages for part in message.parts if isinstance(part, str)]
    assert texts[1:] == ["图1：", "这是什么？", "一个圆。", "图2：", "图3：", "哪个更大？"]
    assert [frame.digest for frame in prompt.frames] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"task": "paint"}, UnknownTask),
        ({"images": []}, MalformedRequest),
        ({"text": "  "}, MalformedRequest),
        ({"images": ["a"] * 17}, MalformedRequest),
        ({"options": msgspec.Raw(b'{"style":"short"}')}, MalformedRequest),
        ({"options": msgspec.Raw(b'{"max_tokens":0}')}, MalformedRequest),
    ],
)
async def test_requests_that_do_not_fit_their_task_are_refused(changes: dict[str, object], error: type[Exception]) -> None:
    bench = Bench()
    with pytest.raises(error):
        bench.call(request(**changes))


async def test_what_can_never_fit_the_context_is_refused_with_the_numbers() -> None:
    bench = Bench()
    call = bench.call(request(options=msgspec.Raw(b'{"max_tokens":4096}')))
    with pytest.raises(MalformedRequest, match="4096"):
        await gather(bench, call)
    assert bench.backend.started == 0


async def test_the_key_says_how_far_forward_its_calls_may_go() -> None:
    bench = Bench()
    hurried = request(options=msgspec.Raw(b'{"priority":4}'))
    with pytest.raises(MalformedRequest) as raised:
        await gather(bench, bench.call(hurried, caller=Caller(most_priority=3)))
    assert (raised.value.details["field"], raised.value.details["allowed"]) == ("options.priority", "0..3")
    assert bench.backend.started == 0
    await gather(bench, bench.call(hurried, caller=Caller(most_priority=4)))
    assert bench.backend.started == 1


async def test_work_that_never_fits_the_lane_is_refused_at_once_with_the_numbers() -> None:
    bench = Bench(limits=LaneLimits(slots=1, waiting=8, waiting_tokens=100))
    bench.backend.pause = 30
    busy = asyncio.create_task(gather(bench, bench.call(request(options=msgspec.Raw(b'{"max_tokens":8}')))))
    await asyncio.sleep(0.02)
    with pytest.raises(TooLarge) as raised:
        await gather(bench, bench.call())
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
    assert raised.value.code == 1004
    assert raised.value.details["limit"] == 100
    assert raised.value.details["actual"] > 100


async def test_an_input_of_the_wrong_kind_names_the_kinds_there_are() -> None:
    bench = Bench(kinds={"clip": "video"})
    with pytest.raises(MalformedRequest, match=r"images\[1\]") as raised:
        await gather(bench, bench.call(request(images=["a", "clip"])))
    assert raised.value.details["allowed"] == ["image"]


async def test_a_refusal_of_the_media_gate_comes_before_acceptance() -> None:
    bench = Bench()
    bench.gate.error = UnsupportedMedia(0, "a ZIP archive", "JPEG, PNG")
    with pytest.raises(UnsupportedMedia):
        await gather(bench, bench.call())
    assert bench.journal.lines == ["probe", "refused 1001"]


async def test_a_full_waiting_room_refuses_at_once_and_says_when_to_come_back() -> None:
    bench = Bench(limits=LaneLimits(slots=1, waiting=1))
    bench.backend.pause = 30
    readers = [asyncio.create_task(gather(bench, bench.call())) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded) as raised:
        await gather(bench, bench.call())
    assert raised.value.retry_after_ms
    assert raised.value.retry_after_ms >= 1000
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    assert (bench.lanes["A"].running, bench.lanes["A"].waiting) == (0, 0)


async def test_a_call_whose_wait_would_outlast_its_time_is_refused_at_once() -> None:
    bench = Bench(limits=LaneLimits(slots=1, waiting=8))
    bench.backend.pause = 30
    readers = [asyncio.create_task(gather(bench, bench.call())) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(DeadlineExceeded) as raised:
        await gather(bench, bench.call(request(options=msgspec.Raw(b'{"timeout_ms":500}'))))
    assert raised.value.details["predicted_wait_ms"] > 500
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)


async def test_time_that_runs_out_in_the_middle_stops_the_engine() -> None:
    bench = Bench(words=["a"] * 1000)
    bench.backend.pause = 0.01
    seen: list[Event] = []

    async def read() -> None:
        async for event in bench.inference.stream(bench.call(request(options=msgspec.Raw(b'{"timeout_ms":100}')))):
            seen.append(event)

    with pytest.raises(DeadlineExceeded):
        await read()
    assert any(isinstance(event, Token) for event in seen)
    assert bench.backend.closed == 1


@pytest.mark.parametrize("asked", [b"{}", b'{"timeout_ms":60000}'])
async def test_no_call_takes_longer_than_its_lane_allows(asked: bytes) -> None:
    bench = Bench(words=["a"] * 1000, limits=LaneLimits(timeout_ms=100))
    bench.backend.pause = 0.01
    seen: list[Event] = []

    async def read() -> None:
        async for event in bench.inference.stream(bench.call(request(options=msgspec.Raw(asked)))):
            seen.append(event)

    with pytest.raises(DeadlineExceeded) as raised:
        await read()
    assert raised.value.details["timeout_ms"] == 100
    assert isinstance(seen[0], Accepted)
    assert seen[0].timeout_ms == 100
    assert bench.backend.closed == 1


async def test_a_lane_gives_nobody_more_time_than_they_asked_for() -> None:
    bench = Bench(limits=LaneLimits(timeout_ms=60_000))
    (accepted, *_) = await gather(bench, bench.call(request(options=msgspec.Raw(b'{"timeout_ms":700}'))))
    assert isinstance(accepted, Accepted)
    assert accepted.timeout_ms == 700


async def test_a_caller_who_leaves_stops_the_engine_before_the_stream_is_closed() -> None:
    bench = Bench(words=["a"] * 1000)
    bench.backend.pause = 0.001
    async with aclosing(bench.inference.stream(bench.call())) as events:
        async for event in events:
            if isinstance(event, Token):
                break
    assert bench.backend.closed == 1
    assert bench.backend.said < 50
    assert bench.lanes["A"].running == 0


async def test_a_caller_who_leaves_the_queue_takes_no_slot() -> None:
    bench = Bench(limits=LaneLimits(slots=1, waiting=8))
    bench.backend.pause = 0.05
    first = asyncio.create_task(gather(bench, bench.call()))
    await asyncio.sleep(0.02)
    queued = asyncio.create_task(gather(bench, bench.call()))
    await asyncio.sleep(0.02)
    queued.cancel()
    await asyncio.gather(first, queued, return_exceptions=True)
    assert bench.backend.started == 1
    assert bench.lanes["A"].running == 0


async def test_a_slow_reader_holds_no_slot() -> None:
    bench = Bench(words=["a"] * 100, limits=LaneLimits(slots=1))
    async with aclosing(bench.inference.stream(bench.call())) as events:
        async for event in events:
            if isinstance(event, Token):
                break
        for _ in range(200):
            await asyncio.sleep(0)
        assert bench.backend.said == 100
        assert bench.lanes["A"].running == 0
        rest = [event async for event in events]
    assert isinstance(rest[-1], Final)
    assert rest[-1].answer == "a" * 100


async def test_an_engine_that_dies_before_the_first_token_is_asked_once_more() -> None:
    bench = Bench()
    bench.backend.failures = [BackendUnavailable(cause="killed")]
    final = (await gather(bench, bench.call()))[-1]
    assert isinstance(final, Final)
    assert final.answer == "hello"
    assert bench.backend.started == 2


async def test_an_engine_that_stays_away_is_told_after_the_second_try() -> None:
    bench = Bench()
    bench.backend.failures = [BackendUnavailable(cause="killed")] * 3
    with pytest.raises(BackendUnavailable):
        await gather(bench, bench.call())
    assert bench.backend.started == 2
    assert bench.journal.lines[-1] == "refused 5001"


async def test_a_mistake_of_ours_is_internal_and_says_nothing_of_itself() -> None:
    bench = Bench()
    bench.backend.failures = [ValueError("/secret/path")]
    with pytest.raises(Internal) as raised:
        await gather(bench, bench.call())
    assert "secret" not in str(raised.value.body("r", "en"))


@pytest.mark.parametrize(
    ("kind", "batch", "lane"), [("image", False, "A"), ("image", True, "B"), ("document", False, "B"), ("video", True, "C")]
)
async def test_the_lane_follows_from_the_input_and_never_from_the_client(kind: str, batch: bool, lane: str) -> None:
    from sightline.service.infer import choose_lane
    from tests.doubles import Picture

    bench = Bench()
    call = bench.call()
    call = Call(call.request_id, call.task, call.options, call.turns, call.caller, call.arrived, batch)
    assert choose_lane(call, [Picture(0, kind)]) == lane  # type: ignore[arg-type]


async def test_the_answer_of_a_collected_stream_is_the_same() -> None:
    bench = Bench()
    envelope = await collect(bench.inference.stream(bench.call(caller=Caller(language="zh"))))
    assert (envelope.code, envelope.msg, envelope.result.answer) == (0, "success", "hello")


async def test_two_services_in_one_process_know_nothing_of_each_other() -> None:
    one, other = Bench(limits=LaneLimits(slots=1, waiting=0)), Bench(limits=LaneLimits(slots=1, waiting=0))
    one.backend.pause = 30
    busy = asyncio.create_task(gather(one, one.call()))
    await asyncio.sleep(0.02)
    assert isinstance((await gather(other, other.call()))[-1], Final)
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
