"""Many questions at once: what is asked, what came of each, and a bar that shows how far it is."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from sightline.client._media import Image
from sightline.client.answers import Answer
from sightline.protocol.errors import Error, MalformedRequest
from sightline.protocol.language import Bilingual

if TYPE_CHECKING:
    from sightline.client._options import Turn


A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Ask:
    """One question of many; the fields are the arguments of `ask`."""

    images: Image | Iterable[Image]
    question: str = ""
    task: str = "vqa"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    messages: Iterable[Turn] = ()
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one question: an answer or an error. `index` is its place among those asked."""

    index: int
    ask: Ask
    answer: Answer | None
    error: Error | None = None

    def result(self) -> Answer:
        """The answer; raises the error where there is none."""
        if self.answer is None:
            raise self.error or RuntimeError("neither an answer nor an error")
        return self.answer


async def at_once(waiting: Iterable[A], do: Callable[[A], Awaitable[R]], concurrency: int) -> AsyncGenerator[R]:
    """Does something with each, `concurrency` at a time, and gives what came of it as it comes.

    `waiting` is read as it is needed. An error ends it all, and so does leaving early: what is under way is cancelled.
    """
    if concurrency < 1:
        raise MalformedRequest("concurrency", Bilingual("至少为 1", "it should be at least 1"), "1 or more")
    more = iter(waiting)
    running: set[asyncio.Future[R]] = set()
    try:
        while True:
            for one in itertools.islice(more, concurrency - len(running)):
                running.add(asyncio.ensure_future(do(one)))
            if not running:
                return
            finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class Bar:
    """A line on a terminal that shows how far work is; nothing at all where nobody looks.

        with Bar(total=60) as bar:
            bar.add()

    `total` is None where it is not known; `done` is what was done before. `shown=False` keeps it quiet everywhere.
    """

    _WIDTH = 24
    _EVERY = 0.1

    def __init__(
        self,
        total: int | None,
        *,
        done: int = 0,
        shown: bool = True,
        out: TextIO | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._out = out or sys.stderr
        self._watched = shown and self._out.isatty()
        self._now = now
        self._started = now()
        self._before = done
        self._done = done
        self._failed = 0
        self._shown = float("-inf")

    def add(self, *, failed: bool = False) -> None:
        """One more is done."""
        self._done += 1
        self._failed += failed
        if self._watched and self._now() - self._shown >= self._EVERY:
            self._show()

    def text(self) -> str:
        """`[######------] 12 of 60  3.4/s  0:14 left  1 failed`."""
        parts: list[str] = []
        if self._total:
            full = self._WIDTH * self._done // self._total
            parts.append(f"[{'#' * full}{'-' * (self._WIDTH - full)}] {self._done} of {self._total}")
        else:
            parts.append(f"{self._done} done")
        rate = (self._done - self._before) / max(self._now() - self._started, 1e-3)
        if rate:
            parts.append(f"{rate:.1f}/s")
            if self._total:
                left = round((self._total - self._done) / rate)
                parts.append(f"{left // 60}:{left % 60:02} left")
        if self._failed:
            parts.append(f"{self._failed} failed")
        return "  ".join(parts)

    def _show(self) -> None:
        self._shown = self._now()
        self._out.write(f"\r\x1b[2K{self.text()}")
        self._out.flush()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._watched and self._shown > float("-inf"):
            self._show()
            self._out.write("\n")
            self._out.flush()
