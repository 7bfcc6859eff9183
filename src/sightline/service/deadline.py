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
    """When the call's time is over. `stage` names, for the error, what was going on then. `close` it when the call is done.

    One timer does for all that is waited for, since hardly any is ever met: it is set when something waits for the first time.
    """

    def __init__(self, clock: Clock, arrived: float, timeout_ms: int) -> None:
        self._clock = clock
        self.end = arrived + timeout_ms / 1000
        """A time of the service's clock."""
        self._timeout_ms = timeout_ms
        self._waits: set[_Wait] = set()
        self._timer: asyncio.TimerHandle | None = None

    def left(self) -> float:
        """Seconds that remain, not below 0."""
        return max(0.0, self.end - self._clock.now())

    def extend(self, end: float, timeout_ms: int) -> None:
        """Allows more time, to what is going on now as well; never less."""
        if end > self.end:
            self._move(end, timeout_ms)

    def shorten(self, end: float, timeout_ms: int) -> None:
        """Allows less time; never more."""
        if end < self.end:
            self._move(end, timeout_ms)

    def close(self) -> None:
        """Nothing waits any more. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def within(self, stage: str, work: Awaitable[T]) -> Awaitable[T]:
        """The outcome of `work`, which is cancelled when the time is over. Raises `DeadlineExceeded`."""
        return _Within(self, stage, work)

    async def wait(self, stage: str, waited: Awaitable[T]) -> T:
        """`within`, for what is sure to wait."""
        wait = _Wait()
        self._waits.add(wait)
        if self._timer is None:
            self._set()
        try:
            return await waited
        except asyncio.CancelledError:
            if self._finish(wait):
                raise DeadlineExceeded(self._timeout_ms, stage) from None
            raise
        finally:
            self._finish(wait)

    def _finish(self, wait: _Wait) -> bool:
        """It waits no longer; the first time, whether it was cancelled by this deadline alone."""
        self._waits.discard(wait)
        if not wait.expired:
            return False
        wait.expired = False
        return wait.task.uncancel() <= wait.cancelling

    def _move(self, end: float, timeout_ms: int) -> None:
        self.end, self._timeout_ms = end, timeout_ms
        if self._timer is not None:
            self._timer.cancel()
            self._set()

    def _set(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.left(), self._expire)

    def _expire(self) -> None:
        self._timer = None
        for wait in self._waits:
            wait.expired = True
            wait.task.cancel()


class _Wait:
    """The current task, while it waits: what `asyncio.Timeout` remembers of it."""

    __slots__ = ("cancelling", "expired", "task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline holds for what a task waits for")
        self.task = task
        self.cancelling = task.cancelling()
        self.expired = False


class _Within(Awaitable[T]):
    """One step under a deadline; see `timing` for why nothing is set before it waits."""

    __slots__ = ("_deadline", "_stage", "_work")

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
        return (yield from self._deadline.wait(self._stage, Resumed(first, steps)).__await__())
