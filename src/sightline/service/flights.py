"""Single flight: identical calls at the same time are one piece of work with many readers.

The work is detached from whoever began it and counted: it goes on when its first reader leaves and stops with its last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from sightline.protocol.events import Accepted, Event
from sightline.service.deadline import Deadline


class Flight:
    """One piece of work under way. Its events are kept, so that a reader who joins late misses none.

    `accepted` is what its first reader was told; `deadline` is the work's own, which is closed at the end. `ended` is called once, at
    the end.
    """

    def __init__(
        self,
        events: AsyncGenerator[Event],
        flights: dict[bytes, Flight],
        key: bytes,
        *,
        accepted: Accepted,
        deadline: Deadline,
        ended: Callable[[], None],
    ) -> None:
        self.accepted = accepted
        self.deadline = deadline
        self._events = events
        self.told: list[Event] = []
        """All events so far."""
        self._waiting: list[asyncio.Future[None]] = []
        """Of readers who have had all there is."""
        self._ended = False
        self._error: Exception | None = None
        self._readers = 0
        self._flights, self._key = flights, key
        flights[key] = self
        self._ending = ended
        self._work = asyncio.create_task(self._run())

    async def __aenter__(self) -> Flight:
        """Reads with the others for as long as the block lasts. The last reader to leave stops the work."""
        self._readers += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._readers -= 1
        if not self._readers and not self._ended:
            self._leave()
            self._work.cancel()
            await asyncio.wait([self._work])
            self._end()  # it may have been cancelled before its first step

    def extend(self, end: float, timeout_ms: int) -> None:
        """Allows the work more time. Those who read with less of it look to their own from now on."""
        self.deadline.extend(end, timeout_ms)
        self._wake()

    async def goes_beyond(self, count: int, deadline: Deadline) -> bool:
        """Whether there are more than so many events, once that is known. Raises what the work raised after its last one, and
        `DeadlineExceeded` when the reader's own time is over."""
        while len(self.told) <= count and not self._ended:
            more = asyncio.get_running_loop().create_future()
            self._waiting.append(more)
            # Mostly both are over at the same time: then the reader needs no timer beside the work's.
            await (deadline if deadline.end < self.deadline.end else self.deadline).wait("generation", more)
        if len(self.told) > count:
            return True
        if self._error is not None:
            raise self._error
        return False

    async def _run(self) -> None:
        try:
            async with aclosing(self._events):
                async for event in self._events:
                    self.told.append(event)
                    self._wake()
        except Exception as error:  # every reader is told, whatever it is
            self._error = error
        finally:
            self._end()

    def _wake(self) -> None:
        for reader in self._waiting:
            if not reader.done():
                reader.set_result(None)
        self._waiting.clear()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._leave()
            self._wake()
            self.deadline.close()
            self._ending()

    def _leave(self) -> None:
        """Who comes from now on starts anew."""
        if self._flights.get(self._key) is self:
            del self._flights[self._key]
