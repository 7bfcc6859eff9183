"""The caller's time: `timeout_ms` from the call's arrival, for everything together.

Work that several callers wait for lasts as long as the latest of them allows: its time is extended when one joins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import TypeVar

from sightline.protocol.errors import DeadlineExceeded
from sightline.service.ports import Clock
from sightline.service.timing import bounded

T = TypeVar("T")


class Deadline:
    """When the call's time is over. `stage` names, for the error, what was going on then."""

    def __init__(self, clock: Clock, arrived: float, timeout_ms: int) -> None:
        self._clock = clock
        self.end = arrived + timeout_ms / 1000
        """A time of the service's clock."""
        self._timeout_ms = timeout_ms
        self._scopes: set[asyncio.Timeout] = set()

    def left(self) -> float:
        """Seconds that remain, not below 0."""
        return max(0.0, self.end - self._clock.now())

    def extend(self, end: float, timeout_ms: int) -> None:
        """Allows more time, to what is going on now as well; never less."""
        if end > self.end:
            self.end, self._timeout_ms = end, timeout_ms
            for scope in self._scopes:
                scope.reschedule(asyncio.get_running_loop().time() + self.left())

    async def within(self, stage: str, work: Awaitable[T]) -> T:
        """The outcome of `work`, which is cancelled when the time is over. Raises `DeadlineExceeded`."""
        return await bounded(lambda: _Scope(self, stage), work)

    def begin(self) -> asyncio.Timeout:
        """A time limit for something that waits, until `done` is told of it."""
        scope = asyncio.timeout(self.left())
        self._scopes.add(scope)
        return scope

    def done(self, scope: asyncio.Timeout, stage: str, raised: BaseException | None) -> None:
        """Raises `DeadlineExceeded` where the scope ended because the time was over."""
        self._scopes.discard(scope)
        if isinstance(raised, TimeoutError) and scope.expired():
            raise DeadlineExceeded(self._timeout_ms, stage) from None


class _Scope:
    """One wait under a deadline."""

    def __init__(self, deadline: Deadline, stage: str) -> None:
        self._deadline = deadline
        self._stage = stage
        self._limit = deadline.begin()

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        raised = error
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError as expired:
            raised = expired
        self._deadline.done(self._limit, self._stage, raised)
