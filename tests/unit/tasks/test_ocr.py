"""Text line by line, each with its own confidence."""

from __future__ import annotations

import msgspec
import pytest

from sightline.protocol.events import Final, Token
from sightline.protocol.requests import InferRequest
from sightline.tasks.ocr import Texts
from tests.doubles import Bench
from tests.unit.tasks.chart_values import said, writing


async def ask(bench: Bench, images: int = 1, text: str = "", **options: object) -> Final:
    request = InferRequest("ocr", ["picture"] * images, text, msgspec.Raw(msgspec.json.encode(options)))
    events = [event async for event in bench.inference.stream(bench.call(request))]
    final = events[-1]
    assert isinstance(final, Final)
    assert "".join(event.token for event in events if isinstance(event, Token)) == final.answer
    return final


async def test_every_line_has_its_own_confidence() -> None:
    final = await ask(writing(lambda prompt: "abc\n\n777", lambda token: 0.5 if token == "7" else 1.0))
    assert final.answer == "abc\n\n777"
    assert isinstance(final.structured, Texts)
    (image,) = final.structured.images
    assert [(line.text, line.confidence) for line in image.lines] == [("abc", 1.0), ("777", pytest.approx(0.125))]


async def test_several_images_are_read_one_by_one_and_told_apart() -> None:
    bench = writing(lambda prompt: f"page {prompt.frames[0].digest}")
    final = await ask(bench, images=2)
    assert final.answer == "page 0\n\npage 1"
    assert isinstance(final.structured, Texts)
    assert [image.image_index for image in final.structured.images] == [0, 1]
    assert said(bench.backend.prompts[0]) == "Read all the text in the image, line by line."


async def test_a_wish_stands_after_the_prompt() -> None:
    bench = writing(lambda prompt: "x")
    await ask(bench, text="只读标题")
    assert said(bench.backend.prompts[0]) == "逐行读出图中的所有文字。\n只读标题"


async def test_lines_repeated_without_end_are_stopped_and_told() -> None:
    final = await ask(writing(lambda prompt: "same line again\n" * 400))
    assert [advice.type for advice in final.warnings] == ["repetition"]
    assert len(final.answer) < 1600
    assert isinstance(final.structured, Texts)
    assert len(final.structured.images[0].lines) <= 2
