"""Who decodes a picture depends on who waits for it; what a model sees of it does not."""

from __future__ import annotations

import pytest

from sightline.media.gate import Gate
from sightline.prompt import View
from tests.integration.media.conftest import CALLER, EVERYTHING
from tests.pictures import data_uri, png

SMALL, LARGE = png(60, 40), png(900, 700, (0, 90, 200))


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["tiny", "large"])
@pytest.mark.parametrize("encoding", ["jpeg", "png", "bmp", "ppm"])
async def test_every_lane_shows_a_model_the_same(gate: Gate, content: bytes, encoding: str) -> None:
    view = View(min_pixels=4096, max_pixels=400_000, encoding=encoding)  # pyright: ignore[reportArgumentType]  # parametrized literals
    (probed,) = await gate.probe([data_uri(content)], EVERYTHING, CALLER)
    shown = [await gate.load(probed, view, lane=lane) for lane in ("A", "B", "C")]
    assert len({loaded.frames for loaded in shown}) == 1
    assert len({loaded.notices for loaded in shown}) == 1
    assert shown[0].frames[0].data
    assert {loaded.receipt.changes for loaded in shown} == {shown[0].receipt.changes}
