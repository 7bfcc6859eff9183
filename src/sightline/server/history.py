"""The last minutes of every lane, for the console: what waited, what ran, how soon first words came, and what was refused.

Kept in slots of a few seconds. Nothing ticks: a lane's figures change only when a call comes, starts or goes, and each of
those is noted here by the meter; a slot in which nothing was noted goes on as the one before it ended.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from sightline.service.lanes import Lane
from sightline.tasks.base import Lane as LaneName

_SLOT_SECONDS = 5.0
_SLOTS = 180
_STEP = math.log(1.05)
"""Times are kept to within 5 %, so that any number of them takes little room and slots can be put together."""


class FirstTokens(msgspec.Struct, frozen=True):
    """Arrival to first token of the calls in the history: how many, half of them within `p50_ms`, all but 1 % within `p99_ms`."""

    count: int
    p50_ms: int | None
    p99_ms: int | None


class Course(msgspec.Struct, frozen=True):
    """One figure a slot, oldest first: the most that waited and ran, the longest predicted wait, first tokens, and how calls ended."""

    waiting: list[int]
    running: list[int]
    predicted_wait_ms: list[int]
    p50_ms: list[int | None]
    p99_ms: list[int | None]
    answered: list[int]
    refused: list[int]


class _Standing(NamedTuple):
    waiting: int = 0
    running: int = 0
    wait: float = 0.0


@dataclass(slots=True)
class _Slot:
    """`most_` are the highest figures that were seen in it."""

    number: int
    last: _Standing
    most_waiting: int = 0
    most_running: int = 0
    longest_wait: float = 0.0
    first: Counter[int] = field(default_factory=Counter[int])
    answered: int = 0
    refused: int = 0


class History:
    """Notes what the meter tells. `clock` gives monotonic seconds."""

    def __init__(self, lanes: Mapping[LaneName, Lane], clock: Callable[[], float] = time.monotonic) -> None:
        self._lanes = lanes
        self._clock = clock
        self._begun = clock()
        self._slots: dict[LaneName, deque[_Slot]] = {name: deque(maxlen=_SLOTS) for name in lanes}

    @property
    def slot_seconds(self) -> float:
        return _SLOT_SECONDS

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self._begun

    def first_token(self, lane: LaneName, seconds: float) -> None:
        if slot := self._now(lane):
            slot.first[_bucket(seconds)] += 1

    def answered(self, lane: LaneName) -> None:
        if slot := self._now(lane):
            slot.answered += 1

    def refused(self, lane: LaneName | None) -> None:
        if lane and (slot := self._now(lane)):
            slot.refused += 1

    def left(self, lane: LaneName | None) -> None:
        if lane:
            self._now(lane)

    def look(self) -> None:
        """Notes how all lanes stand at this moment."""
        for name in self._lanes:
            self._now(name)

    def first_tokens(self, lane: LaneName) -> FirstTokens:
        """Of all slots together."""
        times = sum((slot.first for slot in self._slots[lane] if slot.number > self._number() - _SLOTS), Counter[int]())
        return FirstTokens(times.total(), quantile(times, 0.5), quantile(times, 0.99))

    def course(self, lane: LaneName) -> Course:
        """The lane's slots up to this moment; a slot that saw nothing happen shows what went on before it."""
        last = self._number()
        kept = {slot.number: slot for slot in self._slots[lane]}
        slots: list[_Slot] = []
        standing = _Standing()
        for number in range(max(0, last - _SLOTS + 1), last + 1):
            slot = kept.get(number) or _Slot(number, standing, *standing)
            standing = slot.last
            slots.append(slot)
        return Course(
            waiting=[slot.most_waiting for slot in slots],
            running=[slot.most_running for slot in slots],
            predicted_wait_ms=[round(slot.longest_wait * 1000) for slot in slots],
            p50_ms=[quantile(slot.first, 0.5) for slot in slots],
            p99_ms=[quantile(slot.first, 0.99) for slot in slots],
            answered=[slot.answered for slot in slots],
            refused=[slot.refused for slot in slots],
        )

    def _number(self) -> int:
        return int(self.seconds // _SLOT_SECONDS)

    def _now(self, name: LaneName) -> _Slot | None:
        """The slot of this moment, with the lane's state in it; None for a lane that there is not."""
        lane = self._lanes.get(name)
        if lane is None:
            return None
        slots, number = self._slots[name], self._number()
        waiting, running, wait = standing = _Standing(lane.waiting, lane.running, lane.predicted_wait())
        if not slots or slots[-1].number != number:
            slots.append(_Slot(number, standing))
        slot = slots[-1]
        slot.most_waiting = max(slot.most_waiting, waiting)
        slot.most_running = max(slot.most_running, running)
        slot.longest_wait = max(slot.longest_wait, wait)
        slot.last = standing
        return slot


def quantile(times: Mapping[int, int], share: float) -> int | None:
    """Milliseconds within which `share` of the times lie; None for no times."""
    left = math.ceil(share * sum(times.values()))
    for bucket, count in sorted(times.items()):
        left -= count
        if left <= 0:
            return round(1000 * math.exp(bucket * _STEP))
    return None


def _bucket(seconds: float) -> int:
    return round(math.log(max(seconds, 1e-6)) / _STEP)
