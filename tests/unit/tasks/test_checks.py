"""What holds of every chart of its kind."""

from __future__ import annotations

import pytest

from sightline.tasks.charts.checks import check
from tests.unit.tasks.chart_values import Values, chart

MONTHS = [("Jan", 3), ("Feb", 1), ("Mar", 4), ("Apr", 2), ("May", 5)]


def failed(kind: str, values: Values | dict[str, Values], **facts: str) -> set[str]:
    return {name for name, wrong in check(chart(values, kind=kind, **facts)) if wrong is not None}


@pytest.mark.parametrize(
    ("kind", "values", "facts", "wrong"),
    [
        ("bar", [("A", 1), ("B", 2)], {}, set()),
        ("bar", [("A", 1), ("A", 2)], {}, {"duplicate_labels"}),
        ("pie", [("A", 40), ("B", 60.4)], {"unit": "%"}, set()),
        ("pie", [("A", 40), ("B", 70)], {"unit": "%"}, {"pie_total"}),
        ("pie", [("A", 400), ("B", 70)], {}, set()),
        ("pie", [("A", 40), ("B", -3)], {}, {"pie_parts"}),
        ("pie", [("A", 140), ("B", -40)], {"unit": "%"}, {"pie_parts", "axis_range"}),
        ("stacked_bar", {"a": [("X", 30), ("Y", 50)], "b": [("X", 70), ("Y", 50)]}, {"unit": "%"}, set()),
        ("stacked_bar", {"a": [("X", 30), ("Y", 50)], "b": [("X", 70), ("Y", 80)]}, {"unit": "%"}, {"stacked_total"}),
        ("stacked_bar", {"a": [("X", 3)], "b": [("X", 4)], "Total": [("X", 7)]}, {}, set()),
        ("stacked_bar", {"a": [("X", 3)], "b": [("X", 4)], "合计": [("X", 8)]}, {}, {"stacked_total"}),
        ("grouped_bar", {"a": [("X", 3), ("Y", 1)], "b": [("X", 4)]}, {}, {"same_labels"}),
        ("line", [("1", 3), ("2", 12)], {"y_axis": "Load (0-10)"}, {"axis_range"}),
        ("line", MONTHS, {}, set()),
        ("line", [MONTHS[0], MONTHS[2], MONTHS[1]], {}, {"ordered_categories"}),
        ("line", [("Nov", 1), ("Dec", 2), ("Jan", 3), ("Feb", 2)], {}, set()),
        ("line", [("2024", 3), ("2023", 2), ("2022", 5)], {}, set()),
        ("line", [("2021", 3), ("2028", 2), ("2023", 5)], {}, {"ordered_categories"}),
        ("bar", [MONTHS[0], MONTHS[2], MONTHS[1]], {}, set()),
        ("bar", [*MONTHS[:3], ("Aug", 1), *MONTHS[4:]], {}, {"ordered_categories"}),
        ("line", [("周一", 1), ("周三", 2), ("周二", 3)], {}, {"ordered_categories"}),
    ],
)
def test_a_reading_that_breaks_the_rule_of_its_kind_is_named(
    kind: str, values: Values | dict[str, Values], facts: dict[str, str], wrong: set[str]
) -> None:
    assert failed(kind, values, **facts) == wrong


def test_what_is_wrong_is_said_with_its_numbers() -> None:
    found = dict(check(chart([("A", 40), ("B", 70)], kind="pie", unit="%")))
    told = found["pie_total"]
    assert told is not None
    assert "110" in told.en
    assert "110" in told.zh
