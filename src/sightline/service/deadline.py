"""The caller's time: `timeout_ms` from the call's arrival, for everything together.

Work that several callers wait for lasts as long as the latest of them allows: its time is extended when one joins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

from sightline.protocol.errors import DeadlineExceeded
from sightline.service.ports import Clock
from sightline.service.timing import Resumed

T = TypeVar("T")


class Deadline:
    """When the call's time is over. `stage` names, for the error, what was going on then."""

    def __init__(self, clock: Clock, arrived: float, timeout_ms: int) -> None:
        self._clock = clock
        self.end = arrived + timeout_ms / 1000
        """A time of the service's clock."""
        self._timeout_ms = timeout_ms
        self._limits: set[_Limit] = set()

    def left(self) -> float:
        """Seconds that remain, not below 0."""
        return max(0.0, self.end - self._clock.now())

    def extend(self, end: float, timeout_ms: int) -> None:
        """Allows more time, to what is going on now as well; never less."""
        if end > self.end:
            self.end, self._timeout_ms = end, timeout_ms
            for limit in self._limits:
                limit.set()

    def shorten(self, end: float, timeout_ms: int) -> None:
        """Allows less time; never more."""
        if end < self.end:
            self.end, self._timeout_ms = end, timeout_ms
            for limit in self._limits:
                limit.set()

    def within(self, stage: str, work: Awaitable[T]) -> Awaitable[T]:
        """The outcome of `work`, which is cancelled when the time is over. Raises `DeadlineExceeded`."""
        return _Within(self, stage, work)

    def begin(self) -> _Limit:
        """A time limit for what the current task waits for, until it is ended."""
        limit = _Limit(self, self._limits)
        self._limits.add(limit)
        return limit

    def exceeded(self, stage: str) -> DeadlineExceeded:
        return DeadlineExceeded(self._timeout_ms, stage)


class _Within(Awaitable[T]):
    """One step under a deadline; see `timing` for why its limit is set only once it waits."""

    def __init__(self, deadline: Deadline, stage: str, work: Awaitable[T]) -> None:
        self._deadline = deadline
        self._stage = stage
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        try:
            first = next(steps)
        except StopIteration as done:
            return done.value
        limit = self._deadline.begin()
        try:
            return (yield from Resumed(first, steps).__await__())
        except asyncio.CancelledError:
            if limit.end():
                raise self._deadline.exceeded(self._stage) from None
            raise
        finally:
            limit.end()


class _Limit:
    """What `asyncio.Timeout` does, at a third of its cost: every call makes some of them, and hardly any is ever met."""

    __slots__ = ("_cancelling", "_deadline", "_expired", "_limits", "_task", "_timer")

    def __init__(self, deadline: Deadline, limits: set[_Limit]) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline holds for what a task waits for")
        self._deadline = deadline
        self._limits = limits
        self._task = task
        self._cancelling = task.cancelling()
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None
        self.set()

    def set(self) -> None:
        """Sets the timer by the deadline as it is now."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._expired:
            self._timer = asyncio.get_running_loop().call_later(self._deadline.left(), self._expire)

    def end(self) -> bool:
        """It is over, however; the first time, whether what was cancelled was cancelled by this limit alone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._limits.discard(self)
        if not self._expired:
            return False
        self._expired = False
        return self._task.uncancel() <= self._cancelling

    def _expire(self) -> None:
        self._timer = None
        self._expired = True
        self._task.cancel()
