"""`sightline doctor`: what this machine can run, and how fast. Every line is looked at or measured, none is guessed."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.metadata
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sightline import __version__
from sightline.cli import sample
from sightline.cli.base import Command, add_engine_arguments, settings_of
from sightline.cli.serve import port
from sightline.cli.terminal import Terminal, bytes_of
from sightline.protocol.errors import Error, Internal
from sightline.protocol.events import Accepted, Final

if TYPE_CHECKING:
    from sightline.cli.own import Own
    from sightline.config import Settings

_CANNOT = 69
_ENOUGH_TOKENS = 8
"""Fewer are over too soon for a rate."""
_PARTS = {
    "engine": ("xllamacpp", "xllamacpp"),
    "JPEG": ("simplejpeg", "simplejpeg"),
    "resizing": ("cv2", "opencv-python-headless"),
    "other images": ("PIL", "pillow"),
    "PNG and TIFF": ("pyvips", "pyvips"),
    "PDF": ("pypdfium2", "pypdfium2"),
    "video": ("av", "av"),
    "web server": ("uvicorn", "uvicorn"),
}
"""What a service is made of: what it is for, the module, the package."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `ok` is false where a service cannot run because of it."""

    name: str
    value: str
    ok: bool = True
    advice: str = ""


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """One answer about a picture of 256x192 on this machine, now. Times in milliseconds."""

    model: str
    start_ms: int
    first_token_ms: int | None
    total_ms: int
    input_tokens: int | None
    output_tokens: int | None
    tokens_per_second: float | None
    answer: str


class Doctor(Command):
    name = "doctor"
    summary = "what this machine can run, and how fast"
    description = "Look at this machine: what is installed, which models there are, and how fast one answers about a small picture."
    examples = ("sightline doctor", "sightline doctor --model hf:Qwen/Qwen3-VL-8B-Instruct-GGUF", "sightline doctor --no-engine --json")

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--no-engine", action="store_true", help="start no model: look, and measure nothing")
        parser.add_argument("--port", type=port, default=8000, help="the port that a service would listen on (default: 8000)")
        add_engine_arguments(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        checks = [*_machine(), _port(arguments.port), *_parts()]
        models: list[Any] = []
        speed: Speed | None = None
        if all(check.ok for check in checks if check.name != "port"):
            from sightline.cli.machine import find_models

            models = find_models()
            if not arguments.no_engine:
                terminal.passing("a model is starting ...")
                speed, failed = _measure(arguments, terminal)
                checks += [failed] if failed else []
        if terminal.as_json:
            terminal.json({"version": __version__, "checks": checks, "models": models, "speed": speed})
        else:
            _show(checks, models, speed, terminal)
        return 0 if all(check.ok for check in checks) else _CANNOT


def _machine() -> Iterator[Check]:
    yield Check(name="sightline", value=__version__)
    yield Check(name="Python", value=f"{platform.python_version()} ({sys.implementation.name}), {platform.system()} {platform.machine()}")
    from sightline.backends.threads import engine_threads, free_cores

    cores = free_cores()
    yield Check(name="cores", value=f"{cores:g} free of {os.cpu_count()}, {engine_threads(cores)} for the model")
    load = os.getloadavg()[0]
    if load > cores / 2:
        advice = "Something else is using the machine: what is measured below is slower than it could be."
        yield Check(name="load", value=f"{load:.1f}", advice=advice)
    memory = _memory()
    if memory:
        yield Check(name="memory", value=f"{bytes_of(memory)} available")


def _memory(meminfo: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that may still be used: what the machine has free, or what is left of the control group's limit."""
    try:
        facts = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free = int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    try:
        left = int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    except (OSError, ValueError):  # no such group, or no limit
        return free
    return max(0, min(free, left))


def _port(number: int) -> Check:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return Check(name="port", value=f"{number} is in use", advice=f"Choose another: sightline serve --port {number + 1}")
    return Check(name="port", value=f"{number} is free" if number else "any")


def _parts() -> Iterator[Check]:
    for purpose, (module, package) in _PARTS.items():
        try:
            importlib.import_module(module)
            yield Check(name=purpose, value=f"{package} {importlib.metadata.version(package)}")
        except Exception:  # a broken native library can raise anything while it is imported
            yield Check(name=purpose, value=f"{package} is missing", ok=False, advice="pip install 'sightline[serve]'")


def _measure(arguments: Any, terminal: Terminal) -> tuple[Speed | None, Check | None]:
    from sightline.cli.own import one_engine
    from sightline.service.ports import StartupError

    try:
        return asyncio.run(_try(settings_of(arguments, one_engine), terminal)), None
    except StartupError as error:
        return None, Check(name="engine", value="does not start", ok=False, advice=str(error))
    except Error as error:
        return None, Check(name="engine", value=error.say("en"), ok=False, advice=error.advise("en"))


async def _try(settings: Settings, terminal: Terminal) -> Speed:
    """Starts the model, asks it to describe one picture to warm it, and another to measure."""
    from sightline.cli.own import open_own

    began = time.monotonic()
    async with open_own(settings) as own:
        started = time.monotonic()
        await _describe(own, sample.picture(mirrored=True), terminal)
        final = await _describe(own, sample.picture(), terminal)
    told = final.metadata
    speaking = (told.processing_time_ms - (told.first_token_ms or 0)) / 1000
    tokens = (told.output_tokens or 0) - 1  # the first came with the reading
    return Speed(
        model=told.model,
        start_ms=round((started - began) * 1000),
        first_token_ms=told.first_token_ms,
        total_ms=told.processing_time_ms,
        input_tokens=told.input_tokens,
        output_tokens=told.output_tokens,
        tokens_per_second=round(tokens / speaking, 1) if speaking > 0 and tokens >= _ENOUGH_TOKENS else None,
        answer=final.answer,
    )


async def _describe(own: Own, picture: bytes, terminal: Terminal) -> Final:
    from sightline.cli.own import read_request

    final: Final | None = None
    request = read_request([picture], "", "captioning", {"style": "detailed", "timeout_ms": 600_000})
    async with aclosing(own.ask(request)) as events:
        async for event in events:
            if isinstance(event, Accepted):
                terminal.passing(f"{event.model} is being asked ...")
            final = event if isinstance(event, Final) else final
    if final is None:
        raise Internal(cause="a stream without an end")
    return final


def _show(checks: list[Check], models: list[Any], speed: Speed | None, terminal: Terminal) -> None:
    terminal.table([(check.name, "" if check.ok else "!", check.value, check.advice) for check in checks])
    if models:
        from sightline.cli.models import show_models

        terminal.line()
        show_models(models, terminal)
    if speed:
        terminal.line()
        rate = f"{speed.tokens_per_second:g} tokens/s" if speed.tokens_per_second else "too short an answer to tell"
        rows = [
            ("model", speed.model),
            ("started in", f"{speed.start_ms} ms"),
            ("first token", "unknown" if speed.first_token_ms is None else f"{speed.first_token_ms} ms after the question"),
            ("whole answer", f"{speed.total_ms} ms: {speed.input_tokens} tokens read, {speed.output_tokens} written"),
            ("writes", rate),
            ("it said", speed.answer),
        ]
        terminal.table(rows)
