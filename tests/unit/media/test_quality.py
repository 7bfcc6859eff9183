"""Warnings where they belong. The thresholds were set on the kinds of degradation in SET; TESTED are others."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest

from sightline.media.notices import notices
from sightline.media.quality import inspect
from tests.unit.media import corpus
from tests.unit.media.files import Array

SEEDS = range(100, 104)

Degradation = Callable[[Array, int], Array]
SET: list[tuple[str, Degradation]] = [
    ("blurry", corpus.gaussian_blur),
    ("noisy", corpus.gaussian_noise),
    ("underexposed", corpus.dim),
    ("overexposed", corpus.bright),
    ("low_contrast", corpus.flat),
    ("glare", corpus.lamp),
]
TESTED: list[tuple[str, Degradation]] = [
    ("blurry", corpus.motion_blur),
    ("blurry", corpus.defocus),
    ("noisy", corpus.shot_noise),
    ("noisy", corpus.specks),
    ("underexposed", corpus.gamma_dark),
    ("overexposed", corpus.gamma_bright),
    ("low_contrast", corpus.haze),
    ("glare", corpus.streak),
    ("near_blank", corpus.faint),
]


@functools.cache
def clean() -> list[Array]:
    return [make(seed) for make in corpus.CLEAN.values() for seed in SEEDS]


def test_clean_pictures_are_left_alone() -> None:
    warned = [inspect(image).types for image in clean()]
    assert sum(bool(types) for types in warned) <= 0.05 * len(warned), warned


@pytest.mark.parametrize(("expected", "worsen"), SET + TESTED)
def test_what_went_wrong_is_told(expected: str, worsen: Degradation) -> None:
    found = [expected in inspect(worsen(image, seed)).types for seed, image in enumerate(clean())]
    assert sum(found) >= 0.8 * len(found), f"{sum(found)} of {len(found)}"


def test_tiny_text_is_told_and_ordinary_text_is_not() -> None:
    pages = [make(seed) for make in (corpus.page, corpus.screen) for seed in SEEDS]
    assert sum("tiny_text" in inspect(corpus.tiny(image, 0)).types for image in pages) >= 0.8 * len(pages)
    assert not any("tiny_text" in inspect(image).types for image in pages)


@pytest.mark.parametrize("draw", [corpus.pencil, corpus.pastel])
def test_a_pale_drawing_is_not_overexposed(draw: Callable[[int], Array]) -> None:
    assert not any("overexposed" in inspect(draw(seed)).types for seed in SEEDS)


@pytest.mark.parametrize("shape", [(1, 1), (32, 32), (32, 6400), (65, 64), (200, 3)])
def test_any_shape_is_measured(shape: tuple[int, int]) -> None:
    for fill in (0, 255):
        assert inspect(np.full((*shape, 3), fill, np.uint8)).types == ("near_blank",)
    inspect(np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8))


def test_sentences_for_people() -> None:
    (one,) = notices(0, {"blurry": [None]})
    assert (one.type, one.code, one.input) == ("blurry", 0, 0)
    assert one.show("en").msg == "The picture is blurred."
    assert one.show("zh").msg == "图像模糊。"
    assert one.show("zh").hint
    (pages,) = notices(2, {"near_blank": [2, 5]})
    assert "2, 5" in pages.show("en").msg
    assert pages.input == 2
