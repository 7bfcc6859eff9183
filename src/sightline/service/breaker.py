"""Engines that fail again and again are left alone for a while, so that nobody waits for one to fail once more.

An engine may look ready and still answer nothing: a server that accepts and hangs, a model that breaks off every time. After three
failures in a row without an answer between them it is passed over for a second, then for two, four, up to thirty; then the next call
tries it again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sightline.service.ports import Backend, Clock

_FAILURES = 3
_FIRST_SECONDS = 1.0
_MOST_SECONDS = 30.0


@dataclass(slots=True)
class _Record:
    failures: int = 0
    until: float = 0.0


class Breaker:
    """What is known of every engine, by its name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}

    def usable(self, backend: Backend) -> bool:
        """Whether a generation started now would reach the engine and has a chance there."""
        return backend.ready() and self._pause(backend) == 0

    def hopeless(self, backend: Backend) -> float:
        """Seconds for which nobody needs to try: the engine has failed again after a pause. 0 where a try is worth it."""
        record = self._records.get(backend.name)
        return self._pause(backend) if record and record.failures > _FAILURES else 0.0

    def answered(self, backend: Backend) -> None:
        """The engine has begun an answer."""
        self._records.pop(backend.name, None)

    def failed(self, backend: Backend) -> None:
        """The engine failed a call that had no token yet."""
        # One that died says so itself; and many calls that fail at the same time are one failure, not many in a row.
        if not backend.ready() or self._pause(backend) > 0:
            return
        record = self._records.setdefault(backend.name, _Record())
        record.failures += 1
        if record.failures >= _FAILURES:
            record.until = self._clock.now() + min(_MOST_SECONDS, _FIRST_SECONDS * 2 ** min(record.failures - _FAILURES, 10))

    def _pause(self, backend: Backend) -> float:
        record = self._records.get(backend.name)
        return 0.0 if record is None else max(0.0, record.until - self._clock.now())
