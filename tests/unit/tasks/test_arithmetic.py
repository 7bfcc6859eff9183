"""Questions about charts, answered by arithmetic with the formula shown; and left alone where they stay open."""

from __future__ import annotations

import pytest

from sightline.protocol.language import of_text
from sightline.tasks.charts.arithmetic import derive
from sightline.tasks.charts.chart import Chart
from tests.unit.tasks.chart_values import chart

SALES = chart([("2021", 40), ("2022", 50), ("2023", 60)], title="Sales", unit="k")
COST = chart([("2021", 10), ("2022", 11), ("2023", 20)], title="Cost", index=1)
REGIONS = chart({"East": [("Q1", 10), ("Q2", 20)], "West": [("Q1", 30), ("Q2", 45.5)]}, kind="grouped_bar")


def ask(text: str, *charts: Chart):
    return derive(text, charts, of_text(text) or "en")


@pytest.mark.parametrize(
    ("text", "charts", "answer", "formula"),
    [
        ("Which grew faster?", (SALES, COST), "Image 2 (Cost)", "(60 - 40) / 40 = 50 %; Image 2 (Cost): (20 - 10) / 10 = 100 %"),
        ("哪个增长更快？", (SALES, COST), "图2（Cost）", "(20 - 10) / 10 = 100 %"),
        ("图1和图2哪个增长率更高？", (SALES, COST), "图2（Cost）", "50 %"),
        ("Which chart grew more slowly?", (SALES, COST), "Image 1 (Sales)", "50 %"),
        ("Which region grew faster?", (REGIONS,), "East", "West: (45.5 - 30) / 30 = 51.67 %"),
        ("What is the growth rate from 2021 to 2023?", (SALES,), "50 %", "(60 - 40) / 40 = 50 %"),
        ("从2021到2022的增长率是多少？", (SALES,), "25 %", "(50 - 40) / 40 = 25 %"),
        ("By what percent did it increase?", (SALES,), "50 %", "(60 - 40) / 40 = 50 %"),
        ("growth rate in image 2", (SALES, COST), "100 %", "(20 - 10) / 10 = 100 %"),
        ("What is the total?", (SALES,), "150 k", "40 + 50 + 60 = 150"),
        ("三年的总和是多少？", (SALES,), "150 k", "40 + 50 + 60 = 150"),
        ("What is the sum of 2021 and 2023?", (SALES,), "100 k", "40 + 60 = 100"),
        ("What is the average?", (SALES,), "50 k", "(40 + 50 + 60) / 3 = 50"),
        ("What is the difference between 2021 and 2023?", (SALES,), "20 k", "60 - 40 = 20"),
        ("How much less is 2021 than 2023?", (SALES,), "20 k", "60 - 40 = 20"),
        ("2023比2021多多少？", (SALES,), "20 k", "60 - 40 = 20"),
        ("2021比2023多多少？", (SALES,), "-20 k", "40 - 60 = -20"),
        ("What is the difference between the highest and the lowest?", (SALES,), "20 k", "60 - 40 = 20"),
        ("In Q1, what is the difference between East and West?", (REGIONS,), "20", "30 - 10 = 20"),
        ("2021年图1和图2相差多少？", (SALES, COST), "30", "40 - 10 = 30"),
        ("What is the ratio of 2023 to 2021?", (SALES,), "1.5", "60 / 40 = 1.5"),
        ("2023是2021的几倍？", (SALES,), "1.5", "60 / 40 = 1.5"),
        ("2021占百分之多少？", (SALES,), "26.67 %", "40 / (40 + 50 + 60) = 26.67 %"),
        ("Which year is the highest?", (SALES,), "2023", "max(40, 50, 60) = 60"),
        ("哪一年最低？", (SALES,), "2021", "min(40, 50, 60) = 40"),
        ("Which is larger, 2021 or 2023?", (SALES,), "2023", "40 < 60"),
        ("2021和2023哪个更小？", (SALES,), "2021", "40 < 60"),
        ("What is the value of 2022?", (SALES,), "50 k", "2022 = 50"),
    ],
)
def test_what_can_be_computed_is(text: str, charts: tuple[Chart, ...], answer: str, formula: str) -> None:
    found = ask(text, *charts)
    assert found is not None
    assert found.answer == answer
    assert formula in found.formula
    assert formula in found.text or found.operation in {"maximum", "minimum", "value"}


@pytest.mark.parametrize(
    ("text", "charts"),
    [
        ("What is the title?", (SALES,)),
        ("Describe the chart.", (SALES,)),
        ("What is the growth rate?", (REGIONS,)),  # of which series?
        ("What is the difference between Q1 and Q2?", (REGIONS,)),
        ("What is the value of 1999?", (SALES,)),
        ("What is the growth rate from Jan to Mar?", (SALES,)),
        ("从一月到三月增长了百分之几？", (SALES,)),
        ("What is the sum of Jan and Mar?", (SALES,)),
        ("Which grew faster?", (SALES,)),  # than what?
        ("What is a?", (chart([("A", 1), ("B", 2)]),)),
        ("What is the sum?", (chart([("A", None), ("B", 2)]),)),
    ],
)
def test_what_stays_open_is_left_to_others(text: str, charts: tuple[Chart, ...]) -> None:
    assert ask(text, *charts) is None


def test_digits_are_added_as_they_stand() -> None:
    found = ask("What is the sum?", chart([("A", 0.1), ("B", 0.2)]))
    assert found is not None
    assert (found.result, found.formula) == (0.3, "0.1 + 0.2 = 0.3")


def test_growth_from_nothing_has_no_rate_and_says_so() -> None:
    found = ask("What is the growth rate?", chart([("A", 0), ("B", 5)]))
    assert found is not None
    assert found.result is None
    assert "0" in found.text


def test_growth_from_below_nothing_is_counted_from_its_size() -> None:
    found = ask("What is the growth rate?", chart([("A", -10), ("B", 5)]))
    assert found is not None
    assert (found.answer, found.formula) == ("150 %", "(5 - (-10)) / |-10| = 150 %")


def test_where_all_fell_none_is_said_to_have_grown() -> None:
    a, b = chart([("A", 10), ("B", 5)], index=0), chart([("A", 10), ("B", 9)], index=1)
    found = ask("Which grew faster?", a, b)
    assert found is not None
    assert found.answer == "Image 2"
    assert found.text.startswith("None grew; Image 2 fell the least")
    fell = ask("Which fell faster?", a, b)
    assert fell is not None
    assert fell.answer == "Image 1"


def test_equal_growth_is_a_draw() -> None:
    found = ask("哪个增长更快？", chart([("A", 10), ("B", 20)]), chart([("A", 1), ("B", 2)], index=1))
    assert found is not None
    assert found.answer == "相等"


def test_an_answer_is_as_sure_as_all_its_values_together() -> None:
    found = ask("What is the sum?", chart([("A", 1), ("B", 2)], confidence=0.9))
    assert found is not None
    assert found.confidence == pytest.approx(0.81)
    assert [(step.label, step.value) for step in found.inputs] == [("A", 1), ("B", 2)]


def test_names_within_names_are_not_mistaken() -> None:
    found = ask("What is the value of Q1 total?", chart([("Q1", 1), ("Q1 total", 7)]))
    assert found is not None
    assert found.result == 7


def test_a_name_does_not_say_which_way_to_look() -> None:
    shown = chart([("Low", 3), ("High", 8), ("小米", 5), ("大米", 9)])
    for text, answer in (("Which is higher, Low or High?", "High"), ("小米和大米哪个更大？", "大米"), ("小米和大米哪个更小？", "小米")):
        found = ask(text, shown)
        assert found is not None
        assert found.answer == answer
