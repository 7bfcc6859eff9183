"""Vague questions are told apart from clear ones: measured on prompts that were written down before any rule was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from sightline.protocol.events import Final
from sightline.protocol.requests import InferRequest
from sightline.tasks.vague import is_vague
from tests.doubles import Bench

PROMPTS = Path(__file__).parents[2] / "data" / "vague"


def prompts(kind: str, language: str) -> list[str]:
    return (PROMPTS / f"{kind}.{language}.txt").read_text("utf-8").splitlines()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_precision_and_recall_on_prompts_that_no_rule_was_written_for(language: str) -> None:
    vague, clear = prompts("vague", language), prompts("clear", language)
    assert len(vague) == len(clear) == 50
    found, wrong = sum(map(is_vague, vague)), sum(map(is_vague, clear))
    assert found / len(vague) >= 0.9
    assert found / (found + wrong) >= 0.9


async def warnings(task: str, text: str, options: bytes = b"{}") -> list[tuple[str, str]]:
    bench = Bench(kinds={"doc": "document"})
    images = ["doc"] if task == "doc_analyze" else ["a"]
    request = InferRequest(task=task, images=list(images), text=text, options=Raw(options))
    final = [event async for event in bench.inference.stream(bench.call(request))][-1]
    assert isinstance(final, Final)
    return [(each.type, each.hint) for each in final.warnings]


@pytest.mark.parametrize(
    ("task", "text", "better"),
    [
        ("vqa", "describe", "Which year is the highest"),
        ("doc_analyze", "请分析一下", "contract"),
        ("grounding", "everything", "the red circle"),
    ],
)
async def test_whoever_asks_vaguely_is_told_a_better_question_for_the_task(task: str, text: str, better: str) -> None:
    assert better in dict(await warnings(task, text))["vague_question"]


@pytest.mark.parametrize(
    ("task", "text", "options"),
    [
        ("vqa", "Total?", b"{}"),
        ("captioning", "describe", b"{}"),
        ("chat", "hello", b"{}"),
        ("doc_analyze", "describe", b'{"output":"markdown"}'),
    ],
)
async def test_nobody_is_told_who_asked_clearly_or_where_it_does_not_matter(task: str, text: str, options: bytes) -> None:
    assert await warnings(task, text, options) == []


@given(st.text())
def test_any_text_can_be_judged(text: str) -> None:
    assert is_vague(text) in {True, False}


def test_a_text_without_words_is_not_called_vague() -> None:
    assert not any(map(is_vague, ["", "?", "……", "！"]))
