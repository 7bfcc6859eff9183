"""One call at work: the context that its task sees, and the loop over candidate engines around slot and generation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import islice
from typing import Any, Literal, TypeVar

from sightline.prompt import Delta, View
from sightline.protocol.errors import BackendUnavailable, Error, Internal
from sightline.protocol.language import Language
from sightline.protocol.receipts import Notice, Receipt
from sightline.service.calls import Call
from sightline.service.deadline import Deadline
from sightline.service.lanes import Ticket
from sightline.service.ports import Backend, Clock, Loaded, MediaGate, ModelInfo, Moderator, Probed
from sightline.service.relay import Relay
from sightline.tasks.base import Render, Shown, Utterance

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
        candidates: Sequence[Backend],
        ticket: Ticket,
        deadline: Deadline,
        *,
        media: MediaGate,
        clock: Clock,
        moderator: Moderator | None,
    ) -> None:
        self._call = call
        self._probed = probed
        self._candidates = candidates
        self._deadline = deadline
        self._media = media
        self._clock = clock
        self._moderator = moderator
        self._loaded: dict[View, tuple[Loaded, ...]] = {}
        self._loading = asyncio.Lock()
        self._served: ModelInfo | None = None
        self._shown: tuple[Loaded, ...] = ()
        self.ticket = ticket
        self.first_token: float | None = None
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None

    @property
    def options(self) -> Any:
        return self._call.options

    @property
    def language(self) -> Language:
        return self._call.language

    @property
    def served(self) -> ModelInfo:
        """The model that answered last."""
        info = self._served or self._candidates[0].info
        if info is None:
            raise Internal(cause="a call ended before any engine was known")
        return info

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        return tuple(loaded.receipt for loaded in self._shown)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What a person should know about the inputs."""
        return tuple(notice for loaded in self._shown for notice in loaded.notices)

    async def generate(self, render: Render) -> AsyncGenerator[Delta]:
        """One generation, read at the caller's pace while the engine works at its own."""
        relay = Relay()
        producer = asyncio.create_task(self._produce(render, relay))
        try:
            while (delta := await relay.get()) is not None:
                yield delta
        finally:
            producer.cancel()
            # The engine's connection is closed when this returns: nothing goes on behind a caller who left.
            await asyncio.wait([producer])

    async def _produce(self, render: Render, relay: Relay) -> None:
        try:
            await self._deadline.within("generation", self._drive(render, relay))
        except Error as error:
            relay.end(error)
        except Exception as error:
            _log.exception("generation of %s failed", self._call.request_id)
            relay.end(Internal(cause=type(error).__name__))
        else:
            relay.end()

    async def _drive(self, render: Render, relay: Relay) -> None:
        """Tries the engines in order; the first has a second chance, once it is back, while no token was seen."""
        first, *others = self._candidates
        attempts = [first, first, *others]
        for number, backend in enumerate(attempts, start=1):
            try:
                await self._try(backend, render, relay)
                return
            except BackendUnavailable as error:
                _log.warning("%s: %s failed: %s", self._call.request_id, backend.name, error.details.get("cause"))
                if relay.touched or number == len(attempts):
                    raise
            await attempts[number].wait_ready(_RECOVERY_SECONDS)

    async def _try(self, backend: Backend, render: Render, relay: Relay) -> None:
        info = backend.info
        if info is None:
            raise BackendUnavailable(cause=f"{backend.name} has not come up")
        prompt = render(await self._conversation(look(info, self._call.options.detail)))
        async with self.ticket.slot():
            self._served = info
            deltas = backend.generate(prompt, tenant=self._call.caller.tenant)
            if self._moderator:
                deltas = self._moderator.screen(deltas, self._call.caller)
            async with aclosing(deltas):
                async for delta in deltas:
                    self._note(delta)
                    relay.put(delta)

    def _note(self, delta: Delta) -> None:
        if self.first_token is None and delta.text:
            self.first_token = self._clock.now()
        if delta.usage:
            self.input_tokens = (self.input_tokens or 0) + delta.usage.input_tokens
            self.output_tokens = (self.output_tokens or 0) + delta.usage.output_tokens

    async def _conversation(self, view: View) -> tuple[Utterance, ...]:
        """The turns with their media as `view` shows them; each view is loaded once a call."""
        async with self._loading:
            if view not in self._loaded:
                lane = self.ticket.lane.name
                self._loaded[view] = await together(self._load(item, view, lane) for item in self._probed)
        self._shown = self._loaded[view]
        remaining = iter(self._shown)
        return tuple(
            Utterance(turn.role, turn.text, tuple(Shown(item.kind, item.frames) for item in islice(remaining, len(turn.images))))
            for turn in self._call.turns
        )

    async def _load(self, item: Probed, view: View, lane: Literal["A", "B", "C"]) -> Loaded:
        loaded = await self._media.load(item, view, lane=lane)
        if self._moderator:
            await self._moderator.look(loaded, self._call.caller)
        return loaded


def look(info: ModelInfo, detail: Literal["low", "auto", "high"]) -> View:
    """The model's view at the asked detail: a quarter of its pixels, its default, or its maximum."""
    if detail == "low":
        return replace(info.view, max_pixels=max(info.view.min_pixels, info.view.max_pixels // 4))
    if detail == "high":
        return replace(info.view, max_pixels=info.max_view_pixels)
    return info.view


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """The outcomes of all works, done at the same time. The first error stops the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(work) for work in works]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return tuple(job.result() for job in jobs)
