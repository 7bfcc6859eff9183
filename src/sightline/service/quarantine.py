"""Inputs that took an engine down: tried once more, alone, and then kept away from engines for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from sightline.protocol.errors import DamagedMedia
from sightline.protocol.language import Bilingual
from sightline.service.ports import Clock, Probed

_SECONDS = 600.0
_MOST = 10_000
_REASON = Bilingual("模型引擎无法处理此输入", "the model's engine cannot handle this input")


class Quarantine:
    """Remembers hashes, not contents."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()
        self._alone = asyncio.Lock()

    @property
    def alone(self) -> asyncio.Lock:
        """Held during a second try, so that an engine that dies again was taken down by the one who holds it."""
        return self._alone

    def check(self, probed: Sequence[Probed]) -> None:
        """Raises `DamagedMedia` for an input that is kept away."""
        now = self._clock.now()
        for item in probed:
            if self._until.get(item.sha256, 0.0) > now:
                raise DamagedMedia(item.index, item.format, _REASON, cause="quarantined")

    def isolate(self, probed: Sequence[Probed]) -> None:
        """Keeps these inputs away from now on."""
        for item in probed:
            self._until[item.sha256] = self._clock.now() + _SECONDS
            self._until.move_to_end(item.sha256)
        while len(self._until) > _MOST:
            self._until.popitem(last=False)
