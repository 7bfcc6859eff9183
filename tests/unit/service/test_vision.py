"""How large parts of a picture are shown: up to twice as large, never larger than the original, never beyond the model's bounds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.prompt import View
from sightline.service.vision import fit, magnify
from sightline.tasks.base import Crop

VIEW = View(min_pixels=64 * 1024, max_pixels=1280 * 1024)
MOST = 4096 * 1024


def size_of(whole: tuple[int, int], crop: Crop) -> tuple[int, int]:
    return fit(crop.right - crop.left, crop.bottom - crop.top, magnify(whole, crop, 2.0, VIEW, MOST))


def test_of_a_picture_that_was_reduced_a_part_is_shown_twice_as_large() -> None:
    whole = (4000, 3000)
    reduced = fit(*whole, VIEW)[0] / whole[0]
    width, _ = size_of(whole, Crop(0, 0, 1000, 3000))
    assert abs(width / 1000 - 2 * reduced) < 0.05


def test_nothing_is_made_up_where_the_original_has_no_more() -> None:
    assert size_of((1024, 768), Crop(0, 0, 512, 768)) == (512, 768)


@settings(deadline=None)
@given(width=st.integers(64, 8000), height=st.integers(64, 8000), data=st.data())
def test_a_part_stays_within_what_the_model_sees(width: int, height: int, data: st.DataObject) -> None:
    left = data.draw(st.integers(0, width - 1))
    right = data.draw(st.integers(left + 1, width))
    crop = Crop(left, 0, right, height)
    view = magnify((width, height), crop, 2.0, VIEW, MOST)
    assert VIEW.min_pixels == view.min_pixels <= view.max_pixels <= MOST
