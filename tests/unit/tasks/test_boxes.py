"""Boxes in pixels of the original, from a model's thousandths."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.prompt import Prompt
from sightline.protocol.events import Final
from sightline.protocol.requests import InferRequest
from sightline.tasks.aligned import Transcript
from sightline.tasks.base import Given
from sightline.tasks.boxes import in_pixels
from sightline.tasks.charts.spans import read
from sightline.tasks.grounding import Boxes
from sightline.tasks.vqa import VqaDetails
from tests.doubles import Bench
from tests.unit.tasks.chart_values import said, writing

CIRCLE = '[{"bbox_2d":[100,250,500,750],"label":"circle"}]'


def boxes_of(text: str, width: int = 1000, height: int = 1000):
    node = read(text)
    assert node is not None
    return in_pixels(node, Transcript(), 0, Given("image", width, height))


@settings(deadline=None)
@given(st.lists(st.integers(-50, 1100), min_size=4, max_size=4), st.integers(1, 4000), st.integers(1, 4000))
def test_every_box_lies_in_its_picture_and_has_an_area(places: list[int], width: int, height: int) -> None:
    boxes, empty = boxes_of(json.dumps([{"bbox_2d": places, "label": "x"}]), width, height)
    assert len(boxes) + empty == 1
    for one in boxes:
        left, top, right, bottom = one.box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


@settings(deadline=None)
@given(st.integers(32, 4000), st.integers(32, 4000), st.data())
def test_a_box_said_in_thousandths_comes_back_within_a_thousandth(width: int, height: int, data: st.DataObject) -> None:
    left, right = sorted(data.draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
    top, bottom = sorted(data.draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True)))
    told = [round(left / width * 1000), round(top / height * 1000), round(right / width * 1000), round(bottom / height * 1000)]
    boxes, _ = boxes_of(json.dumps([{"bbox_2d": told, "label": "x"}]), width, height)
    for one in boxes:
        assert all(
            abs(found - true) <= side / 1000 + 1
            for found, true, side in zip(one.box, (left, top, right, bottom), (width, height, width, height), strict=True)
        )


@pytest.mark.parametrize("text", ["[]", '[{"label":"x"}]', '[{"bbox_2d":[1,2,3],"label":"x"}]', '[{"bbox_2d":["a",2,3,4],"label":"x"}]'])
def test_what_is_no_box_is_left_out(text: str) -> None:
    assert boxes_of(text) == ([], 0)


def test_pretty_json_in_a_fence_is_read_too() -> None:
    boxes, _ = boxes_of('```json\n[\n\t{"bbox_2d": [10, 20, 30, 40], "label": "dog"}\n]\n```')
    assert [(one.box, one.label) for one in boxes] == [((10, 20, 30, 40), "dog")]


async def ask(bench: Bench, task: str, text: str, images: int = 1, **options: object) -> Final:
    request = InferRequest(task, ["picture"] * images, text, msgspec.Raw(msgspec.json.encode(options)))
    final = [event async for event in bench.inference.stream(bench.call(request))][-1]
    assert isinstance(final, Final)
    return final


async def test_grounding_asks_each_picture_and_answers_in_pixels_of_the_original() -> None:
    bench = writing(lambda prompt: CIRCLE)
    final = await ask(bench, "grounding", "the red circle", images=2)
    assert isinstance(final.structured, Boxes)
    assert [(one.image_index, one.box, one.label) for one in final.structured.boxes] == [
        (0, (6, 16, 32, 48), "circle"),
        (1, (6, 16, 32, 48), "circle"),
    ]
    assert said(bench.backend.prompts[0]) == "Locate the red circle in the image. Give every box as JSON."
    assert final.confidence == pytest.approx(0.99**11, abs=0.03)
    assert json.loads(final.answer)[0] == {"image_index": 0, "box": [6, 16, 32, 48], "label": "circle"}


async def test_a_box_without_area_is_left_out_and_told() -> None:
    final = await ask(writing(lambda prompt: '[{"bbox_2d":[5,5,5,9],"label":"a"}]'), "grounding", "the red circle")
    assert final.structured == Boxes(())
    assert [advice.type for advice in final.warnings] == ["empty_boxes"]


async def test_an_answer_that_is_no_list_of_boxes_is_told() -> None:
    final = await ask(writing(lambda prompt: "There is none."), "grounding", "the red circle")
    assert final.answer == "[]"
    assert [advice.type for advice in final.warnings] == ["unreadable"]


async def test_a_question_may_ask_for_boxes_beside_its_answer() -> None:
    def say(prompt: Prompt) -> str:
        return CIRCLE if prompt.grammar else "A red circle."

    bench = writing(say)
    final = await ask(bench, "vqa", "What is on the left?", images=2, ground=True)
    assert final.answer == "A red circle."
    assert isinstance(final.structured, VqaDetails)
    assert final.structured.method == "model"
    assert [(one.image_index, one.box) for one in final.structured.boxes] == [(0, (6, 16, 32, 48)), (1, (6, 16, 32, 48))]
    assert "Locate A red circle in the image" in said(bench.backend.prompts[1])


async def test_for_a_plain_yes_it_looks_for_what_was_asked_about() -> None:
    bench = writing(lambda prompt: CIRCLE if prompt.grammar else "Yes.")
    await ask(bench, "vqa", "Is there a circle?", ground=True)
    assert "Locate Is there a circle in the image" in said(bench.backend.prompts[1])
