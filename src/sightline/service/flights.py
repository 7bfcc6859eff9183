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

    `accepted` is what its first reader was told; `deadline` is the work's own, which a reader may extend. `ended` is called once,
    at the end.
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
        self._told: list[Event] = []
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None
        self._readers = 0
        self._flights, self._key = flights, key
        flights[key] = self
        self._work = asyncio.create_task(self._run())
        # Also when it is cancelled before its first step.
        self._work.add_done_callback(lambda _: ended())

    async def __aenter__(self) -> AsyncGenerator[Event]:
        """All events from the first, for as long as the block lasts. The last reader to leave stops the work."""
        self._readers += 1
        return self._read()

    async def __aexit__(self, *_: object) -> None:
        self._readers -= 1
        if not self._readers and not self._ended:
            self._leave()
            self._work.cancel()
            await asyncio.wait([self._work])

    async def _read(self) -> AsyncGenerator[Event]:
        position = 0
        while True:
            changed = self._changed
            while position < len(self._told):
                position += 1
                yield self._told[position - 1]
            if self._ended:
                break
            if changed is self._changed:
                await changed.wait()
        if self._error is not None:
            raise self._error

    async def _run(self) -> None:
        try:
            async with aclosing(self._events):
                async for event in self._events:
                    self._told.append(event)
                    self._wake()
        except Exception as error:  # every reader is told, whatever it is
            self._error = error
        finally:
            self._ended = True
            self._leave()
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _leave(self) -> None:
        """Who comes from now on starts anew."""
        if self._flights.get(self._key) is self:
            del self._flights[self._key]
