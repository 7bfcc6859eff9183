"""One call at work: the context that its task sees, and the loop over engines around slot and generation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from itertools import islice
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from sightline.prompt import Delta, Prompt, View
from sightline.protocol.errors import BackendUnavailable, Error, Internal, Overloaded
from sightline.protocol.events import Degraded, ExpertUsage
from sightline.protocol.language import Language
from sightline.protocol.receipts import Notice, Receipt
from sightline.service.admission import Seat, weigh
from sightline.service.breaker import Breaker
from sightline.service.calls import Call, given
from sightline.service.deadline import Deadline
from sightline.service.pace import Pace
from sightline.service.ports import Backend, Calibrators, Clock, Loaded, MediaGate, Meter, ModelInfo, Moderator, Probed
from sightline.service.quarantine import Quarantine
from sightline.service.record import Record
from sightline.service.relay import Relay
from sightline.service.vision import look, magnify
from sightline.tasks.base import Given, Look, Policy, Render, Shown, Utterance
from sightline.tasks.confidence import Calibrator
from sightline.tasks.personas import Persona

T = TypeVar("T")
_log = logging.getLogger(__name__)
_RECOVERY_SECONDS = 5.0
"""How long a call without a token yet waits for its engine to come back before it is tried again."""


class Run:
    """Implements `tasks.base.Context` for one call, and remembers what its final event tells."""

    def __init__(
        self,
        call: Call,
        probed: Sequence[Probed],
        seat: Seat,
        relieve: Callable[[Error], Seat],
        deadline: Deadline,
        media: MediaGate,
        clock: Clock,
        meter: Meter,
        moderator: Moderator | None,
        quarantine: Quarantine,
        breaker: Breaker,
        calibrators: Calibrators | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._call = call
        self._probed = probed
        self._seats = [seat]
        self._relieve = relieve
        self._deadline = deadline
        self._media = media
        self._clock = clock
        self._meter = meter
        self._moderator = moderator
        self._quarantine = quarantine
        self._breaker = breaker
        self._calibrators = calibrators
        self.policy = policy or Policy()
        self._loaded: dict[View, tuple[Loaded, ...]] = {}
        self._loading = asyncio.Lock()
        self._served: ModelInfo | None = None
        self._record = Record()
        self.degraded: Degraded | None = None
        """Set once a lighter model has answered any part of the call."""
        self.first_token: float | None = None
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.experts: ExpertUsage | None = None
        """Of the generation that told last."""

    @property
    def options(self) -> Any:
        return self._call.options

    @property
    def language(self) -> Language:
        return self._call.language

    @property
    def persona(self) -> Persona | None:
        return self._call.persona

    @property
    def text(self) -> str:
        return self._call.text

    @property
    def given(self) -> tuple[Given, ...]:
        return given(self._probed)

    @property
    def seconds_left(self) -> float:
        return self._deadline.left()

    def calibrator(self, what: str, task: str | None = None) -> Calibrator | None:
        """See the contract of `Context`."""
        if self._calibrators is None or self._served is None:
            return None
        return self._calibrators.find(task or self._call.task.name, self._served.name, what)

    @property
    def served(self) -> ModelInfo:
        """The model that answered last."""
        if self._served is None:
            raise Internal(cause="a task ended without asking any model")
        return self._served

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        return self._record.receipts

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What a person should know about the inputs."""
        return self._record.notices

    @property
    def queued_seconds(self) -> float:
        return sum(seat.ticket.queued_seconds for seat in self._seats)

    def leave(self) -> None:
        """Frees the call's places in the waiting rooms."""
        for seat in self._seats:
            seat.ticket.leave()

    async def generate(self, render: Render, *looks: Look, bare: bool = False) -> AsyncGenerator[Delta]:
        """One generation, read at the caller's pace while the engine works at its own."""
        relay = Relay()
        producer = asyncio.create_task(self._produce(_Asked(render, looks, bare), relay))
        try:
            while (delta := await relay.get()) is not None:
                yield delta
        finally:
            # The engine's connection is closed when this returns: nothing goes on behind a caller who left.
            if not producer.done():
                producer.cancel()
                await asyncio.wait([producer])

    async def _produce(self, asked: _Asked, relay: Relay) -> None:
        try:
            await self._deadline.wait("generation", self._drive(asked, relay))
        except Error as error:
            relay.end(error)
        except Exception as error:
            _log.exception("generation of %s failed", self._call.request_id)
            relay.end(Internal(cause=type(error).__name__))
        else:
            relay.end()

    async def _drive(self, asked: _Asked, relay: Relay) -> None:
        """The asked model first; where it fails before a token was seen, the lighter one."""
        seat = self._seats[-1]
        try:
            await self._serve(seat, asked, relay)
        except (BackendUnavailable, Overloaded) as error:
            if relay.touched or seat.degraded:
                raise
            if seat is self._seats[-1]:  # else another generation of this call has found the lighter model meanwhile
                self._seats.append(self._relieve(error))
            await self._serve(self._seats[-1], asked, relay)

    async def _serve(self, seat: Seat, asked: _Asked, relay: Relay) -> None:
        """Two tries while no token was seen: an engine that is ready, then another one, or the same once it is back.

        Where an engine died, the second is made alone: if one dies again, this call's input took it down and is kept away.
        """
        first, *others = sorted(seat.backends, key=lambda backend: not self._breaker.usable(backend))
        try:
            return await self._try(first, seat, asked, relay)
        except BackendUnavailable as error:
            _log.warning("%s: %s failed: %s", self._call.request_id, first.name, error.cause)
            if relay.touched or error.retried:
                raise
            failure = error
        died = not first.ready()
        second = next((backend for backend in others if self._breaker.usable(backend)), first)
        if not await second.wait_ready(_RECOVERY_SECONDS):
            raise failure
        try:
            return await self._try(second, seat, asked, relay, alone=died)
        except BackendUnavailable as error:
            _log.warning("%s: %s failed again: %s", self._call.request_id, second.name, error.cause)
            raise

    async def _try(self, backend: Backend, seat: Seat, asked: _Asked, relay: Relay, *, alone: bool = False) -> None:
        info = backend.info
        if info is None:
            raise BackendUnavailable(cause=f"{backend.name} has not come up")
        view = look(info, self._call.options.detail)
        parts = asked.looks or asked.bare
        turns = await (self._alone(asked.looks, info, view, seat) if parts else self._conversation(view, seat))
        prompt = replace(asked.render(turns), priority=self._call.options.priority, whole=self._call.whole)
        company = self._quarantine.company(backend.name)
        # The slot first: who waits for company to go holds up nobody who has to finish for that.
        async with seat.ticket.slot(weigh(prompt)) as waited:
            if not alone:
                async with company.together():
                    return await self._drain(backend, seat, info, prompt, relay, waited)
            async with company.alone() as survived:
                if not await backend.wait_ready(_RECOVERY_SECONDS):
                    raise BackendUnavailable(cause=f"{backend.name} has not come back")
                try:
                    return await self._drain(backend, seat, info, prompt, relay, waited, survived)
                except BackendUnavailable:
                    if not backend.ready() and not relay.touched:
                        self._quarantine.isolate(self._probed)
                    raise

    async def _drain(
        self,
        backend: Backend,
        seat: Seat,
        info: ModelInfo,
        prompt: Prompt,
        relay: Relay,
        waited: float,
        begun: Callable[[], None] | None = None,
    ) -> None:
        """One generation into the relay; `begun` is called at its first delta."""
        self._served = info
        self.degraded = self.degraded or seat.degraded
        pace = Pace(self._clock)
        deltas = backend.generate(prompt, tenant=self._call.caller.tenant)
        if self._moderator:
            deltas = self._moderator.screen(deltas, self._call.caller)
        try:
            async with aclosing(deltas):
                async for delta in deltas:
                    if not relay.touched:
                        self._breaker.answered(backend)
                        if begun:
                            begun()
                    pace.note(delta)
                    self._note(delta)
                    relay.put(delta)
        except BackendUnavailable as error:
            if not relay.touched:
                self._breaker.failed(backend)
            if error.fatal:
                self._quarantine.isolate(self._probed)
            raise
        finally:
            self._meter.generated(seat.ticket.lane.name, waited, pace.seconds, pace.between)

    def _note(self, delta: Delta) -> None:
        if self.first_token is None and delta.text:
            self.first_token = self._clock.now()
        self.experts = delta.experts or self.experts
        if delta.usage:
            self.input_tokens = (self.input_tokens or 0) + delta.usage.input_tokens
            self.output_tokens = (self.output_tokens or 0) + delta.usage.output_tokens

    async def _conversation(self, view: View, seat: Seat) -> tuple[Utterance, ...]:
        """The turns with their media as `view` shows them; each view is loaded once a call."""
        loaded = await self._all(view, seat) if self._probed else ()
        for item in loaded:
            self._record.note(item)
        remaining = iter(loaded)
        return tuple(
            Utterance(turn.role, turn.text, tuple(Shown(item.kind, item.frames) for item in islice(remaining, len(turn.images))))
            for turn in self._call.turns
        )

    async def _all(self, view: View, seat: Seat) -> tuple[Loaded, ...]:
        async with self._loading:
            if view not in self._loaded:
                self._loaded[view] = await together(self._load(item, view, seat) for item in self._probed)
        return self._loaded[view]

    async def _alone(self, looks: Sequence[Look], info: ModelInfo, view: View, seat: Seat) -> tuple[Utterance, ...]:
        """One turn, the new question, with the views that a task asked for. They are loaded anew: most are seen once."""
        loaded = await together(self._load(self._probed[one.input], self._closer(one, info, view), seat, one) for one in looks)
        for item, one in zip(loaded, looks, strict=True):
            self._record.note(item, one)
        return (Utterance("user", self._call.text, tuple(Shown(item.kind, item.frames) for item in loaded)),)

    def _closer(self, one: Look, info: ModelInfo, view: View) -> View:
        if one.crop is None:
            return view
        item = self._probed[one.input]
        return magnify((item.width, item.height), one.crop, one.scale, view, info.max_view_pixels)

    async def _load(self, item: Probed, view: View, seat: Seat, one: Look | None = None) -> Loaded:
        asked = self._clock.now()
        crop, pages = (one.crop, one.pages or None) if one else (None, None)
        loaded = await self._media.load(item, view, lane=seat.ticket.lane.name, crop=crop, pages=pages)
        self._meter.prepared("load", self._clock.now() - asked)
        if self._moderator:
            await self._moderator.look(loaded, self._call.caller)
        return loaded


class _Asked(msgspec.Struct, frozen=True):
    """What a task wants of one generation."""

    render: Render
    looks: tuple[Look, ...]
    bare: bool


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """The outcomes of all works, done at the same time. The first error stops the others and is raised as it is."""
    works = list(works)
    if len(works) == 1:
        return (await works[0],)
    try:
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(work) for work in works]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return tuple(job.result() for job in jobs)
