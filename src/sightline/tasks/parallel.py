"""Several pieces of one call's work at the same time, a few at once: the pages of a document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")


async def side_by_side(works: Sequence[Callable[[], Coroutine[Any, Any, T]]], at_once: int) -> AsyncGenerator[tuple[int, T]]:
    """The outcome of each work with its index, in the order in which they are done.

    The first error ends it and is raised as it is. Closing it, or an error, cancels what is under way and waits for that.
    """
    waiting = iter(enumerate(works))
    running: dict[asyncio.Task[T], int] = {}
    try:
        while True:
            for index, work in islice(waiting, at_once - len(running)):
                running[asyncio.create_task(work())] = index
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=running.__getitem__):
                outcome = task.result()
                yield running.pop(task), outcome
    finally:
        for task in running:
            task.cancel()
        # `gather` and not `wait`: it looks at every outcome, so that no second error is reported as forgotten.
        await asyncio.gather(*running, return_exceptions=True)
