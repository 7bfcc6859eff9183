"""The CPU that media work may use: one small pool of threads a lane, so that no lane can take another's share."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Literal, TypeVar

from sightline.tasks.base import Lane

Share = Lane | Literal["probe", "survey"]
"""Whose CPU a piece of work runs on. Headers are read before a lane is known: of pictures at once (`probe`), of documents and videos,
which take a decoder process and its time, beside them (`survey`), so that no picture waits behind a batch of documents."""

_NICE: dict[Share, int] = {"probe": 0, "survey": 5, "A": 0, "B": 5, "C": 10}
"""Priority of each share's threads and decoder processes: people who wait for a picture come first."""

_PATIENCE = 4
"""How much longer than people's own work may what steps back behind it take, by the clock. Its processor time is bounded all the same."""

T = TypeVar("T")


def nice(share: Share) -> int:
    """The OS priority (0 highest) of work of this share."""
    return _NICE[share]


def steps_back(share: Share) -> bool:
    """Whether work of this share makes room for people who wait."""
    return _NICE[share] > 0


def patience(share: Share, seconds: float) -> float:
    """The seconds that work of this share may take, where people's own may take `seconds`."""
    return seconds * _PATIENCE if steps_back(share) else seconds


class Shares:
    """The pools. `sizes` is threads a lane; four more read headers."""

    def __init__(self, sizes: Mapping[Lane, int]) -> None:
        wanted: dict[Share, int] = {"probe": 2, "survey": 2, "A": 1, "B": 1, "C": 1, **sizes}
        self._pools = {
            share: ThreadPoolExecutor(max(1, count), thread_name_prefix=f"media-{share}", initializer=_lower, initargs=(nice(share),))
            for share, count in wanted.items()
        }

    async def run(self, share: Share, work: Callable[[], T], *, seconds: float | None = None) -> T:
        """Runs `work` in a thread of the share; `seconds` count from when it begins, not from when it is asked for.

        Cancelling takes it back when it has not begun; a thread cannot be stopped midway. Raises `TimeoutError`.
        """
        loop = asyncio.get_running_loop()
        begun = loop.create_future()

        def begin() -> T:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(lambda: begun.done() or begun.set_result(None))
            return work()

        done = asyncio.wrap_future(self._pools[share].submit(begin if seconds else work))
        if seconds:
            try:
                await asyncio.wait((begun, done), return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                done.cancel()
                raise
        async with asyncio.timeout(seconds):
            return await done

    def close(self) -> None:
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)


def _lower(by: int) -> None:
    if by:
        with suppress(OSError, AttributeError):  # Linux sets it per thread; elsewhere the share alone must do
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), by)
