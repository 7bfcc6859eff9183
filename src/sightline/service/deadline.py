"""The caller's time: `timeout_ms` from the call's arrival, for everything together."""

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

    def left(self) -> float:
        """Seconds that remain, not below 0."""
        return max(0.0, self.end - self._clock.now())

    async def within(self, stage: str, work: Awaitable[T]) -> T:
        """The outcome of `work`, which is cancelled when the time is over. Raises `DeadlineExceeded`."""
        scope = asyncio.timeout(self.left())
        try:
            async with scope:
                return await work
        except TimeoutError:
            if not scope.expired():
                raise
            raise DeadlineExceeded(self._timeout_ms, stage) from None
