"""The one path: a call walks through `Inference.stream` and leaves as a stream of events. Read this to understand the product.

Everything that can refuse a call stands before `Accepted`, so that a refusal keeps its HTTP status. Errors are raised, always;
the edges (HTTP, SDK, command line) show them. Cancelling means closing the generator: it unwinds through the task, the relay
and the backend down to the engine's connection.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from msgspec import UNSET
from msgspec.structs import replace

from sightline.protocol.errors import Error, Internal, MalformedRequest, Overloaded
from sightline.protocol.events import Accepted, Envelope, Event, Final, Metadata, Progress, Token
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.protocol.requests import VideoOptions
from sightline.service.account import Account, usage_of
from sightline.service.admission import Admission, Plan, Seat
from sightline.service.breaker import Breaker
from sightline.service.calls import Call, survey
from sightline.service.caveats import caveats
from sightline.service.deadline import Deadline
from sightline.service.flights import Flight
from sightline.service.lanes import Lane
from sightline.service.memory import name_answer, remembers
from sightline.service.ports import (
    AnswerCache,
    Calibrators,
    Clock,
    Lease,
    Ledger,
    Limits,
    MediaGate,
    MediaPolicy,
    Meter,
    Moderator,
    Pool,
    Probed,
)
from sightline.service.quarantine import Quarantine
from sightline.service.run import Run
from sightline.tasks.base import Answer, Policy, Said
from sightline.tasks.base import Lane as LaneName

_SIMULATED = Notice(
    "simulated",
    Bilingual("这是模拟引擎的回答，并非真实模型。", "A simulated engine answered, not a model."),
    Bilingual("仅用于测试。", "For tests only."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the service needs of the world. Those that may be None are switched off without them."""

    media: MediaGate
    pool: Pool
    clock: Clock
    meter: Meter
    moderator: Moderator | None = None
    cache: AnswerCache | None = None
    limits: Limits | None = None
    ledger: Ledger | None = None
    calibrators: Calibrators | None = None
    policy: Policy = field(default_factory=Policy)


class Inference:
    """Answers calls. One instance is one service; two fit in one process."""

    def __init__(self, ports: Ports, lanes: Mapping[LaneName, Lane], relief: Mapping[LaneName, Lane] | None = None) -> None:
        self._ports = ports
        self._lanes = lanes
        self._breaker = Breaker(ports.clock)
        self._admission = Admission(ports.pool, lanes, relief or {}, self._breaker)
        self._quarantine = Quarantine(ports.clock)
        self._flights: dict[bytes, Flight] = {}

    async def stream(self, call: Call) -> AsyncGenerator[Event]:
        """The call's events: `Accepted`, any number of `Token` and `Progress`, `Final`.

        Raises a class of `protocol.errors` at any point; before `Accepted` it is a refusal, after it a failure.
        """
        ports, scopes = self._ports, call.caller.scopes
        account = Account(call, ports.clock, ports.meter, ports.ledger)
        deadline = Deadline(ports.clock, call.arrived, call.timeout_ms)
        lease: Lease | None = None
        used: int | None = 0
        try:
            # From the call to its place: probe, bounds, price, limits, moderation.
            scopes.permit(task=call.task.name, model=call.options.model)
            probed = await self._probe(call, deadline)
            call = survey(call, probed)
            deadline.extend(call.arrived + call.timeout_ms / 1000, call.timeout_ms)
            self._quarantine.check(probed)
            account.lane = lane = choose_lane(call, probed)
            if most := self._lanes[lane].limits.timeout_ms:
                call = call.within(most)
                deadline.shorten(call.arrived + call.timeout_ms / 1000, call.timeout_ms)
            scopes.permit(lane=lane)
            plan = await self._admission.plan(call, lane, probed, deadline)
            scopes.permit(model=plan.info.name)
            _check_priority(call)
            lease = await ports.limits.admit(call.caller, plan.price) if ports.limits else None
            if ports.moderator:
                for turn in call.turns:
                    await deadline.within("moderation", ports.moderator.check(turn.text, call.caller))
            async with aclosing(self._recall(call, probed, plan, deadline)) as events:
                async for event in events:
                    if isinstance(event, Accepted):
                        used = None  # From here on the price stands until the real cost is known.
                    elif isinstance(event, Final):
                        used = _spent(event)
                        account.answered(event)
                    yield event
        except Error as error:
            account.failed(error)
            raise
        except Exception as error:
            account.failed(Internal(cause=type(error).__name__))
            raise
        finally:
            if lease:
                lease.release(used)
            deadline.close()
            account.close()

    async def _probe(self, call: Call, deadline: Deadline) -> Sequence[Probed]:
        """The inputs, their headers read; none is no work."""
        sources, ports = call.sources, self._ports
        if not sources:
            return ()
        reject = isinstance(call.options, VideoOptions) and call.options.on_long_video == "reject"
        policy = MediaPolicy(kinds=call.task.media.kinds, reject_long_video=reject)
        asked = ports.clock.now()
        probed = await deadline.within("media", ports.media.probe(sources, policy, call.caller))
        ports.meter.prepared("probe", ports.clock.now() - asked)
        _check_kinds(call, probed)
        return probed

    async def _recall(self, call: Call, probed: Sequence[Probed], plan: Plan, deadline: Deadline) -> AsyncGenerator[Event]:
        """An answer that is known, or is being worked out for somebody else, or is worked out now."""
        ports = self._ports
        if ports.cache is None or not remembers(call):
            seat = self._admission.seat(call, plan, deadline)
            try:
                yield _accepted(call, seat, plan)
                async with aclosing(self._work(call, probed, plan, seat, deadline)) as events:
                    async for event in events:
                        yield event
            finally:
                seat.ticket.leave()
            return
        versions = (ports.media.version, ports.moderator.version if ports.moderator else "")
        key = name_answer(call, probed, plan.info, versions)
        if call.options.cache != "refresh" and (known := await ports.cache.get(key)):
            yield Accepted(
                request_id=call.request_id, lane=plan.lane, model=known.metadata.model, predicted_wait_ms=0, timeout_ms=call.timeout_ms
            )
            if call.task.prose and known.answer:
                yield Token(known.answer, 0)
            yield self._again(call, known, "hit")
            return
        if call.options.cache == "only":
            raise MalformedRequest(
                "options.cache", Bilingual("缓存中没有该答案", "there is no remembered answer"), ["auto", "refresh", "off"]
            )
        # Who refuses a lighter model's answer must not be handed one that somebody else is waiting for.
        joint = key + bytes([call.options.allow_degraded])
        mark, flight = "shared", self._flights.get(joint)
        if flight is None:
            mark, seat = "miss", self._admission.seat(call, plan, deadline)
            # The work's own time: it goes on for whoever has more of it than its first reader.
            shared = Deadline(ports.clock, call.arrived, call.timeout_ms)
            work = self._work(call, probed, plan, seat, shared, key)
            accepted = _accepted(call, seat, plan)
            flight = Flight(work, self._flights, joint, accepted=accepted, deadline=shared, ended=seat.ticket.leave)
        else:
            flight.extend(deadline.end, call.timeout_ms)
        async with flight:
            yield replace(flight.accepted, request_id=call.request_id)
            had = 0
            while had < len(flight.told) or await flight.goes_beyond(had, deadline):
                event, had = flight.told[had], had + 1
                yield self._again(call, event, mark) if isinstance(event, Final) else event

    def _again(self, call: Call, final: Final, mark: str) -> Final:
        """Somebody's final event as this call's own."""
        metadata = replace(final.metadata, cache=mark, processing_time_ms=self._milliseconds(call))
        if mark == "hit":
            metadata = replace(metadata, queue_ms=0, first_token_ms=None)
        return replace(final, request_id=call.request_id, metadata=metadata)

    async def _work(
        self, call: Call, probed: Sequence[Probed], plan: Plan, seat: Seat, deadline: Deadline, key: bytes | None = None
    ) -> AsyncGenerator[Event]:
        """The task at work, from its place in the lane to its final event. With a `key`, a whole answer of the asked model is
        remembered under it before it is told."""
        ports = self._ports

        def relieve(refusal: Error) -> Seat:
            return self._admission.relieve(call, plan, deadline, refusal)

        run = Run(
            call,
            probed,
            seat,
            relieve,
            deadline,
            ports.media,
            ports.clock,
            ports.meter,
            ports.moderator,
            self._quarantine,
            self._breaker,
            ports.calibrators,
            ports.policy,
        )
        try:
            index = 0
            answer: Answer | None = None
            async with aclosing(call.task.run(run)) as happenings:
                async for happening in happenings:
                    match happening:
                        case Said(text, logprobs):
                            if index == 0:
                                ports.meter.first_token(plan.lane, ports.clock.now() - call.arrived)
                            told = logprobs if logprobs is not None and getattr(call.options, "logprobs", False) else UNSET
                            yield Token(text, index, told)
                            index += 1
                        case Progress():
                            yield happening
                        case Answer():
                            answer = happening
            if answer is None:
                raise Internal(cause=f"task {call.task.name} ended without an answer")
            final = self._finish(call, probed, plan, run, answer)
            if key is not None and final.code == 0 and ports.cache:
                await ports.cache.put(key, final)
            yield final
        finally:
            run.leave()

    def _finish(self, call: Call, probed: Sequence[Probed], plan: Plan, run: Run, answer: Answer) -> Final:
        info = run.served
        confidence, calibrated = answer.confidence, bool(answer.calibrated)
        if confidence is not None and answer.calibrated is None and (calibrator := run.calibrator("answer")):
            confidence, calibrated = calibrator.share(confidence), True
        notices = [*run.notices, *answer.notices, *caveats(call, probed), *([_SIMULATED] if info.fake else [])]
        metadata = Metadata(
            processing_time_ms=self._milliseconds(call),
            activated_experts=info.active_experts,
            input_tokens=run.input_tokens,
            output_tokens=run.output_tokens,
            model=info.name,
            task=call.task.name,
            lane=plan.lane,
            finish_reason=answer.finish,
            calibrated=calibrated,
            queue_ms=round(run.queued_seconds * 1000),
            first_token_ms=None if run.first_token is None else round((run.first_token - call.arrived) * 1000),
            receipts=run.receipts,
        )
        if run.experts:
            metadata = replace(metadata, expert_usage=run.experts)
        if run.degraded:
            metadata = replace(metadata, degraded=run.degraded)
        return Final(
            answer=answer.text,
            metadata=metadata,
            confidence=confidence,
            request_id=call.request_id,
            code=Overloaded.code if run.degraded else 0,
            msg=_DEGRADED.pick(call.caller.language) if run.degraded else "success",
            structured=answer.structured,
            warnings=tuple(notice.show(call.caller.language) for notice in notices),
        )

    def _milliseconds(self, call: Call) -> int:
        return round((self._ports.clock.now() - call.arrived) * 1000)


_DEGRADED = Bilingual("所请求的模型正忙，由较轻的模型作答", "the asked model is busy; a lighter one answered")


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


def _accepted(call: Call, seat: Seat, plan: Plan) -> Accepted:
    return Accepted(
        request_id=call.request_id,
        lane=plan.lane,
        model=seat.degraded.served if seat.degraded else plan.info.name,
        predicted_wait_ms=round(seat.ticket.predicted_wait * 1000),
        timeout_ms=call.timeout_ms,
        degraded=seat.degraded is not None,
    )


def _check_priority(call: Call) -> None:
    most = call.caller.most_priority
    if call.options.priority > most:
        raise MalformedRequest("options.priority", Bilingual(f"此密钥至多为 {most}", f"this key may ask for at most {most}"), f"0..{most}")


def _check_kinds(call: Call, probed: Sequence[Probed]) -> None:
    for item in probed:
        if item.kind not in call.task.media.kinds:
            reason = Bilingual(f"该任务不接受{item.kind}（{item.format}）", f"this task does not take a {item.kind} ({item.format})")
            raise MalformedRequest(f"images[{item.index}]", reason, sorted(call.task.media.kinds))


def _spent(final: Final) -> int | None:
    """Tokens that the call cost; 0 for an answer that somebody else paid for."""
    if final.metadata.cache in ("hit", "shared"):
        return 0
    usage = usage_of(final)
    return None if usage is None else usage.input_tokens + usage.output_tokens
