"""Captions: the prompt of each style, and alternative texts that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from sightline.protocol.errors import MalformedRequest
from sightline.protocol.events import Final, Token
from sightline.protocol.requests import InferRequest
from sightline.tasks.alt_text import MOST_CHARACTERS, shorten
from tests.doubles import Bench

LONG = "A red bus stands before a brick house. Two people wait beside it under a large green tree. Behind them a dog sleeps in the sun."


def captioning(style: str, **options: str) -> InferRequest:
    said = ",".join(f'"{name}":"{value}"' for name, value in {"style": style, **options}.items())
    return InferRequest(task="captioning", images=["a"], options=Raw(f"{{{said}}}".encode()))


@pytest.mark.parametrize(
    ("style", "language", "wish"),
    [
        ("short", "en", "Describe the image in one sentence."),
        ("detailed", "zh", "详细描述这张图片。"),
        ("alt_text", "en", "Describe the image in one sentence."),
        ("alt_text", "zh", "用一句话描述这张图片。"),
    ],
)
async def test_each_style_has_its_prompt_in_the_asked_language(style: str, language: str, wish: str) -> None:
    bench = Bench()
    _ = [event async for event in bench.inference.stream(bench.call(captioning(style, language=language)))]
    assert bench.backend.prompts[0].messages[-1].parts[-1] == wish


async def test_an_alternative_text_is_short_and_told_as_it_is_answered() -> None:
    bench = Bench(words=("An image of a red ", "bus. ", LONG))
    events = [event async for event in bench.inference.stream(bench.call(captioning("alt_text")))]
    final = events[-1]
    assert isinstance(final, Final)
    assert final.answer.startswith("A red bus. A red bus stands")
    assert len(final.answer) <= MOST_CHARACTERS
    assert "".join(event.token for event in events if isinstance(event, Token)) == final.answer


async def test_an_unknown_style_is_refused_with_the_styles() -> None:
    with pytest.raises(MalformedRequest) as raised:
        Bench().call(captioning("haiku"))
    assert raised.value.details["allowed"] == ["alt_text", "detailed", "short"]


@pytest.mark.parametrize(
    ("caption", "text"),
    [
        ("A red circle.", "A red circle."),
        ("This image shows a red circle.", "A red circle."),
        ("这张图片显示了一个红色的圆。", "一个红色的圆。"),
        (LONG, LONG[: LONG.index(" Behind")]),
        ("word " * 40, ("word " * 24).strip() + "…"),
        ("图" * 300, "图" * 124 + "…"),
    ],
)
def test_shortening_keeps_sentences_then_words(caption: str, text: str) -> None:
    assert shorten(caption) == text


@given(st.text())
def test_it_always_fits_on_one_line(caption: str) -> None:
    text = shorten(caption)
    assert len(text) <= MOST_CHARACTERS
    assert "\n" not in text
    assert bool(text) == bool(caption.split())
