"""A generation asked for twice when it is late: whoever gives the first token answers, and the other is stopped.

Only before the first token, like every second try: what a caller has read is never followed by another answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from sightline.prompt import Delta
from sightline.protocol.errors import BackendUnavailable
from sightline.service.relay import Relay

_MOST_SHARE = 0.05
"""Of all generations, how many may be asked for twice: where everything is late, asking twice makes it later."""


class Allowance:
    """How many generations may still be asked for twice."""

    def __init__(self) -> None:
        self._left = 1.0

    def note(self) -> None:
        """One more generation."""
        self._left = min(2.0, self._left + _MOST_SHARE)

    def take(self) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        return True


async def race(first: AsyncGenerator[Delta], second: Callable[[], AsyncGenerator[Delta] | None], after_s: float) -> AsyncGenerator[Delta]:
    """The deltas of `first`, or those of `second` where that is asked, after so many seconds, and has a token earlier.

    `second` is called at most once and may have nobody to ask. Raises the error of the first when no token comes from either.
    """
    runners = [_Runner(first)]
    try:
        if not await runners[0].begun(after_s) and (other := second()) is not None:
            runners.append(_Runner(other))
        winner = await _first_with_a_token(runners)
        for runner in runners:
            if runner is not winner:
                await runner.stop()
        while (delta := await winner.relay.get()) is not None:
            yield delta
    finally:
        for runner in runners:
            await runner.stop()


async def _first_with_a_token(runners: list[_Runner]) -> _Runner:
    """The runner that begins first. One that ends with an error and no token leaves it to the other; the first, where both do."""
    waiting = list(runners)
    while waiting:
        await asyncio.wait([runner.start for runner in waiting], return_when=asyncio.FIRST_COMPLETED)
        for runner in [runner for runner in waiting if runner.start.done()]:
            if not runner.failed:
                return runner
            waiting.remove(runner)
    return runners[0]


class _Runner:
    """Drives one generation in a task of its own."""

    def __init__(self, deltas: AsyncGenerator[Delta]) -> None:
        self.relay = Relay()
        self.failed = False
        """Without a token."""
        self.start: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done at the first token, or at an end without one."""
        self._task = asyncio.create_task(self._drive(deltas))

    async def begun(self, seconds: float) -> bool:
        await asyncio.wait([self.start], timeout=seconds)
        return self.start.done()

    async def stop(self) -> None:
        """The engine is told before this returns."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _drive(self, deltas: AsyncGenerator[Delta]) -> None:
        error: Exception | None = None
        try:
            async with aclosing(deltas):
                async for delta in deltas:
                    self.relay.put(delta)
                    self._begin()
        except Exception as failure:  # whatever it is, the reader is to have it
            error = failure
        # What is wrong with the request itself is wrong for everybody: only an engine that is away leaves it to the other.
        self.failed = isinstance(error, BackendUnavailable) and not self.relay.touched
        self.relay.end(error)
        self._begin()

    def _begin(self) -> None:
        if not self.start.done():
            self.start.set_result(None)
