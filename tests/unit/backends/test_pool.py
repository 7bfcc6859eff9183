"""Which backends may serve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sightline.backends.fake import FAKE_INFO, FakeBackend
from sightline.backends.pool import FixedPool
from sightline.protocol.errors import MalformedRequest
from sightline.service.ports import StartupError


def backend(name: str, model: str) -> FakeBackend:
    return FakeBackend(name, replace(FAKE_INFO, name=model))


BIG, TWIN, SMALL = backend("one", "big"), backend("two", "big"), backend("three", "small")
POOL = FixedPool({"A": [BIG, TWIN, SMALL], "B": [SMALL], "C": [SMALL]})


def test_a_lane_has_its_order() -> None:
    assert POOL.candidates("A", None) == (BIG, TWIN, SMALL)
    assert POOL.candidates("B", None) == (SMALL,)


def test_the_asked_model_is_served_by_its_own_backends() -> None:
    assert POOL.candidates("A", "big") == [BIG, TWIN]
    assert POOL.candidates("A", "small") == [SMALL]


def test_an_unknown_model_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(MalformedRequest) as refusal:
        POOL.candidates("A", "huge")
    assert refusal.value.details["field"] == "options.model"
    assert refusal.value.details["allowed"] == ["big", "small"]


def test_every_model_is_known_once() -> None:
    assert [info.name for info in POOL.models()] == ["big", "small"]
    assert POOL.backends() == [BIG, TWIN, SMALL]


async def test_one_that_cannot_start_closes_the_others() -> None:
    closed: list[str] = []

    class Broken(FakeBackend):
        async def start(self) -> None:
            raise StartupError("There is no file.")

    class Whole(FakeBackend):
        async def close(self) -> None:
            closed.append(self.name)

    with pytest.raises(StartupError):
        await FixedPool({"A": [Whole("whole"), Broken("broken")]}).start()
    assert closed == ["whole"]
