"""The one path: a call walks through `Inference.stream` and leaves as a stream of events. Read this to understand the product.

Everything that can refuse a call stands before `Accepted`, so that a refusal keeps its HTTP status. Errors are raised, always;
the edges (HTTP, SDK, command line) show them. Cancelling means closing the generator: it unwinds through the task, the relay
and the backend down to the engine's connection.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from sightline.protocol.errors import BackendUnavailable, Error, Internal, MalformedRequest
from sightline.protocol.events import Accepted, Envelope, Event, Final, Metadata, Progress, Token
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.service.calls import Call
from sightline.service.deadline import Deadline
from sightline.service.lanes import Lane
from sightline.service.ports import Backend, Clock, MediaGate, MediaPolicy, Meter, ModelInfo, Moderator, Pool, Probed
from sightline.service.run import Run, look
from sightline.tasks.base import Answer, Said
from sightline.tasks.base import Lane as LaneName

_SIMULATED = Notice(
    "simulated",
    Bilingual("这是模拟引擎的回答，并非真实模型。", "A simulated engine answered, not a model."),
    Bilingual("仅用于测试。", "For tests only."),
)


class Inference:
    """Answers calls. One instance is one service; two fit in one process."""

    def __init__(
        self,
        *,
        media: MediaGate,
        pool: Pool,
        lanes: Mapping[LaneName, Lane],
        clock: Clock,
        meter: Meter,
        moderator: Moderator | None = None,
    ) -> None:
        self._media = media
        self._pool = pool
        self._lanes = lanes
        self._clock = clock
        self._meter = meter
        self._moderator = moderator

    async def stream(self, call: Call) -> AsyncGenerator[Event]:
        """The call's events: `Accepted`, any number of `Token` and `Progress`, `Final`.

        Raises a class of `protocol.errors` at any point; before `Accepted` it is a refusal, after it a failure.
        """
        try:
            async with aclosing(self._answer(call)) as events:
                async for event in events:
                    yield event
        except Error as error:
            self._meter.refused(call.task.name, error.code)
            raise

    async def _answer(self, call: Call) -> AsyncGenerator[Event]:
        deadline = Deadline(self._clock, call.arrived, call.timeout_ms)
        policy = MediaPolicy(kinds=call.task.media.kinds)
        probed = await deadline.within("media", self._media.probe(call.sources, policy, call.caller))
        _check_kinds(call, probed)
        lane = self._lanes[choose_lane(call, probed)]
        candidates = self._pool.candidates(lane.name, call.options.model)
        info = await deadline.within("engine", _known(candidates[0]))
        _check_context(call, probed, info)
        ticket = lane.enter(call.timeout_ms, deadline.left())
        try:
            if self._moderator:
                for turn in call.turns:
                    await deadline.within("moderation", self._moderator.check(turn.text, call.caller))
            wait = lane.predicted_wait()
            yield Accepted(request_id=call.request_id, lane=lane.name, model=info.name, predicted_wait_ms=round(wait * 1000))
            run = Run(call, probed, candidates, ticket, deadline, media=self._media, clock=self._clock, moderator=self._moderator)
            index = 0
            answer: Answer | None = None
            async with aclosing(call.task.run(run)) as happenings:
                async for happening in happenings:
                    match happening:
                        case Said(text):
                            if index == 0:
                                self._meter.first_token(lane.name, self._clock.now() - call.arrived)
                            yield Token(text, index)
                            index += 1
                        case Progress():
                            yield happening
                        case Answer():
                            answer = happening
            if answer is None:
                raise Internal(cause=f"task {call.task.name} ended without an answer")
            final = self._finish(call, lane, run, answer)
            self._meter.answered(final, self._clock.now() - call.arrived)
            yield final
        finally:
            ticket.leave()

    def _finish(self, call: Call, lane: Lane, run: Run, answer: Answer) -> Final:
        info = run.served
        notices = [*run.notices, *answer.notices, *([_SIMULATED] if info.fake else [])]
        metadata = Metadata(
            processing_time_ms=round((self._clock.now() - call.arrived) * 1000),
            activated_experts=info.active_experts,
            input_tokens=run.input_tokens,
            output_tokens=run.output_tokens,
            model=info.name,
            task=call.task.name,
            lane=lane.name,
            finish_reason=answer.finish,
            queue_ms=round(run.ticket.queued_seconds * 1000),
            first_token_ms=None if run.first_token is None else round((run.first_token - call.arrived) * 1000),
            receipts=run.receipts,
        )
        return Final(
            answer=answer.text,
            metadata=metadata,
            confidence=answer.confidence,
            request_id=call.request_id,
            structured=answer.structured,
            warnings=tuple(notice.show(call.caller.language) for notice in notices),
        )


async def collect(events: AsyncGenerator[Event]) -> Envelope:
    """A stream's answer as the body of a non-streaming call. Raises what the stream raises."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Final):
                return event.envelope()
    raise Internal(cause="a stream ended without its final event")


def choose_lane(call: Call, probed: Sequence[Probed]) -> LaneName:
    """Video to C; batch work and documents to B; everything else to the task's own lane. Never the client's choice."""
    if any(item.kind == "video" for item in probed):
        return "C"
    if call.batch or any(item.kind == "document" for item in probed):
        return "B"
    return call.task.lane


async def _known(backend: Backend) -> ModelInfo:
    """The model behind a backend, waiting a moment for an engine that is still starting."""
    if backend.info is None:
        await backend.wait_ready(10.0)
    if backend.info is None:
        raise BackendUnavailable(cause=f"{backend.name} has not come up")
    return backend.info


def _check_kinds(call: Call, probed: Sequence[Probed]) -> None:
    for item in probed:
        if item.kind not in call.task.media.kinds:
            reason = Bilingual(f"该任务不接受{item.kind}（{item.format}）", f"this task does not take a {item.kind} ({item.format})")
            raise MalformedRequest(f"images[{item.index}]", reason, sorted(call.task.media.kinds))


def _check_context(call: Call, probed: Sequence[Probed], info: ModelInfo) -> None:
    """Refuses what can never fit: what is shown and the longest answer asked for must leave the model room."""
    if info.context_tokens is None:
        return
    shown = sum(item.visual_tokens(look(info, call.options.detail)) for item in probed)
    wanted = call.task.sampling(call.options).max_tokens
    if call.options.max_tokens is not None and call.options.max_tokens >= info.context_tokens:
        reason = Bilingual(f"超出模型上下文 {info.context_tokens}", f"the model's context is {info.context_tokens} tokens")
        raise MalformedRequest("options.max_tokens", reason, f"1..{info.context_tokens - 1}")
    if shown + wanted > info.context_tokens:
        reason = Bilingual(
            f"输入需 {shown} 个视觉 token，加上回答 {wanted}，超出模型上下文 {info.context_tokens}",
            f"{shown} visual tokens and {wanted} for the answer are over the model's context of {info.context_tokens}",
        )
        raise MalformedRequest("images", reason)
