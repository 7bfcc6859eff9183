"""A gate as the service would open it, and what a test needs around it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from sightline.media.gate import Gate
from sightline.media.settings import MediaSettings
from sightline.prompt import View
from sightline.service.ports import Caller, MediaPolicy

VIEW = View(min_pixels=4096, max_pixels=400_000)
EVERYTHING = MediaPolicy(frozenset({"image", "document", "video"}))
CALLER = Caller()


class Clock:
    def now(self) -> float:
        return time.monotonic()


Opened = Callable[..., AbstractAsyncContextManager[Gate]]


@asynccontextmanager
async def opened(settings: MediaSettings | None = None, **more: Any) -> AsyncGenerator[Gate]:
    async with Gate(settings or MediaSettings(), Clock(), shares={"A": 2, "B": 1, "C": 1}, **more) as gate:
        yield gate


@pytest.fixture
async def gate() -> AsyncGenerator[Gate]:
    async with opened() as started:
        yield started
