"""Time limits that cost nothing where there is nothing to wait for.

Most steps of a call are done at once: a body that has come with its head, a text that is moderated, an event that is there already. A
timer is set only when a step really has to wait, which for a call under way saves more time than the timers themselves guard.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

T = TypeVar("T")


async def bounded(limit: Callable[[], AbstractAsyncContextManager[Any]], work: Awaitable[T]) -> T:
    """The outcome of `work`, the part of it that waits inside `limit()`, such as `asyncio.timeout(...)`."""
    return await _Bounded(limit, work)


class _Bounded(Awaitable[T]):
    def __init__(self, limit: Callable[[], AbstractAsyncContextManager[Any]], work: Awaitable[T]) -> None:
        self._limit = limit
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        try:
            first = next(steps)
        except StopIteration as done:
            return done.value
        return (yield from self._wait(first, steps).__await__())

    async def _wait(self, first: Any, steps: Generator[Any, Any, T]) -> T:
        async with self._limit():
            return await Resumed(first, steps)


class Resumed(Awaitable[T]):
    """An awaitable that was begun: what it waits for first, and the rest of it."""

    def __init__(self, first: Any, steps: Generator[Any, Any, T]) -> None:
        self._first = first
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, T]:
        waited: Any = self._first
        # What stands here is `yield from`, entered after its first step.
        while True:
            try:
                sent = yield waited
            except GeneratorExit:
                self._steps.close()
                raise
            except BaseException as error:  # a cancellation, or what the loop throws in
                try:
                    waited = self._steps.throw(error)
                except StopIteration as done:
                    return done.value
            else:
                try:
                    waited = self._steps.send(sent)
                except StopIteration as done:
                    return done.value
