"""The caller's time: `timeout_ms` from the call's arrival, for everything together.

Work that several callers wait for lasts as long as the latest of them allows: its time is extended when one joins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from sightline.protocol.errors import DeadlineExceeded
from sightline.service.ports import Clock

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
        scope = asyncio.timeout(self.left())
        try:
            async with scope:
                self._scopes.add(scope)
                try:
                    return await work
                finally:
                    self._scopes.discard(scope)
        except TimeoutError:
            if not scope.expired():
                raise
            raise DeadlineExceeded(self._timeout_ms, stage) from None
