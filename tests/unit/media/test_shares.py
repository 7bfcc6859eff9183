"""Nobody's picture waits behind somebody else's documents, not even for its header."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.media.gate import Gate
from sightline.media.settings import MediaSettings
from sightline.media.survey import Surveyor
from sightline.service.ports import Caller, MediaPolicy
from tests.pictures import data_uri

POLICY = MediaPolicy(frozenset({"image", "document"}))


class Clock:
    """The system's; `now` is asked from threads as well."""

    def now(self) -> float:
        return time.monotonic()


async def test_a_picture_is_probed_while_documents_keep_every_decoder_process_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    release, begun = threading.Event(), threading.Semaphore(0)
    survey = Surveyor.survey

    def slowly(self: Surveyor, index: int, content: Any, *others: Any) -> Any:
        if content.identify().name == "pdf":
            begun.release()
            release.wait(20)
        return survey(self, index, content, *others)

    monkeypatch.setattr(Surveyor, "survey", slowly)
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    photo = data_uri(cv2.imencode(".png", noise)[1].tobytes())
    assert len(photo) > 200_000  # more than is looked at without a thread
    async with Gate(MediaSettings(), Clock(), shares={"A": 1, "B": 1, "C": 1}) as gate:
        pdf = data_uri(b"%PDF-1.7 of no pages", "application/pdf")
        documents = [asyncio.create_task(gate.probe([pdf], POLICY, Caller())) for _ in range(8)]
        await asyncio.to_thread(begun.acquire)
        try:
            (picture,) = await asyncio.wait_for(gate.probe([photo], POLICY, Caller()), 10)
            assert (picture.format, picture.width) == ("png", 300)
            assert not any(each.done() for each in documents)
        finally:
            release.set()
            await asyncio.gather(*documents, return_exceptions=True)
