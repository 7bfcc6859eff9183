"""One process of the bundled engine: started, introduced, listened to and ended; `local.py` watches over it.

It gets a fresh key at every start and listens on a port of its own choice, so nothing of an earlier child is ever spoken to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections import deque
from dataclasses import dataclass

import msgspec

from sightline.backends.defaults import Recommended
from sightline.backends.dialects import LLAMA_CPP
from sightline.backends.engine import EngineSettings, Ready, Report
from sightline.backends.openai import OpenAIClient
from sightline.protocol.errors import BackendUnavailable

_log = logging.getLogger("sightline.engine")
_LEVELS = {"W": logging.INFO, "E": logging.WARNING}
_MOST_LINE = 300
_ENDED_BY_US = (0, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGIO)


@dataclass(frozen=True, slots=True)
class Child:
    """A process that serves, the way to speak to it, and the task that passes on its log."""

    process: asyncio.subprocess.Process
    client: OpenAIClient
    log: asyncio.Task[None]


async def launch(settings: EngineSettings, name: str, *, recommended: Recommended, start_s: float, stall_s: float) -> Child:
    """Starts a child and returns when it serves; `name` stands in its log lines.

    Raises `BackendUnavailable` with the reason as its cause when it ends, refuses the model, or is not ready within `start_s`.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        # -P: what lies in the working directory is no module.
        *(sys.executable, "-P", "-m", "sightline.backends.engine"),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )
    log = asyncio.create_task(_pass_log(process, name), name=f"log {name}")
    report: Report | None = None
    try:
        async with asyncio.timeout(start_s):
            report = await _introduce(process, settings)
    except TimeoutError:
        raise BackendUnavailable(cause=f"it was not ready within {start_s:g} s") from None
    finally:
        if not isinstance(report, Ready):
            await _kill(process)
            await log
    if not isinstance(report, Ready):
        reason = how_it_ended(process.returncode) if report is None else "it cannot read the model; its log says why"
        raise BackendUnavailable(cause=reason)
    client = OpenAIClient(
        f"http://127.0.0.1:{report.port}",
        dialect=LLAMA_CPP,
        model=settings.name,
        key=settings.key,
        recommended=recommended,
        stall_s=stall_s,
    )
    return Child(process, client, log)


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


async def end(child: Child) -> None:
    """Ends a child, in whatever state it is, and waits until it has gone."""
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


def how_it_ended(code: int | None) -> str:
    """An exit status in words."""
    if code is None:
        return "it ended"
    if code == -signal.SIGKILL:
        return "it was killed, as the system does when memory runs out"
    return f"it was ended by signal {-code}" if code < 0 else f"it ended with status {code}"
