"""Which backends may serve a lane: for every lane an ordered list, the lane's own model first, lighter ones after it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual
from sightline.service.ports import Backend, ModelInfo
from sightline.tasks.base import Lane


class Engine(Backend, Protocol):
    """A backend with a life: every backend of this package is one."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class FixedPool:
    """A `Pool` whose lanes are decided once. A backend may stand in several lanes; the pool starts and closes each once."""

    def __init__(self, lanes: Mapping[Lane, Sequence[Engine]]) -> None:
        self._lanes = {lane: tuple(backends) for lane, backends in lanes.items()}

    async def start(self) -> None:
        """Starts all backends, side by side. When one cannot start, the others are closed and its error is raised."""
        started = await asyncio.gather(*(backend.start() for backend in self.backends()), return_exceptions=True)
        for outcome in started:
            if isinstance(outcome, BaseException):
                await self.close()
                raise outcome

    async def close(self) -> None:
        await asyncio.gather(*(backend.close() for backend in self.backends()))

    def backends(self) -> Sequence[Engine]:
        """Every backend once, in the order of the lanes."""
        return list({id(backend): backend for backends in self._lanes.values() for backend in backends}.values())

    def candidates(self, lane: Lane, model: str | None) -> Sequence[Backend]:
        """See `Pool.candidates`. With a model: its backends first, then what stands behind them in the lane.

        Raises `MalformedRequest` naming the models when it is served by none of the lane's.
        """
        backends = self._lanes.get(lane, ())
        if model is None:
            return backends
        asked = [position for position, backend in enumerate(backends) if backend.info is not None and backend.info.name == model]
        if not asked:
            reason = Bilingual(f"没有名为“{model[:64]}”的模型", f"there is no model named '{model[:64]}'")
            raise MalformedRequest("model", reason, [info.name for info in _known(backends)])
        later = [backend for position, backend in enumerate(backends) if position > asked[0] and position not in asked]
        return [*(backends[position] for position in asked), *later]

    def models(self) -> Sequence[ModelInfo]:
        """See `Pool.models`."""
        return _known(self.backends())


def _known(backends: Iterable[Backend]) -> list[ModelInfo]:
    return list({info.name: info for backend in backends if (info := backend.info) is not None}.values())
