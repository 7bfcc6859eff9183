"""`sightline bench`: how fast a service, or this machine, answers many questions at once."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from sightline.cli import sample
from sightline.cli.base import Command, UsageError, add_engine_arguments, add_server_arguments, server_of, settings_of, whole
from sightline.cli.terminal import Terminal
from sightline.protocol.errors import Error
from sightline.protocol.events import Event, Final, Token

Asking = Callable[[Any], AsyncIterator[Event]]


class Timed(msgspec.Struct, frozen=True):
    """One answer, in seconds from its question; `code` is that of its error, or None."""

    first_token: float | None
    total: float
    tokens: int
    code: int | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came out. Times in milliseconds, each the 50th, 95th and 99th of a hundred."""

    answered: int
    failed: dict[str, int]
    jobs: int
    seconds: float
    answers_per_second: float
    tokens_per_second: float
    first_token_ms: list[float]
    total_ms: list[float]


class Bench(Command):
    name = "bench"
    summary = "measure how fast answers come"
    description = (
        "Ask many questions at once and measure when the first word and the whole answer come.\n"
        "Answers are not taken from the service's memory; an engine may still remember a picture that it has seen."
    )
    examples = (
        "sightline bench --server http://127.0.0.1:8000 -n 200 -j 16",
        "sightline bench photos/*.jpg -q 'What is this?' --max-tokens 64",
    )

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("images", metavar="IMAGE", nargs="*", help="pictures to ask about in turn (default: a small drawing)")
        parser.add_argument("-n", "--count", metavar="N", type=whole, default=50, help="questions in all (default: 50)")
        parser.add_argument("-j", "--jobs", metavar="N", type=whole, default=4, help="questions at a time (default: 4)")
        parser.add_argument("-q", "--question", default="What is in the picture?", help="what to ask")
        parser.add_argument("-t", "--task", default="vqa", help="what to do (default: vqa)")
        parser.add_argument("--max-tokens", metavar="N", type=whole, default=64, help="the longest answer, in tokens (default: 64)")
        add_engine_arguments(parser, or_service=True)
        add_server_arguments(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        arguments.server = server_of(arguments)
        images = [_read(name) for name in arguments.images] or [sample.picture()]
        report = asyncio.run(_measure(arguments, images, terminal))
        if terminal.as_json:
            terminal.json(report)
        else:
            _show(report, terminal)
        return 0 if report.answered else 69


def _read(name: str) -> bytes | str:
    if name.startswith(("http://", "https://")):
        return name
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from None


async def _measure(arguments: Any, images: Sequence[bytes | str], terminal: Terminal) -> Report:
    from sightline.client import Bar, at_once

    asked = itertools.islice(itertools.cycle(images), arguments.count)
    done: list[Timed] = []
    opened = _by_service(arguments, terminal) if arguments.server else _by_own(arguments)
    async with opened as ask:
        # One before the clock starts: connections are made, code is loaded, and what would fail for all is told.
        await _time(ask, images[0])
        began = time.monotonic()
        with Bar(arguments.count, shown=not terminal.as_json) as bar:
            async with aclosing(at_once(asked, lambda image: _tried(ask, image), arguments.jobs)) as finished:
                async for timed in finished:
                    done.append(timed)
                    bar.add(failed=timed.code is not None)
        seconds = time.monotonic() - began
    return summarise(done, seconds, arguments.jobs)


async def _time(ask: Asking, image: bytes | str) -> Timed:
    began = time.monotonic()
    first: float | None = None
    tokens = 0
    async for event in ask(image):
        if isinstance(event, Token) and first is None:
            first = time.monotonic() - began
        if isinstance(event, Final):
            tokens = event.metadata.output_tokens or 0
    return Timed(first, time.monotonic() - began, tokens)


async def _tried(ask: Asking, image: bytes | str) -> Timed:
    try:
        return await _time(ask, image)
    except Error as error:
        return Timed(None, 0.0, 0, error.code)


@asynccontextmanager
async def _by_service(arguments: Any, terminal: Terminal) -> AsyncGenerator[Asking]:
    from sightline.client import AsyncQwenVLClient

    options = {"max_tokens": arguments.max_tokens, "cache": "off", "model": arguments.model}
    async with AsyncQwenVLClient(
        arguments.key, arguments.server, arguments.timeout, retries=0, max_connections=arguments.jobs, language=terminal.language
    ) as client:

        async def ask(image: Any) -> AsyncIterator[Event]:
            asked: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
            async with await client.ask(image, arguments.question, arguments.task, stream=True, **asked) as stream:
                async for event in stream.events():
                    yield event

        yield ask


@asynccontextmanager
async def _by_own(arguments: Any) -> AsyncGenerator[Asking]:
    from sightline.cli.own import one_engine, open_own, read_request

    options = {"max_tokens": arguments.max_tokens, "cache": "off", "timeout_ms": round((arguments.timeout or 600) * 1000)}
    async with open_own(settings_of(arguments, one_engine)) as own:

        async def ask(image: Any) -> AsyncIterator[Event]:
            async with aclosing(own.ask(read_request([image], arguments.question, arguments.task, options))) as events:
                async for event in events:
                    yield event

        yield ask


def summarise(done: Sequence[Timed], seconds: float, jobs: int) -> Report:
    """The figures of a run that took so many seconds."""
    good = [timed for timed in done if timed.code is None]
    codes = [str(timed.code) for timed in done if timed.code is not None]
    return Report(
        answered=len(good),
        failed={code: codes.count(code) for code in sorted(set(codes))},
        jobs=jobs,
        seconds=round(seconds, 3),
        answers_per_second=round(len(good) / seconds, 2),
        tokens_per_second=round(sum(timed.tokens for timed in good) / seconds, 1),
        first_token_ms=percentiles([timed.first_token for timed in good if timed.first_token is not None]),
        total_ms=percentiles([timed.total for timed in good]),
    )


def percentiles(seconds: Sequence[float]) -> list[float]:
    """The 50th, 95th and 99th of a hundred, by nearest rank, in milliseconds; empty where there is nothing."""
    ordered = sorted(seconds)
    return [round(ordered[math.ceil(part * len(ordered)) - 1] * 1000, 1) for part in (0.5, 0.95, 0.99)] if ordered else []


def _show(report: Report, terminal: Terminal) -> None:
    def times(found: list[float]) -> list[str]:
        return [f"{value:.0f}" for value in found] or ["-"] * 3

    terminal.table([("first word", *times(report.first_token_ms)), ("whole answer", *times(report.total_ms))], ("ms", "p50", "p95", "p99"))
    terminal.line()
    failed = ", ".join(f"{count} with code {code}" for code, count in report.failed.items())
    rows = [
        ("answers", f"{report.answered} in {report.seconds:.1f} s, {report.jobs} at a time: {report.answers_per_second:g}/s"),
        ("tokens", f"{report.tokens_per_second:g}/s"),
        *([("failed", failed)] if failed else []),
    ]
    terminal.table(rows)
