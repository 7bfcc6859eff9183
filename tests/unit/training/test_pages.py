"""Pages, words and their questions: what the bundled model learns of reading is true, is on the paper, and is asked as the service asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, get_args

import msgspec
import numpy as np
import pytest

from sightline.prompt import text_of
from sightline.protocol.events import Final
from sightline.protocol.requests import InferRequest
from tests.doubles import Bench
from tests.unit.tasks.chart_values import said, writing
from tests.unit.tasks.documents import Written, library
from training.scenes import degrade, document_listings, document_questions, draw, entries, words
from training.scenes.documents import PageScene, Style, page_scene, render_page
from training.scenes.multipage import document
from training.scenes.qa import CANNOT_TELL, NOTHING, QA, Language, Mark
from training.scenes.sampler import Mode, sample

if not all((draw.FONT_ROOT / path).is_file() for path in draw.LATIN_FONTS + draw.CJK_FONTS):
    pytest.skip("the fonts that pictures are drawn with are missing", allow_module_level=True)

LANGUAGES: tuple[Language, ...] = ("en", "zh")
SIZES = ((128, 64), (128, 128), (192, 160), (224, 288), (288, 192))


def scenes(number: int, hard: bool = False) -> Iterator[tuple[Random, PageScene]]:
    for seed in range(number):
        rng = Random(seed)
        width, height = rng.choice(SIZES[2:] if hard else SIZES)
        yield rng, page_scene(rng, width, height, LANGUAGES[seed % 2], hard)


def lines_of(scene: PageScene) -> list[str]:
    return [scene.text(number) for number in range(len(scene.lines))]


@pytest.mark.parametrize("kind", ["page", "word"])
@pytest.mark.parametrize("level", [0, 1])
def test_a_picture_and_its_questions_belong_to_their_seed(kind: Any, level: int) -> None:
    modes: tuple[Mode, ...] = ("vqa", "doc", "bare")
    for seed, mode in enumerate(modes):
        first, again = (sample(seed, kind, 160, 128, 5, None if mode == "bare" else "en", mode, level=level) for _ in range(2))
        other = sample(seed + 100, kind, 160, 128, 5, None if mode == "bare" else "en", mode, level=level)
        assert np.array_equal(first.images[0], again.images[0])
        assert (first.questions, first.marks) == (again.questions, again.marks)
        assert first.images[0].shape == (128, 160, 3)
        assert not np.array_equal(first.images[0], other.images[0])


@pytest.mark.parametrize("hard", [False, True])
def test_nothing_is_cut_and_no_line_touches_another(hard: bool) -> None:
    for _, scene in scenes(60, hard):
        for run in scene.runs:
            assert run.x >= 0
            assert run.x + run.width <= scene.width
            assert 0 <= run.y - 0.75 * run.size < run.y <= scene.height
        for index, a in enumerate(scene.runs):
            for b in scene.runs[index + 1 :]:
                beside = a.x + a.width <= b.x or b.x + b.width <= a.x
                assert beside or abs(a.y - b.y) >= 0.95 * min(a.size, b.size)


def test_where_a_mark_is_there_is_ink() -> None:
    for rng, scene in scenes(12):
        picture = render_page(rng, scene).astype(float)
        for mark in scene.marks:
            if len(mark.text) < 2 or not mark.text.isalnum():
                continue
            around = picture[max(0, int(mark.y) - 8) : int(mark.y) + 9, max(0, int(mark.x) - 8) : int(mark.x) + 9]
            assert around.max() - around.min() > 60


@pytest.mark.parametrize("style", get_args(Style))
def test_answers_stand_on_the_page_and_what_is_absent_does_not(style: Style) -> None:
    for seed in range(25):
        rng, language = Random(seed), LANGUAGES[seed % 2]
        scene = page_scene(rng, 192, 160, language, style=style)
        lines = lines_of(scene)
        assert document_listings.transcript(scene, language).answer == "\n".join(lines)
        for make in (document_questions.value, document_questions.title, document_questions.line):
            qa = make(rng, scene, language)
            assert qa is None or any(qa.answer in line for line in lines)
        gone = document_questions.absent(rng, scene, language)
        if gone is not None:
            assert gone.answer == CANNOT_TELL[language]
            assert document_questions.of_page(gone).answer in ("not on this page", "本页没有")
            answered = [document_questions.value(rng, scene, language) for _ in range(40)]
            assert plain(gone.text) not in {plain(qa.text) for qa in answered if qa is not None}


def plain(question: str) -> str:
    return question.rstrip("?？.。").lower()


def test_the_total_of_a_bill_is_the_sum_of_its_prices() -> None:
    for seed in range(20):
        scene = page_scene(Random(seed), 224, 288, "en", style="bill")
        total = scene.value_of("total")
        assert total is not None
        prices = [float(entry.value.text) for entry in scene.entries if entry.key is None]
        assert len(prices) >= 1
        assert float(total.value.text) == pytest.approx(sum(prices))


def test_fields_have_the_values_of_their_keys_and_null_for_what_is_not_said() -> None:
    nulls = values = 0
    for rng, scene in (*scenes(60), *scenes(20, hard=True)):
        qa = document_listings.fields(rng, scene, scene.language)
        if qa is None:
            continue
        named = {name: key for key in (*entries.KEYS, *entries.HARD_KEYS) for name in (key.field, key.en, key.zh)}
        form = json.loads(qa.answer)
        assert list(form) == list(document_listings.schema_of(qa.text)["properties"])
        for name, value in form.items():
            entry = scene.value_of(named[name].field)
            assert (entry is None) == (value is None)
            nulls, values = nulls + (value is None), values + (value is not None)
            if entry is not None:
                assert value == entry.value.text or value == float(entry.value.text.lstrip("$¥€").replace(",", ""))
    assert nulls > 10
    assert values > 50


def looked_at(qa: QA, marks: tuple[Mark, ...]) -> Iterator[tuple[str, str]]:
    """Pieces of the answer, and what is printed where the first head looks for them."""
    if not qa.focus:
        return
    for (start, groups), end in zip(qa.focus, [*(start for start, _ in qa.focus[1:]), len(qa.answer)], strict=True):
        if groups and groups[0]:
            yield qa.answer[start:end].strip(' \n";；，'), marks[groups[0][0]].text
        if groups and len(groups) > 2 and not groups[0]:
            assert groups[2] == (NOTHING,)


@pytest.mark.parametrize("kind", ["page", "word"])
def test_every_piece_of_an_answer_is_looked_for_where_it_is_printed(kind: Any) -> None:
    checked = 0
    for seed in range(60):
        made = sample(seed, kind, 160, 128, 5, None, "bare")
        for qa in made.questions:
            for piece, printed in looked_at(qa, made.marks[0]):
                assert piece in printed
                checked += 1
    assert checked > 300


async def final_of(bench: Bench, request: InferRequest) -> Final:
    events = [event async for event in bench.inference.stream(bench.call(request))]
    final = events[-1]
    assert isinstance(final, Final)
    return final


def request_for(task: str, text: str, **options: Any) -> InferRequest:
    return InferRequest(task, ["a.pdf"], text, msgspec.Raw(json.dumps({"cache": "off", **options}).encode()))


def a_page(language: Language) -> PageScene:
    return page_scene(Random(5), 192, 160, language, style="form")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_fields_are_asked_and_read_as_the_service_does(language: Language) -> None:
    qa = document_listings.fields(Random(3), a_page(language), language)
    assert qa is not None
    bench, reader = library({"a.pdf": Written(["x"])})
    reader.answer = lambda prompt: qa.answer
    schema = document_listings.schema_of(qa.text)
    final = await final_of(bench, request_for("doc_analyze", "", language=language, output="fields", schema=schema))
    (message,) = reader.prompts[0].messages
    assert message.parts[-1] == qa.text
    assert {name: field["value"] for name, field in final.structured["fields"].items()} == json.loads(qa.answer)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_page_is_asked_as_the_service_does_and_what_is_not_on_it_is_understood(language: Language) -> None:
    qa = next(qa for qa in sample(9, "page", 192, 160, 6, language, "doc").questions if qa.skill == "doc_absent")
    bench, reader = library({"a.pdf": Written(["x"])})
    reader.answer = lambda prompt: qa.answer
    final = await final_of(bench, request_for("doc_analyze", qa.text, language=language))
    system, user = reader.prompts[0].messages
    assert system.parts == (text_of("doc_page", language),)
    assert user.parts[-1] == qa.text
    assert final.structured["found"] is False


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_page_is_written_out_as_ocr_and_markdown_ask(language: Language) -> None:
    qa = document_listings.transcript(a_page(language), language)
    bench, reader = library({"a.pdf": Written(["x"])})
    await final_of(bench, request_for("doc_analyze", "", language=language, output="markdown"))
    (message,) = reader.prompts[0].messages
    assert message.parts[-1] == qa.text
    plain = writing(lambda prompt: "x")
    await final_of(plain, InferRequest("ocr", ["picture"], "", msgspec.Raw(json.dumps({"language": language}).encode())))
    assert said(plain.backend.prompts[0]) == qa.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", ["short", "detailed"])
async def test_captions_are_asked_as_the_service_does(language: Language, style: str) -> None:
    make = document_listings.short if style == "short" else document_listings.detailed
    bench = writing(lambda prompt: "x")
    options = msgspec.Raw(json.dumps({"language": language, "style": style}).encode())
    await final_of(bench, InferRequest("captioning", ["picture"], "", options))
    assert said(bench.backend.prompts[0]) == make(a_page(language), language).text


@pytest.mark.parametrize("change", degrade.ALL, ids=lambda change: change.__name__)
def test_a_degraded_picture_is_of_its_seed_and_still_the_same_page(change: Any) -> None:
    rng, scene = next(scenes(1))
    picture = render_page(rng, scene)
    first, again = change(Random(7), picture), change(Random(7), picture)
    assert np.array_equal(first, again)
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    assert not np.array_equal(first, picture)
    assert np.corrcoef(first.mean(2).ravel(), picture.mean(2).ravel())[0, 1] > 0.5


def drawn(kind: entries.ValueKind, language: Language, held_out: bool) -> set[str]:
    rng = Random(1)
    return {entries.value(rng, kind, language, held_out) for _ in range(400)}


@pytest.mark.parametrize("kind", ["company", "city", "item", "person", "date", "code"])
def test_training_never_draws_what_is_held_out(kind: entries.ValueKind) -> None:
    learned, kept = drawn(kind, "zh", False), drawn(kind, "zh", True)
    assert len(kept) > 1
    assert not learned & kept


def test_numbers_that_begin_with_4_are_held_out() -> None:
    learned, kept = drawn("count", "en", False), drawn("count", "en", True)
    assert all(int(number) < 10 or number[0] != "4" for number in learned)
    assert all(int(number) >= 40 and number[0] == "4" for number in kept)


def test_held_out_pages_are_drawn_in_fonts_of_their_own() -> None:
    if not all((draw.FONT_ROOT / path).is_file() for path in draw.HELD_OUT_FONTS + draw.HELD_OUT_CJK_FONTS):
        pytest.skip("install fonts-lato fonts-open-sans fonts-roboto-unhinted fonts-wqy-microhei")
    for seed in range(10):
        rng = Random(seed)
        scene = page_scene(rng, 192, 160, LANGUAGES[seed % 2], held_out=True)
        assert render_page(rng, scene).shape == (160, 192, 3)
        assert not {run.font for run in scene.runs} & set(draw.LATIN_FONTS + draw.CJK_FONTS)


def test_words_hold_lines_numbers_and_letters() -> None:
    found = [words.lines(Random(seed), 128) for seed in range(300)]
    assert {len(lines) for lines in found} == {0, 1, 2, 3, 4}
    flat = [line for lines in found for line in lines]
    assert len(set(flat)) > 0.9 * len(flat), "what can be remembered need not be read"
    for wanted in (".", "%", "-", " "):
        assert sum(wanted in line for line in flat) > 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_about_a_document_is_answered_by_one_page(language: Language) -> None:
    made = document(Random(4), 12, 8, 192, 160, language)
    again = document(Random(4), 12, 8, 192, 160, language)
    assert made.questions == again.questions
    assert len(made.pages) == 12
    answered = [question for question in made.questions if question.page is not None]
    assert len(answered) >= 6
    assert len({question.page for question in answered}) == len(answered)
    assert all(question.answer for question in answered)
    assert any(question.page is None and not question.answer for question in made.questions)
