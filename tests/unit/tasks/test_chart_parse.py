"""Charts as data, along the one path: forms of the answer, confidence, checks, the second look, arithmetic, what was cut."""

from __future__ import annotations

import json

import msgspec
import pytest

from sightline.prompt import Frame, Prompt
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.events import Final, Progress
from sightline.protocol.requests import InferRequest
from sightline.tasks.charts.chart import Charts, SecondLook
from sightline.tasks.charts.grammar import GRAMMAR
from sightline.tasks.charts.tables import from_csv, from_markdown
from sightline.tasks.confidence import Calibrator
from tests.doubles import Bench
from tests.unit.tasks.chart_values import said, writing, written

SALES = written([("2021", 40), ("2022", 50)], title="Sales")
COST = written([("2021", 10), ("2022", 30)], title="Cost")


async def ask(bench: Bench, *, images: int = 1, text: str = "", **options: object) -> Final:
    request = InferRequest(
        "chart_parse", [f"picture {number}" for number in range(images)], text, msgspec.Raw(msgspec.json.encode(options))
    )
    events = [event async for event in bench.inference.stream(bench.call(request))]
    assert isinstance(events[-1], Final)
    assert sum(isinstance(event, Progress) for event in events) == images
    return events[-1]


def result(final: Final) -> Charts:
    assert isinstance(final.structured, Charts)
    return final.structured


def types(final: Final) -> list[str]:
    return [advice.type for advice in final.warnings]


async def test_the_answer_is_the_chart_as_json() -> None:
    final = await ask(writing(lambda prompt: SALES))
    assert final.answer == SALES
    (chart,) = result(final).charts
    assert (chart.chart_type, chart.title, chart.image_index) == ("bar", "Sales", 0)
    assert [(point.label, point.value) for point in chart.points] == [("2021", 40), ("2022", 50)]
    assert not final.warnings


async def test_the_prompt_is_greedy_constrained_and_without_a_system_message() -> None:
    bench = writing(lambda prompt: SALES)
    await ask(bench)
    (prompt,) = bench.backend.prompts
    assert prompt.sampling.temperature == 0
    assert prompt.grammar == GRAMMAR
    assert prompt.schema is not None
    (message,) = prompt.messages
    assert isinstance(message.parts[0], Frame)
    assert said(prompt).startswith("Read the chart")


async def test_csv_and_markdown_hold_the_same_chart() -> None:
    for form, back in (("csv", from_csv), ("markdown", from_markdown)):
        final = await ask(writing(lambda prompt: SALES), format=form)
        (chart,) = back(final.answer)
        assert [(point.label, point.value) for point in chart.points] == [("2021", 40), ("2022", 50)]
        assert result(final).charts[0].title == chart.title == "Sales"


async def test_a_value_is_as_sure_as_its_own_digits() -> None:
    final = await ask(writing(lambda prompt: SALES, lambda token: 0.6 if token == "5" else 0.9), second_look=False)
    assert [point.confidence for point in result(final).charts[0].points] == pytest.approx([0.9 * 0.9, 0.6 * 0.9])


async def test_forced_signs_do_not_count() -> None:
    """However unlikely the model finds the form it is held to, its values are as sure as they are."""
    text = written([("A", 1234), ("B", 5678)])
    final = await ask(writing(lambda prompt: text, lambda token: 1e-6 if not any(sign.isdigit() for sign in token) else 0.999))
    assert all((point.confidence or 0) > 0.99 for point in result(final).charts[0].points)


async def test_several_pictures_are_read_one_by_one() -> None:
    bench = writing(lambda prompt: SALES if prompt.frames[0].digest == "0" else COST)
    final = await ask(bench, images=2)
    assert [chart.title for chart in result(final).charts] == ["Sales", "Cost"]
    assert [chart.image_index for chart in result(final).charts] == [0, 1]
    assert [chart["title"] for chart in json.loads(final.answer)] == ["Sales", "Cost"]
    assert all(len(prompt.frames) == 1 for prompt in bench.backend.prompts)
    assert [receipt.index for receipt in final.metadata.receipts] == [0, 1]


@pytest.mark.parametrize(("text", "winner"), [("Which grew faster?", "Image 2 (Cost)"), ("哪个增长更快？", "图2（Cost）")])
async def test_the_growth_of_two_charts_is_compared_by_arithmetic(text: str, winner: str) -> None:
    final = await ask(writing(lambda prompt: SALES if prompt.frames[0].digest == "0" else COST), images=2, text=text)
    derived = result(final).derived
    assert derived is not None
    assert derived.answer == winner
    assert "(30 - 10) / 10 = 200 %" in derived.formula
    assert final.answer == derived.text
    assert final.confidence == derived.confidence


async def test_a_question_beside_a_table_keeps_the_table() -> None:
    final = await ask(writing(lambda prompt: SALES), text="What is the sum?", format="csv")
    assert from_csv(final.answer)
    derived = result(final).derived
    assert derived is not None
    assert derived.result == 90


async def test_a_question_that_is_no_calculation_is_told_so() -> None:
    final = await ask(writing(lambda prompt: SALES), text="What colour are the bars?")
    assert types(final) == ["not_computed"]
    assert final.answer == SALES


async def test_a_failed_check_names_what_failed() -> None:
    pie = written([("A", 40), ("B", 70)], chart_type="pie", unit="%")
    final = await ask(writing(lambda prompt: pie))
    assert types(final) == ["pie_total"]
    assert "110 %" in final.warnings[0].msg
    checks = {check.type: check for check in result(final).charts[0].checks}
    assert not checks["pie_total"].passed
    assert checks["duplicate_labels"].passed


async def test_of_an_answer_that_was_cut_the_whole_part_is_there() -> None:
    long = written([(f"label {number}", number) for number in range(40)])
    final = await ask(writing(lambda prompt: long), max_tokens=200)
    assert final.metadata.finish_reason == "length"
    assert types(final) == ["truncated"]
    (chart,) = result(final).charts
    assert not chart.complete
    assert 3 < len(chart.points) < 40
    assert [point.value for point in chart.points] == list(range(len(chart.points)))
    assert json.loads(final.answer)["series"][0]["points"]


async def test_a_model_that_goes_round_in_circles_is_stopped() -> None:
    text = SALES[: SALES.index("]")] + ',{"label":"x","value":1}' * 200
    bench = writing(lambda prompt: text)
    final = await ask(bench, second_look=False)
    assert "repetition" in types(final)
    assert final.metadata.finish_reason == "length"
    assert len(result(final).charts[0].points) <= 4


@pytest.mark.parametrize("text", ["", "I cannot see a chart.", "{}", '{"series":3}', '{"series":[{"points":[{"label":1}]}]}'])
async def test_an_answer_without_a_chart_is_still_json_and_says_so(text: str) -> None:
    final = await ask(writing(lambda prompt: text))
    assert json.loads(final.answer)["series"] == []
    assert "no_chart" in types(final)
    assert final.confidence is None


class Sure:
    """Calibrates the values of one model."""

    def find(self, task: str, model: str, what: str) -> Calibrator | None:
        return Calibrator(task=task, model=model, what=what, points=((0.0, 0.1), (1.0, 0.5))) if what == "value" else None


async def test_confidences_are_calibrated_where_a_calibrator_is_there() -> None:
    bench = writing(lambda prompt: SALES)
    assert not (await ask(bench)).metadata.calibrated
    bench = Bench(calibrators=Sure())
    bench.backend.words = (SALES,)
    final = await ask(bench, second_look=False)
    assert final.metadata.calibrated
    assert all(0.1 <= (point.confidence or 0) <= 0.5 for point in result(final).charts[0].points)


class TestSecondLook:
    """A doubtful value is read again from an enlarged part of the original."""

    @staticmethod
    def bench(again: str, text: str = SALES) -> Bench:
        def say(prompt: Prompt) -> str:
            return again if prompt.grammar is None else text

        return writing(say, lambda token: 0.5 if token == "5" else 0.99)

    async def test_agreement_is_told(self) -> None:
        bench = self.bench("50")
        final = await ask(bench)
        first, second = result(final).charts[0].points
        assert first.second_look is msgspec.UNSET
        assert isinstance(second.second_look, SecondLook)
        assert (second.second_look.value, second.second_look.agrees) == (50, True)
        assert (result(final).looked_again, result(final).agreed) == (1, 1)
        assert "readings_differ" not in types(final)
        assert said(bench.backend.prompts[1]) == "What is the value of 2022?"

    async def test_what_was_read_differently_is_a_warning_with_both_numbers(self) -> None:
        final = await ask(self.bench("It is 56."))
        assert types(final) == ["readings_differ"]
        assert "50" in final.warnings[0].msg
        assert "56" in final.warnings[0].msg
        assert result(final).agreed == 0

    async def test_a_part_that_says_nothing_disagrees_without_a_number(self) -> None:
        final = await ask(self.bench("I cannot see it."))
        second = result(final).charts[0].points[1].second_look
        assert isinstance(second, SecondLook)
        assert (second.value, second.agrees) == (None, False)

    async def test_the_receipt_says_which_part_was_shown_and_how_large(self) -> None:
        final = await ask(self.bench("50", written([("A", 10), ("B", 20), ("C", 30), ("D", 50)])))
        (receipt,) = final.metadata.receipts
        (closer,) = receipt.closer
        second = result(final).charts[0].points[3].second_look
        assert isinstance(second, SecondLook)
        assert closer.box == second.box
        left, top, right, bottom = closer.box
        assert (top, bottom, right) == (0, 64, 64)
        assert left > 0
        assert receipt.visual_tokens == 4

    async def test_it_can_be_left_out(self) -> None:
        bench = self.bench("50")
        await ask(bench, second_look=False)
        assert len(bench.backend.prompts) == 1

    async def test_there_is_none_once_the_time_is_nearly_over(self) -> None:
        bench = self.bench("50")
        final = await ask(bench, timeout_ms=300)
        assert result(final).looked_again == 0


@pytest.mark.parametrize(
    ("options", "field", "allowed"),
    [
        ({"format": "xml"}, "options.format", "csv"),
        ({"second_look": 3}, "options.second_look", "true"),
        ({"styel": 1}, "options.styel", "format"),
    ],
)
async def test_bad_options_are_named_with_what_may_stand_there(options: dict[str, object], field: str, allowed: str) -> None:
    with pytest.raises(MalformedRequest) as raised:
        await ask(Bench(), **options)
    assert raised.value.details["field"] == field
    assert allowed in str(raised.value.details["allowed"])


async def test_a_video_is_refused_with_the_kinds_there_are() -> None:
    bench = Bench(kinds={"clip": "video"})
    with pytest.raises(MalformedRequest) as raised:
        _ = [event async for event in bench.inference.stream(bench.call(InferRequest("chart_parse", ["clip"])))]
    assert raised.value.details["field"] == "images[0]"
    assert raised.value.details["allowed"] == ["image"]


async def test_too_many_images_are_refused_with_the_number() -> None:
    with pytest.raises(MalformedRequest) as raised:
        await ask(Bench(), images=9)
    assert raised.value.details["allowed"] == "1..8"
