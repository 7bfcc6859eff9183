"""Where a value stands, and what was read there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.tasks.base import Given
from sightline.tasks.charts.again import doubtful, number_in, place_of, same
from tests.unit.tasks.chart_values import chart


@settings(deadline=None)
@given(
    kind=st.sampled_from(["bar", "line", "table", "pie"]),
    count=st.integers(1, 30),
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    data=st.data(),
)
def test_the_part_lies_in_the_picture_and_holds_the_middle_of_the_value(
    kind: str, count: int, width: int, height: int, data: st.DataObject
) -> None:
    one = chart([(str(number), number) for number in range(count)], kind=kind)
    index = data.draw(st.integers(0, count - 1))
    crop = place_of(one, 0, index, Given("image", width, height))
    assert 0 <= crop.left < crop.right <= width
    assert 0 <= crop.top < crop.bottom <= height
    if kind in {"bar", "line"}:
        assert crop.left <= (index + 0.5) / count * width <= crop.right
        assert (crop.top, crop.bottom) == (0, height)
    elif kind == "pie":
        assert (crop.left, crop.top, crop.right, crop.bottom) == (0, 0, width, height)


def test_a_part_of_many_is_a_part() -> None:
    one = chart([(str(number), number) for number in range(10)])
    crop = place_of(one, 0, 5, Given("image", 1000, 400))
    assert crop.right - crop.left < 400


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("It is 1,234.5 USD", 1234.5), ("−7", -7), ("约 3.50", 3.5), ("Q3", 3), ("there is none", None), ("12，000", 12000)],
)
def test_the_number_of_a_sentence(text: str, number: float | None) -> None:
    found = number_in(text)
    assert (found[0] if found else None) == number


def test_the_least_certain_come_first_and_the_sure_not_at_all() -> None:
    one = chart([("A", 1)], confidence=0.5)
    two = chart({"x": [("A", 1)], "y": [("B", 2)]}, confidence=None)
    assert doubtful(one, 0.8, 5) == [(0, 0)]
    assert doubtful(one, 0.4, 5) == []
    assert doubtful(one, 0.8, 0) == []
    assert doubtful(two, 0.8, 5) == []


def test_one_number_written_in_two_ways_is_one() -> None:
    assert same(3, 3.0)
    assert not same(3, None)
    assert not same(3, 4)
