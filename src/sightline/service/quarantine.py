"""Inputs that took an engine down: tried once more, alone, and then kept away from engines for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sightline.protocol.errors import DamagedMedia
from sightline.protocol.language import Bilingual
from sightline.service.ports import Clock, Probed

_SECONDS = 600.0
_MOST = 10_000
_REASON = Bilingual("模型引擎无法处理此输入", "the model's engine cannot handle this input")


class Company:
    """Who is at work on one engine: many together, or one alone, so that an engine which dies was taken down by that one."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._present = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def together(self) -> AbstractAsyncContextManager[None]:
        """Among others, once nobody is alone."""
        return _Together(self)

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[Callable[[], None]]:
        """Alone, once all others are done. What it yields lets them in again: to be called when the engine has survived the input."""
        await self._turn.acquire()
        shut = True

        def open_up() -> None:
            nonlocal shut
            if shut:
                shut = False
                self._turn.release()

        try:
            await self._empty.wait()
            self._come()
            try:
                yield open_up
            finally:
                self.leave()
        finally:
            open_up()

    async def join(self) -> None:
        """Comes in once nobody is alone; `leave` when done."""
        if self._turn.locked():
            async with self._turn:
                pass
        self._come()

    def leave(self) -> None:
        self._present -= 1
        if not self._present:
            self._empty.set()

    def _come(self) -> None:
        self._present += 1
        self._empty.clear()


class _Together(AbstractAsyncContextManager[None]):
    def __init__(self, company: Company) -> None:
        self._company = company

    async def __aenter__(self) -> None:
        await self._company.join()

    async def __aexit__(self, *_: object) -> None:
        self._company.leave()


class Quarantine:
    """Remembers hashes, not contents."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()
        self._companies: dict[str, Company] = {}

    def company(self, engine: str) -> Company:
        """Who is at work on the engine of this name."""
        company = self._companies.get(engine)
        if company is None:
            company = self._companies[engine] = Company()
        return company

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
