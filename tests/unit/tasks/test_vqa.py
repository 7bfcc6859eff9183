"""Questions about charts are computed, others are the model's; who decides, and that it is told."""

from __future__ import annotations

import msgspec
import pytest

from sightline.prompt import Prompt
from sightline.protocol.events import Final, Token
from sightline.protocol.requests import InferRequest
from sightline.service.infer import Inference
from sightline.tasks.base import Policy
from sightline.tasks.confidence import Calibrator
from sightline.tasks.vqa import VqaDetails
from tests.doubles import Bench
from tests.unit.tasks.chart_values import writing, written

SALES = written([("2021", 40), ("2022", 50)])
COST = written([("2021", 10), ("2022", 30)])


def charts(prompt: Prompt) -> str:
    if prompt.grammar is None:
        return "the model's own words"
    return SALES if prompt.frames[0].digest == "0" else COST


async def ask(bench: Bench, text: str, images: int = 1, **options: object) -> Final:
    request = InferRequest("vqa", ["picture"] * images, text, msgspec.Raw(msgspec.json.encode(options)))
    events = [event async for event in bench.inference.stream(bench.call(request))]
    final = events[-1]
    assert isinstance(final, Final)
    assert "".join(event.token for event in events if isinstance(event, Token)) == final.answer
    return final


@pytest.mark.parametrize(
    ("text", "images", "answer"),
    [
        ("What is the growth rate?", 1, "From 2021 to 2022 it changed by 25 %: (50 - 40) / 40 = 25 %."),
        ("增长率是多少？", 1, "从“2021”到“2022”的变化率为 25 %：(50 - 40) / 40 = 25 %。"),
        ("What is the sum of the values?", 1, "The sum is 90: 40 + 50 = 90."),
        ("What is the difference between 2021 and 2022?", 1, "The difference is 10: 50 - 40 = 10."),
        ("Which grew faster?", 2, "Image 2 grew faster: Image 1: (50 - 40) / 40 = 25 %; Image 2: (30 - 10) / 10 = 200 %."),
        ("哪个增长更快？", 2, "图2增长更快：图1: (50 - 40) / 40 = 25 %; 图2: (30 - 10) / 10 = 200 %。"),
    ],
)
async def test_rates_sums_and_differences_are_computed_from_the_values(text: str, images: int, answer: str) -> None:
    final = await ask(writing(charts), text, images)
    assert final.answer == answer
    assert isinstance(final.structured, VqaDetails)
    assert final.structured.method == "arithmetic"
    assert final.structured.derived is not None
    assert len(final.structured.charts) == images
    assert final.confidence == final.structured.derived.confidence


@pytest.mark.parametrize("text", ["What colour is it?", "Describe the chart.", "Which is the highest?", "What is 2021?"])
async def test_everything_else_is_asked_of_the_model_at_once(text: str) -> None:
    bench = writing(charts)
    final = await ask(bench, text)
    assert final.answer == "the model's own words"
    assert final.structured is None
    assert len(bench.backend.prompts) == 1


@pytest.mark.parametrize(
    "said",
    [
        "there is no chart",
        SALES[:80],
        written([("2021", 0), ("2022", 3)]),
        written([("2021", None)]),
    ],
)
async def test_where_the_chart_cannot_be_read_the_model_answers(said: str) -> None:
    final = await ask(writing(lambda prompt: said if prompt.grammar else "the model's own words"), "What is the growth rate?")
    assert final.answer == "the model's own words"
    assert final.structured is None


async def test_values_that_are_not_sure_are_not_computed_with() -> None:
    final = await ask(writing(charts, lambda token: 0.5), "What is the growth rate?")
    assert final.answer == "the model's own words"


async def test_a_sum_of_things_that_are_no_chart_is_the_models() -> None:
    final = await ask(writing(charts), "How many circles are there in total?")
    assert final.answer == "the model's own words"


async def test_the_caller_may_switch_it_off() -> None:
    bench = writing(charts)
    final = await ask(bench, "What is the growth rate?", arithmetic=False)
    assert final.answer == "the model's own words"
    assert len(bench.backend.prompts) == 1


async def test_so_may_the_operator_and_the_caller_has_the_last_word() -> None:
    bench = writing(charts)
    ports = bench.ports
    bench.inference = Inference(
        type(ports)(media=ports.media, pool=ports.pool, clock=ports.clock, meter=ports.meter, policy=Policy(arithmetic=False)), bench.lanes
    )
    assert (await ask(bench, "What is the growth rate?")).answer == "the model's own words"
    assert (await ask(bench, "What is the growth rate?", arithmetic=True)).answer.startswith("From 2021")


async def test_a_computed_answer_is_not_given_the_calibrator_of_the_models_own_words() -> None:
    class Answers:
        def find(self, task: str, model: str, what: str) -> Calibrator | None:
            return Calibrator(task=task, model=model, points=((0.0, 0.3),)) if what == "answer" else None

    bench = writing(charts)
    bench.ports = type(bench.ports)(media=bench.gate, pool=bench.pool, clock=bench.clock, meter=bench.journal, calibrators=Answers())
    bench.inference = Inference(bench.ports, bench.lanes)
    own, computed = await ask(bench, "What colour is it?"), await ask(bench, "What is the growth rate?")
    assert (own.confidence, own.metadata.calibrated) == (0.3, True)
    assert computed.confidence != 0.3
    assert not computed.metadata.calibrated
