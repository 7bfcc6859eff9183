"""The same engine looking at fewer pixels: a lighter model where no other one is at hand. Sharing an engine shares its crashes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from sightline.backends.pool import Engine
from sightline.prompt import Delta, Prompt
from sightline.service.ports import ModelInfo


class SmallerBackend:
    """A `Backend` over another one, which somebody else starts and closes. `max_pixels` bounds each picture."""

    def __init__(self, name: str, engine: Engine, max_pixels: int) -> None:
        self.name = name
        self._engine = engine
        self._max_pixels = max_pixels

    @property
    def info(self) -> ModelInfo | None:
        info = self._engine.info
        if info is None:
            return None
        most = min(self._max_pixels, info.view.max_pixels)
        view = replace(info.view, max_pixels=most, min_pixels=min(info.view.min_pixels, most))
        return replace(info, name=f"{info.name}-small", view=view, max_view_pixels=most)

    async def start(self) -> None:
        """Its engine is started by its owner."""

    async def close(self) -> None:
        """Its engine is closed by its owner."""

    def ready(self) -> bool:
        return self._engine.ready()

    async def wait_ready(self, seconds: float) -> bool:
        return await self._engine.wait_ready(seconds)

    def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        return self._engine.generate(prompt, tenant=tenant)
