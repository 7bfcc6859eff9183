"""The bundled engine, supervised: a child process (`child.py`), found broken within seconds, back in service in under two.

Generations under way when it ends raise `BackendUnavailable` at once: those of a dead child because their connections break,
those of a hanging one because it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from sightline.backends.child import Child, end, how_it_ended, launch
from sightline.backends.engine import EngineSettings
from sightline.backends.openai import OpenAIClient
from sightline.backends.stillness import running_times
from sightline.backends.threads import engine_threads, free_cores
from sightline.backends.weights import DEFAULT_CONTEXT, Weights, find_weights
from sightline.prompt import Delta, Prompt
from sightline.protocol.errors import BackendUnavailable
from sightline.service.ports import ModelInfo, StartupError

_log = logging.getLogger("sightline.engine")
_BACKGROUND_NICE = 10
_LOOKS = 4
"""At a child that owes an answer, before it is held to stand still."""
_NOTICE_SECONDS = 0.2
"""A process whose connections are gone is itself gone within milliseconds, or not at all."""


@dataclass(frozen=True, slots=True)
class Watch:
    """When a child counts as broken, and how it is brought back; all in seconds.

    It is asked for a sign of life `every_s`. One that gives none hangs after `hang_s`; one that gives none and was seen to stand
    still for `still_s`, after that: it has an answer to give, and none of its threads runs or waits for a processor.

    The first restart is immediate; each further one waits twice as long, up to `most_backoff_s`, until a child has been well for
    `settled_s`. `start_s` bounds loading the model.
    """

    every_s: float = 0.5
    hang_s: float = 5.0
    still_s: float = 1.0
    first_backoff_s: float = 0.5
    most_backoff_s: float = 30.0
    settled_s: float = 30.0
    start_s: float = 300.0

    def backoff(self, failures: int) -> float:
        """The wait before the restart after so many failures in a row."""
        return min(self.most_backoff_s, self.first_backoff_s * 2 ** min(failures - 2, 30)) if failures > 1 else 0.0


class LocalBackend:
    """A `Backend` of this machine.

    `model` and `mmproj` are as for `find_weights`. `context` is the tokens a slot can hold. A `background` engine runs at lower
    priority and with fewer threads.
    """

    def __init__(
        self,
        name: str,
        model: str,
        *,
        mmproj: str | None = None,
        slots: int = 4,
        threads: int | None = None,
        context: int | None = None,
        background: bool = False,
        stall_s: float = 60.0,
        watch: Watch | None = None,
        new_key: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self.name = name
        self._model, self._mmproj = model, mmproj
        self._slots = slots
        self._threads = threads or engine_threads(free_cores(), background=background)
        self._context = context
        self._nice = _BACKGROUND_NICE if background else 0
        self._stall_s = stall_s
        self._watch = watch or Watch()
        self._new_key = new_key
        self._weights: Weights | None = None
        self._info: ModelInfo | None = None
        self._child: Child | None = None
        self._restarts = 0
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def info(self) -> ModelInfo | None:
        return self._info

    @property
    def restarts(self) -> int:
        """How often another child took the place of one that ended or hung."""
        return self._restarts

    @property
    def pid(self) -> int | None:
        """The child's process id, for the operator; None while there is none."""
        return self._child.process.pid if self._child else None

    async def start(self) -> None:
        """Finds the weights and starts the child; returns when it serves. Raises `StartupError`."""
        if self._keeper is not None:
            return
        weights = await asyncio.to_thread(find_weights, self._model, self._mmproj)
        made_for = weights.info.context_tokens or DEFAULT_CONTEXT
        context = min(self._context or DEFAULT_CONTEXT, made_for)
        self._weights = weights
        self._info = replace(weights.info, context_tokens=context)
        try:
            self._child = await self._launch(weights, self._info, context)
        except BackendUnavailable as error:
            raise StartupError(f"The engine could not start with {weights.model}: {error.cause}.") from error
        self._up.set()
        self._keeper = asyncio.create_task(self._keep(self._child, weights, self._info, context), name=f"keep {self.name}")

    async def close(self) -> None:
        """Ends the child and waits until it has gone."""
        self._up.clear()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        if self._child is not None:
            await end(self._child)
            self._child = None

    def ready(self) -> bool:
        return self._up.is_set()

    async def wait_ready(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    async def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        """See `Backend.generate`."""
        deltas = self._client().generate(prompt, tenant=tenant)
        child = self._child
        try:
            async for delta in deltas:
                yield delta
        except BackendUnavailable:
            await self._notice(child)
            raise
        finally:
            await deltas.aclose()

    async def decoded_tokens(self) -> int:
        """See `OpenAIClient.decoded_tokens`; counts from the child's start."""
        return await self._client().decoded_tokens()

    async def _notice(self, child: Child | None) -> None:
        """Where a connection broke because the child has ended, `ready` says so before anybody acts on the failure."""
        if child is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_NOTICE_SECONDS):
                await child.process.wait()
        if child is self._child and child.process.returncode is not None:
            self._up.clear()

    def _client(self) -> OpenAIClient:
        if self._child is None or not self._up.is_set():
            raise BackendUnavailable(cause="the engine is being restarted")
        return self._child.client

    async def _keep(self, child: Child, weights: Weights, info: ModelInfo, context: int) -> None:
        """Watches the child, and puts another in its place when it ends or hangs."""
        clock = asyncio.get_running_loop()
        failures = 0
        while True:
            since = clock.time()
            await self._watch_over(child)
            self._up.clear()
            failures = 1 if clock.time() - since > self._watch.settled_s else failures + 1
            await end(child)
            self._child = None
            while self._child is None:
                await asyncio.sleep(self._watch.backoff(failures))
                try:
                    child = self._child = await self._launch(weights, info, context)
                except BackendUnavailable as error:
                    failures += 1
                    _log.error("%s: the engine could not start again: %s", self.name, error.cause)
            self._restarts += 1
            self._up.set()
            _log.warning("%s: the engine is back", self.name)

    async def _watch_over(self, child: Child) -> None:
        """Returns when the child has ended, has not answered for `hang_s`, or stands still with a question before it."""
        clock = asyncio.get_running_loop()
        ended = asyncio.create_task(child.process.wait())
        answered = clock.time()
        try:
            while True:
                await asyncio.wait({ended}, timeout=self._watch.every_s)
                left = self._watch.hang_s - (clock.time() - answered)
                sign = None if left <= 0 or ended.done() else await self._sign_of_life(child, ended, left)
                if ended.done():
                    _log.error("%s: the engine ended (%s)", self.name, how_it_ended(ended.result()))
                    return
                if sign:
                    answered = clock.time()
                elif sign is None:
                    _log.error("%s: the engine hangs and is stopped", self.name)
                    child.process.kill()
                    return
        finally:
            ended.cancel()

    async def _sign_of_life(self, child: Child, ended: asyncio.Task[int], seconds: float) -> bool | None:
        """Whether the child answers within so long; None as soon as it was seen to do nothing at all for `still_s` instead.

        Looks are counted and not time: while the whole machine stands still, nobody looks.
        """
        asked = asyncio.create_task(child.client.healthy(seconds))
        looks, before = 0, None
        try:
            while looks < _LOOKS:
                await asyncio.wait({asked, ended}, timeout=self._watch.still_s / _LOOKS, return_when=asyncio.FIRST_COMPLETED)
                if asked.done() or ended.done():
                    return asked.done() and asked.result()
                now = running_times(child.process.pid)
                looks = looks + 1 if now is not None and now == before else 0
                before = now
            return None
        finally:
            asked.cancel()

    async def _launch(self, weights: Weights, info: ModelInfo, context: int) -> Child:
        """A child that serves. Raises `BackendUnavailable` with the reason as its cause."""
        key = self._new_key()
        settings = EngineSettings(
            model=str(weights.model),
            mmproj=str(weights.mmproj),
            name=info.name,
            key=key,
            slots=self._slots,
            context=context,
            threads=self._threads,
            least_image_tokens=max(1, info.view.min_pixels // info.view.grid**2),
            nice=self._nice,
            verbose=_log.isEnabledFor(logging.DEBUG),
        )
        return await launch(settings, self.name, recommended=weights.recommended, start_s=self._watch.start_s, stall_s=self._stall_s)
