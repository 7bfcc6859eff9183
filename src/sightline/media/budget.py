"""A bound on bytes that everything in the process shares: inputs that are held, and pixels that are being decoded."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager


class ByteBudget:
    """So many bytes at a time, from any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        return self._used

    def take(self, count: int) -> bool:
        """Takes `count` bytes when they are free; False otherwise."""
        with self._changed:
            if self._used + count > self._limit:
                return False
            self._used += count
            return True

    def give(self, count: int) -> None:
        """Gives back what was taken."""
        with self._changed:
            self._used -= count
            self._changed.notify_all()

    @contextmanager
    def hold(self, count: int) -> Generator[None]:
        """Waits for `count` bytes and holds them; a wish over the limit waits for all of it, so that it comes true too."""
        count = min(count, self._limit)
        with self._changed:
            self._changed.wait_for(lambda: self._used + count <= self._limit)
            self._used += count
        try:
            yield
        finally:
            self.give(count)
