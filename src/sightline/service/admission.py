"""Admission: what a call costs, where it may run, and whether a lighter model takes it when its own cannot.

Every refusal for want of room or time is made here, at once and not after the wait.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from sightline.prompt import Prompt, View
from sightline.protocol.errors import BackendUnavailable, DeadlineExceeded, Error, MalformedRequest, Overloaded
from sightline.protocol.events import Degraded
from sightline.protocol.language import Bilingual
from sightline.service.breaker import Breaker
from sightline.service.calls import Call
from sightline.service.deadline import Deadline
from sightline.service.lanes import Claim, Lane, Ticket
from sightline.service.ports import Backend, ModelInfo, Pool, Probed
from sightline.service.vision import look, visual_tokens
from sightline.tasks.base import Lane as LaneName
from sightline.tasks.base import Look

_START_SECONDS = 10.0
"""How long a call waits for an engine that has never answered yet."""


class Plan(msgspec.Struct, frozen=True):
    """What a call needs: the lane, the engines of the asked model, what is known of it, its inputs, and the price in tokens."""

    lane: LaneName
    backends: Sequence[Backend]
    info: ModelInfo
    probed: Sequence[Probed]
    price: int


class Seat(msgspec.Struct, frozen=True):
    """Where a call runs: its place in a lane, the engines behind it, and why they are not the asked model's."""

    ticket: Ticket
    backends: Sequence[Backend]
    degraded: Degraded | None = None


class Admission:
    """Plans calls and seats them. `relief` are the rooms of the lighter models, by lane."""

    def __init__(self, pool: Pool, lanes: Mapping[LaneName, Lane], relief: Mapping[LaneName, Lane], breaker: Breaker) -> None:
        self._pool = pool
        self._breaker = breaker
        self._lanes = lanes
        self._relief = relief

    async def plan(self, call: Call, lane: LaneName, probed: Sequence[Probed], deadline: Deadline) -> Plan:
        """What the call needs. Waits a moment for an engine that is still starting.

        Raises `MalformedRequest` for an unknown model and for what can never fit the model's context, `BackendUnavailable`.
        """
        backends = self._pool.candidates(lane, call.options.model, call.task.name)
        info = next((backend.info for backend in backends if backend.info), None)
        if info is None:
            await backends[0].wait_ready(min(_START_SECONDS, deadline.left()))
            info = backends[0].info
        if info is None:
            # The asked model has never been seen: plan for the lighter one, which will have to serve.
            info = next((backend.info for backend in self._lighter(call, lane) if backend.info), None)
        if info is None:
            raise BackendUnavailable(cause=f"{backends[0].name} has not come up")
        _check_context(call, probed, info)
        return Plan(lane, backends, info, probed, price(call, probed, info))

    def seat(self, call: Call, plan: Plan, deadline: Deadline) -> Seat:
        """A place in the lane, or with the lighter model where the lane is full, too slow or without an engine.

        Raises `Overloaded`, `DeadlineExceeded`, `TooLarge`, `BackendUnavailable`.
        """
        claim = Claim(plan.price, deadline.end, call.timeout_ms, call.caller.tenant, call.options.priority)
        lighter = self._lighter(call, plan.lane)
        if lighter and not any(self._breaker.usable(backend) for backend in plan.backends):
            refusal: Error = BackendUnavailable(cause="no engine of the asked model is ready")
        elif hopeless := min(self._breaker.hopeless(backend) for backend in plan.backends):
            refusal = BackendUnavailable(cause="every engine keeps failing", retry_after_ms=max(1000, round(hopeless * 1000)))
        else:
            try:
                return Seat(self._lanes[plan.lane].enter(claim), plan.backends)
            except (Overloaded, DeadlineExceeded) as full:
                refusal = full
        return self.relieve(call, plan, deadline, refusal)

    def relieve(self, call: Call, plan: Plan, deadline: Deadline, refusal: Error) -> Seat:
        """A place with the lighter model. Raises `refusal` where there is none that may and can answer."""
        lighter = self._lighter(call, plan.lane)
        info = next((backend.info for backend in lighter if backend.info), None)
        if info is None:
            raise refusal
        try:
            _check_context(call, plan.probed, info)
        except MalformedRequest:  # it is the asked model that the caller was promised room in
            raise refusal from None
        claim = Claim(price(call, plan.probed, info), deadline.end, call.timeout_ms, call.caller.tenant, call.options.priority)
        try:
            ticket = self._relief[plan.lane].enter(claim)
        except (Overloaded, DeadlineExceeded):
            raise refusal from None
        reason = "unavailable" if isinstance(refusal, BackendUnavailable) else "overloaded"
        return Seat(ticket, lighter, Degraded(requested=plan.info.name, served=info.name, reason=reason))

    def _lighter(self, call: Call, lane: LaneName) -> Sequence[Backend]:
        """The lighter engines that could answer now, if the caller lets them and may use them."""
        if not call.options.allow_degraded:
            return ()
        models = call.caller.scopes.models
        ready = [backend for backend in self._pool.lighter(lane) if backend.ready() and backend.info]
        return [backend for backend in ready if models is None or (backend.info and backend.info.name in models)]


def price(call: Call, probed: Sequence[Probed], info: ModelInfo) -> int:
    """The call's cost in tokens: what is shown, what is asked (three bytes a token, roughly), and the longest answer."""
    view = look(info, call.options.detail)
    asked = sum(len(turn.text.encode()) for turn in call.turns) // 3
    longest = call.task.sampling(call.options).max_tokens
    if call.looks is None:
        return sum(item.visual_tokens(view) for item in probed) + asked + longest
    shown = sum(_part(probed[one.input], one, view) for one in call.looks)
    return shown + len(call.looks) * (asked + longest)


def _part(item: Probed, one: Look, view: View) -> int:
    """What some pages of an input cost, as if all were alike."""
    return math.ceil(item.visual_tokens(view) * (len(one.pages) or item.pages) / item.pages)


def weigh(prompt: Prompt) -> int:
    """The cost in tokens of one generation, by the same measure."""
    said = sum(len(part.encode()) for message in prompt.messages for part in message.parts if isinstance(part, str)) // 3
    return prompt.visual_tokens + said + prompt.sampling.max_tokens


def _check_context(call: Call, probed: Sequence[Probed], info: ModelInfo) -> None:
    """Refuses what can never fit: what is shown and the longest answer asked for must leave the model room."""
    context = info.context_tokens
    if context is None:
        return
    longest = call.task.sampling(call.options).max_tokens
    if call.options.max_tokens is not None and call.options.max_tokens >= context:
        reason = Bilingual(f"模型上下文为 {context} 个 token", f"the model's context is {context} tokens")
        raise MalformedRequest("options.max_tokens", reason, f"1..{context - 1}")
    view = look(info, call.options.detail)
    # What is shown part by part needs room for the largest part alone.
    shown = (
        sum(item.visual_tokens(view) for item in probed)
        if call.looks is None
        else max(visual_tokens(probed[one.input].width, probed[one.input].height, view) for one in call.looks)
    )
    if shown + longest > context:
        reason = Bilingual(
            f"输入需 {shown} 个视觉 token，加上回答 {longest}，超出模型上下文 {context}",
            f"{shown} visual tokens and {longest} for the answer are over the model's context of {context}",
        )
        raise MalformedRequest("images", reason)
