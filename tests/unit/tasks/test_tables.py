"""CSV and Markdown read back to the same chart."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.tasks.chart_parse import write
from sightline.tasks.charts.chart import Chart, plain, understand
from sightline.tasks.charts.spans import read
from sightline.tasks.charts.tables import from_csv, from_markdown, to_csv, to_markdown
from tests.unit.tasks.chart_values import chart, charts

_SEVERAL = st.tuples(charts(0), charts(1)).map(list) | charts(0).map(lambda one: [one])


@settings(deadline=None)
@given(_SEVERAL)
def test_csv_reads_back_to_the_same_charts(several: list[Chart]) -> None:
    assert [plain(one) for one in from_csv(to_csv(several))] == [plain(one) for one in several]


@settings(deadline=None)
@given(_SEVERAL)
def test_markdown_reads_back_to_the_same_charts(several: list[Chart]) -> None:
    assert [plain(one) for one in from_markdown(to_markdown(several))] == [plain(one) for one in several]


@settings(deadline=None)
@given(charts())
def test_json_reads_back_to_the_same_chart(one: Chart) -> None:
    assert plain(understand(read(write([one], "json")))) == plain(one)


@settings(deadline=None)
@given(_SEVERAL)
def test_csv_is_what_other_readers_take(several: list[Chart]) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(several), newline="")))
    assert [row["label"] for row in rows] == [point.label for one in several for point in one.points]
    assert {len(row) for row in rows} == {10}


def test_markdown_is_a_table_as_people_draw_it() -> None:
    one = chart({"2023": [("Q1", 12), ("Q2", 13.5)], "2024": [("Q1", 15), ("Q2", None)]}, kind="grouped_bar", title="Sales", unit="k|USD")
    assert to_markdown([one]).splitlines() == [
        "- image: 1",
        "- chart_type: grouped\\_bar",
        "- title: Sales",
        "- x_axis: ",
        "- y_axis: ",
        "- unit: k\\|USD",
        "",
        "| label | 2023 | 2024 |",
        "| --- | ---: | ---: |",
        "| Q1 | 12 | 15 |",
        "| Q2 | 13.5 |  |",
    ]
