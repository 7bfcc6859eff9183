"""The bundled engine, supervised: `engine.py` in a child process, found broken within seconds, back in service in under two.

The child gets a fresh key at every start and listens on a port of its own choice, so nothing of an earlier child is ever
spoken to. Generations under way when it ends raise `BackendUnavailable` at once, because their connections break.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

import msgspec

from sightline.backends.dialects import LLAMA_CPP
from sightline.backends.engine import EngineSettings, Ready, Report
from sightline.backends.openai import OpenAIClient
from sightline.backends.threads import engine_threads, free_cores
from sightline.backends.weights import DEFAULT_CONTEXT, Weights, find_weights
from sightline.prompt import Delta, Prompt
from sightline.protocol.errors import BackendUnavailable
from sightline.service.ports import ModelInfo, StartupError

_log = logging.getLogger("sightline.engine")
_LEVELS = {"W": logging.INFO, "E": logging.WARNING}
_MOST_LINE = 300
_BACKGROUND_NICE = 10
_ENDED_BY_US = (0, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGIO)


@dataclass(frozen=True, slots=True)
class Watch:
    """When a child counts as broken, and how it is brought back; all in seconds.

    The first restart is immediate; each further one waits twice as long, up to `most_backoff_s`, until a child has been well for
    `settled_s`. `start_s` bounds loading the model.
    """

    every_s: float = 1.0
    hang_s: float = 5.0
    first_backoff_s: float = 0.5
    most_backoff_s: float = 30.0
    settled_s: float = 30.0
    start_s: float = 300.0

    def backoff(self, failures: int) -> float:
        """The wait before the restart after so many failures in a row."""
        return min(self.most_backoff_s, self.first_backoff_s * 2 ** min(failures - 2, 30)) if failures > 1 else 0.0


@dataclass(frozen=True, slots=True)
class _Child:
    process: asyncio.subprocess.Process
    client: OpenAIClient
    log: asyncio.Task[None]


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
        self._child: _Child | None = None
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def info(self) -> ModelInfo | None:
        return self._info

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
            await _end(self._child)
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
        try:
            async for delta in deltas:
                yield delta
        finally:
            await deltas.aclose()

    async def decoded_tokens(self) -> int:
        """See `OpenAIClient.decoded_tokens`; counts from the child's start."""
        return await self._client().decoded_tokens()

    def _client(self) -> OpenAIClient:
        if self._child is None or not self._up.is_set():
            raise BackendUnavailable(cause="the engine is being restarted")
        return self._child.client

    async def _keep(self, child: _Child, weights: Weights, info: ModelInfo, context: int) -> None:
        """Watches the child, and puts another in its place when it ends or hangs."""
        clock = asyncio.get_running_loop()
        failures = 0
        while True:
            since = clock.time()
            await self._watch_over(child)
            self._up.clear()
            failures = 1 if clock.time() - since > self._watch.settled_s else failures + 1
            await _end(child)
            self._child = None
            while self._child is None:
                await asyncio.sleep(self._watch.backoff(failures))
                try:
                    child = self._child = await self._launch(weights, info, context)
                except BackendUnavailable as error:
                    failures += 1
                    _log.error("%s: the engine could not start again: %s", self.name, error.cause)
            self._up.set()
            _log.warning("%s: the engine is back", self.name)

    async def _watch_over(self, child: _Child) -> None:
        """Returns when the child has ended or has not answered for `hang_s`."""
        clock = asyncio.get_running_loop()
        ended = asyncio.create_task(child.process.wait())
        answered = clock.time()
        try:
            while True:
                await asyncio.wait({ended}, timeout=self._watch.every_s)
                if ended.done():
                    _log.error("%s: the engine ended (%s)", self.name, _how_it_ended(ended.result()))
                    return
                left = self._watch.hang_s - (clock.time() - answered)
                if left > 0 and await child.client.healthy(left):
                    answered = clock.time()
                elif left <= 0:
                    _log.error("%s: the engine hangs and is stopped", self.name)
                    child.process.kill()
                    return
        finally:
            ended.cancel()

    async def _launch(self, weights: Weights, info: ModelInfo, context: int) -> _Child:
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
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            # -P: what lies in the working directory is no module. A session of its own: Ctrl-C is for the service, which ends the child.
            *(sys.executable, "-P", "-m", "sightline.backends.engine"),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
        )
        log = asyncio.create_task(_pass_log(process, self.name), name=f"log {self.name}")
        report: Report | None = None
        try:
            async with asyncio.timeout(self._watch.start_s):
                report = await _introduce(process, settings)
        except TimeoutError:
            raise BackendUnavailable(cause=f"it was not ready within {self._watch.start_s:g} s") from None
        finally:
            if not isinstance(report, Ready):
                await _kill(process)
                await log
        if not isinstance(report, Ready):
            code = process.returncode
            reason = _how_it_ended(code) if report is None else "it cannot read the model; its log says why"
            raise BackendUnavailable(cause=reason)
        client = OpenAIClient(
            f"http://127.0.0.1:{report.port}",
            dialect=LLAMA_CPP,
            model=info.name,
            key=key,
            recommended=weights.recommended,
            stall_s=self._stall_s,
        )
        return _Child(process, client, log)


async def _introduce(process: asyncio.subprocess.Process, settings: EngineSettings) -> Report | None:
    """Tells the child its settings and hears its report; None when it ended without one."""
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("a child without pipes")
    with contextlib.suppress(ConnectionError):
        stdin.write(msgspec.json.encode(settings) + b"\n")
        await stdin.drain()
    line = await stdout.readline()
    return msgspec.json.decode(line, type=Report) if line.endswith(b"\n") else None


async def _pass_log(process: asyncio.subprocess.Process, name: str) -> None:
    """The child's log through ours, line by line. When it ends by itself, its last words are shown whatever the level."""
    stream = process.stderr
    if stream is None:
        return
    rest = b""
    last: deque[str] = deque(maxlen=8)
    while chunk := await stream.read(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:_MOST_LINE]
        for line in lines:
            text = line[:_MOST_LINE].decode("utf-8", "replace").strip()
            if text:
                last.append(text)
                _log.log(_level(text), "%s: %s", name, text)
    if await process.wait() not in _ENDED_BY_US:
        for text in last:
            _log.error("%s: %s", name, text)


def _level(line: str) -> int:
    """llama.cpp writes `0.00.051.313 W load_hparams: ...`; what does not look like that is detail."""
    words = line.split(None, 2)
    return _LEVELS.get(words[1], logging.DEBUG) if len(words) == 3 else logging.DEBUG


async def _end(child: _Child) -> None:
    await child.client.close()
    await _kill(child.process)
    await child.log


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Closing its stdin ends a child in order; one that does not go, or hangs, is killed. Nothing it holds needs saving."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(1.0):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "it ended"
    if code == -signal.SIGKILL:
        return "it was killed, as the system does when memory runs out"
    return f"it was ended by signal {-code}" if code < 0 else f"it ended with status {code}"
