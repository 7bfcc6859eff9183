"""Which backends may serve a lane: for every lane the engines of its own models, and those of a lighter one that may step in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sightline.protocol.errors import BackendUnavailable, MalformedRequest
from sightline.protocol.language import Bilingual
from sightline.service.ports import Backend, ModelInfo
from sightline.tasks.base import Lane


class Engine(Backend, Protocol):
    """A backend with a life: every backend of this package is one."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Route:
    """Where one task is answered: by engines of its own, or by one of its lane's models."""

    backends: Sequence[Engine] = ()
    model: str | None = None


class FixedPool:
    """A `Pool` whose lanes are decided once. A backend may stand in several lanes; the pool starts and closes each once."""

    def __init__(
        self,
        lanes: Mapping[Lane, Sequence[Engine]],
        lighter: Mapping[Lane, Sequence[Engine]] | None = None,
        routes: Mapping[str, Route] | None = None,
    ) -> None:
        self._routes = dict(routes or {})
        self._lanes = {lane: tuple(backends) for lane, backends in lanes.items()}
        self._lighter = {lane: tuple(backends) for lane, backends in (lighter or {}).items()}

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
        routed = [route.backends for route in self._routes.values()]
        every = (*self._lanes.values(), *self._lighter.values(), *routed)
        return list({id(backend): backend for backends in every for backend in backends}.values())

    def candidates(self, lane: Lane, model: str | None, task: str | None = None) -> Sequence[Backend]:
        """See `Pool.candidates`."""
        backends = self._lanes.get(lane, ())
        route = self._routes.get(task or "")
        if route is not None and model is None:
            # A caller who asks for a model by its name has chosen for themselves.
            if found := self._routed(route, backends):
                return found
            raise BackendUnavailable(cause=f"no engine of lane {lane} serves {route.model}, which the settings name for {task}")
        if model is None:
            return backends
        backends = (*backends, *(route.backends if route else ()))
        asked = [backend for backend in backends if backend.info is not None and backend.info.name == model]
        if not asked:
            reason = Bilingual(f"没有名为“{model[:64]}”的模型", f"there is no model named '{model[:64]}'")
            raise MalformedRequest("options.model", reason, [info.name for info in _known(backends)])
        return asked

    def routes(self) -> Mapping[str, Sequence[Backend]]:
        """See `Pool.routes`."""
        return {task: self._routed(route, self.backends()) for task, route in self._routes.items()}

    @staticmethod
    def _routed(route: Route, backends: Sequence[Backend]) -> Sequence[Backend]:
        """A task's own engines, or those that serve its model; where none does, those that have not said yet what they serve."""
        named = [backend for backend in backends if backend.info is not None and backend.info.name == route.model]
        return route.backends or named or [backend for backend in backends if backend.info is None]

    def lighter(self, lane: Lane) -> Sequence[Backend]:
        """See `Pool.lighter`."""
        return self._lighter.get(lane, ())

    def models(self) -> Sequence[ModelInfo]:
        """See `Pool.models`."""
        return _known(self.backends())


def _known(backends: Iterable[Backend]) -> list[ModelInfo]:
    return list({info.name: info for backend in backends if (info := backend.info) is not None}.values())
