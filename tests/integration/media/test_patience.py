"""What steps back behind people may take longer by the clock, and is not called broken because they kept the processor busy."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sightline.media.loader import Loader
from sightline.media.settings import MediaSettings
from sightline.protocol.errors import DamagedMedia
from sightline.service.ports import Loaded
from tests.integration.media.conftest import CALLER, EVERYTHING, VIEW, opened
from tests.pictures import data_uri, png

SECONDS = 1.0


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding takes one and a half times as long as people's own may."""
    load = Loader.load

    def later(self: Loader, *given: Any) -> Loaded:
        time.sleep(1.5 * SECONDS)
        return load(self, *given)

    monkeypatch.setattr(Loader, "load", later)


@pytest.mark.usefixtures("held_up")
async def test_a_batch_has_more_time_than_a_person() -> None:
    async with opened(MediaSettings(input_seconds=SECONDS)) as gate:
        (probed,) = await gate.probe([data_uri(png(width=200, height=150))], EVERYTHING, CALLER)
        with pytest.raises(DamagedMedia):
            await gate.load(probed, VIEW, lane="A")
        loaded = await gate.load(probed, VIEW, lane="B")
        assert [(frame.width, frame.height) for frame in loaded.frames] == [(192, 160)]
