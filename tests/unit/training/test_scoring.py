"""When an answer is right, and how sure a share of right answers is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.scoring import interval, points_right, same, table_right


def chart(*series: tuple[str, dict[str, float | None]], title: str = "") -> str:
    rows = [{"name": name, "points": [{"label": k, "value": v} for k, v in points.items()]} for name, points in series]
    return json.dumps({"chart_type": "bar", "title": title, "series": rows})


WANTED = chart(("a", {"x": 1, "y": 2.5}), ("b", {"x": 3, "y": 4}))


@pytest.mark.parametrize(
    ("said", "table", "points"),
    [
        (WANTED, True, [True] * 4),
        (chart(("a", {"x": 1.0, "y": 2.5}), ("b", {"x": 3, "y": 4}), title="Sales"), True, [True] * 4),
        (chart(("a", {"x": 1, "y": 2}), ("b", {"x": 3, "y": 4})), False, [True, False, True, True]),
        (chart(("a", {"x": 1, "z": 2.5})), False, [True, False, False, False]),
        (chart(("c", {"x": 1, "y": 2.5}), ("b", {"x": 3, "y": 4})), False, [True] * 4),
        (chart(("a", {"x": 1, "y": 2.5}), ("b", {"x": 3, "y": 4, "z": 5})), False, [True] * 4),
        (WANTED[:-20], False, [False] * 4),
        ("[]", False, [False] * 4),
        ("7", False, [False] * 4),
    ],
)
def test_of_a_parse_the_table_and_the_points_count(said: str, table: bool, points: list[bool]) -> None:
    assert table_right(said, WANTED) is table
    assert points_right(said, WANTED) == points


@pytest.mark.parametrize(
    ("said", "wanted", "skill", "right"),
    [
        (" 12\n", "12", "chart_value", True),
        ("12.", "12", "chart_value", False),
        ("The difference is 12: 42 - 30 = 12.", "12", "chart_difference", True),
        ("差为 12：42 - 30 = 12。", "12", "pair_difference", True),
        ("The sum of 3 is 13: 12 + 1 = 13.", "12", "chart_sum", False),
        ("12", "12", "chart_sum", True),
        ("I do not know.", "12", "chart_sum", False),
    ],
)
def test_an_answer_is_right_when_it_is_the_wanted_one(said: str, wanted: str, skill: str, right: bool) -> None:
    assert same(said, wanted, skill) is right


def test_an_interval_is_that_of_wilson() -> None:
    assert interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 2000), st.integers(0, 2000))
def test_an_interval_holds_its_share_and_narrows_with_more(count: int, right: int) -> None:
    right = min(right, count)
    low, high = interval(right, count)
    more = interval(4 * right, 4 * count)
    assert 0 <= low <= right / count <= high <= 1
    assert more[1] - more[0] < high - low
