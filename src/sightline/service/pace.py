"""How fast a generation comes: the time it takes, and the time between its tokens."""

from __future__ import annotations

from sightline.prompt import Delta
from sightline.service.ports import Clock


class Pace:
    """Of one generation, from the moment this is made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.now()
        self._first: float | None = None
        self._last = self._started
        self._tokens = 0

    def note(self, delta: Delta) -> None:
        """Takes in what came just now."""
        if not delta.text:
            return
        self._last = self._clock.now()
        if self._first is None:
            self._first = self._last  # What comes with the first token says nothing of the time between two.
        else:
            self._tokens += len(delta.logprobs) if delta.logprobs else 1

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._clock.now() - self._started

    @property
    def between(self) -> float | None:
        """Mean seconds from one token to the next; None where no second one came."""
        return None if self._first is None or not self._tokens else (self._last - self._first) / self._tokens
