"""Lanes: separate waiting rooms and slots, so that no kind of work ever waits behind another.

A call enters a lane once (`Lane.enter`, refused there or never) and takes a slot for each generation. A slot is held only
while the engine works: a slow reader holds nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sightline.protocol.errors import DeadlineExceeded, Overloaded
from sightline.service.ports import Clock
from sightline.tasks.base import Lane as LaneName

_FIRST_GUESS = 1.0
"""Seconds that a generation is assumed to take before one has been seen."""
_WEIGHT = 0.2
"""Of the newest observation in the moving average of service time."""


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """`slots` generations at a time; at most `waiting` calls beyond those that can start at once."""

    slots: int = 4
    waiting: int = 64


class Lane:
    """One lane's slots and waiting room. First come, first served."""

    def __init__(self, name: LaneName, limits: LaneLimits, clock: Clock) -> None:
        self.name: LaneName = name
        self.limits = limits
        self.clock = clock
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._service_seconds = _FIRST_GUESS
        self.running = 0
        """Generations that hold a slot now."""
        self.expected = 0
        """Calls that were admitted and have not had their first slot yet."""

    @property
    def waiting(self) -> int:
        """Calls admitted that cannot start at once."""
        return max(0, self.running + self.expected - self.limits.slots)

    def predicted_wait(self) -> float:
        """Seconds until a call that enters now would get a slot."""
        ahead = self.running + self.expected - self.limits.slots + 1
        return max(0, ahead) * self._service_seconds / self.limits.slots

    def enter(self, timeout_ms: int, left: float) -> Ticket:
        """Admits a call that has `left` seconds of its `timeout_ms`.

        Raises `Overloaded` when the waiting room is full, `DeadlineExceeded` when the wait would outlast the caller's time.
        """
        wait = self.predicted_wait()
        if self.running + self.expected >= self.limits.slots + self.limits.waiting:
            raise Overloaded(self.name, retry_after_ms=max(1000, round(wait * 1000)))
        if wait > left:
            raise DeadlineExceeded(timeout_ms, "admission", predicted_wait_ms=round(wait * 1000))
        return Ticket(self)

    async def acquire(self) -> None:
        """Takes a slot, after all who asked before. Cancelling leaves the queue."""
        if self.running < self.limits.slots and not self._waiters:
            self.running += 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._hand_on()  # The slot came in the moment of cancelling: the next in line gets it.
            else:
                self._waiters.remove(waiter)
            raise

    def release(self, held: float | None = None) -> None:
        """Gives a slot back; `held` are the seconds of a generation that ran to its end."""
        if held is not None:
            self._service_seconds += _WEIGHT * (held - self._service_seconds)
        self._hand_on()

    def _hand_on(self) -> None:
        """The slot passes to the first who still waits; `running` stays as it is then."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.running -= 1


class Ticket:
    """A call's place in a lane, from admission until it leaves."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.queued_seconds = 0.0
        """Time spent waiting for slots so far."""
        self._expected = True
        lane.expected += 1

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[None]:
        """Holds a slot of the lane. For use inside one coroutine, never across a generator's yield."""
        clock = self.lane.clock
        asked = clock.now()
        await self.lane.acquire()
        started = clock.now()
        self.queued_seconds += started - asked
        self._met()
        held: float | None = None
        try:
            yield
            held = clock.now() - started
        finally:
            self.lane.release(held)

    def _met(self) -> None:
        if self._expected:
            self._expected = False
            self.lane.expected -= 1

    def leave(self) -> None:
        """Frees the place in the waiting room, if the call never got a slot. May be called twice."""
        self._met()
