"""One picture (or pair) with several questions, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Literal, TypeVar

import numpy as np

from training.scenes import (
    boxes,
    chart_listings,
    chart_pairs,
    chart_questions,
    clip_questions,
    clips,
    degrade,
    document_questions,
    pairs,
    shape_captions,
    shape_questions,
    words,
)
from training.scenes.chart_forms import render_boxed, render_chart
from training.scenes.chart_kinds import plot_scene
from training.scenes.charts import chart_scene
from training.scenes.preambles import Mode
from training.scenes.qa import NOT_ON_PAGE, QA, Film, Language, Sample
from training.scenes.shapes import ShapeScene, render_shapes, shape_marks, shape_scene

Kind = Literal["word", "shapes", "chart", "plot", "pair", "chart_pair", "boxes", "clip", "page"]
T = TypeVar("T")

VQA_SHARE = 0.6
DOC_SHARE = 0.12  # of charts and words
DESCRIBED_SHARE = 0.08  # of charts: a person asks for a description
LISTING_SHARE = 0.5  # of pictures without a system message: a caption or a reading comes first
BOXED_CHARTS_SHARE, BOXED_WORDS_SHARE = 0.25, 0.2
_PAIR_MAKERS = ((pairs.which, 1.0), (pairs.more, 0.6), (pairs.within, 1.2))
_DOC_SKILLS = frozenset({"chart_value", "chart_value_series", "chart_highest", "chart_lowest", "chart_extreme_value", "read", "absent"})


def pick_mode(rng: Random, kind: Kind) -> Mode:
    if kind == "clip":
        return "clip"
    roll = rng.random()
    if kind == "boxes":
        return "bare"
    if kind == "page":
        return "vqa" if roll < 0.3 else "doc" if roll < 0.55 else "bare"
    if kind in ("chart", "plot", "word") and roll < DOC_SHARE:
        return "doc"
    return "vqa" if roll < VQA_SHARE or kind in ("pair", "chart_pair") else "bare"


def _pick(rng: Random, weighted: tuple[tuple[T, float], ...]) -> T:
    return rng.choices([item for item, _ in weighted], [weight for _, weight in weighted])[0]


def _gather(questions: int, found: list[QA], make: Callable[[], QA | None], tries: int = 4) -> list[QA]:
    """Adds different questions until there are enough; a maker may find nothing to ask."""
    for _ in range(questions * tries):
        if len(found) < questions:
            qa = make()
            if qa is not None and all(qa.text != other.text for other in found):
                found.append(qa)
    return found


def _on_page(qa: QA) -> QA | None:
    """The question as doc_analyze has it answered, with its words for what a page does not say."""
    if qa.skill not in _DOC_SKILLS or qa.task != "vqa":
        return None
    if qa.skill == "absent":
        return replace(qa, answer=NOT_ON_PAGE[qa.language], skill="doc_absent", task="doc_analyze")
    return replace(qa, skill="doc_answer", task="doc_analyze")


def _chart_pair(
    rng: Random, width: int, height: int, questions: int, lang: Callable[[], Language], drill: bool, held_out: bool, level: int
) -> Sample:
    a, b = chart_pairs.chart_pair(rng, width, height, drill, held_out)
    makers = chart_pairs.MAKERS + (chart_pairs.COMPUTED if level else ())
    found = _gather(questions, [], lambda: _pick(rng, makers)(rng, a, b, lang()))
    (first, marks), (second, others) = render_chart(rng, a), render_chart(rng, b)
    return Sample((degrade.worn(rng, first), degrade.worn(rng, second)), tuple(found), (marks, others))


def _shape_listing(rng: Random, scene: ShapeScene, lang: Language) -> QA:
    return (shape_captions.detailed if rng.random() < 0.3 else shape_captions.short)(scene, lang)


def sample(
    seed: int,
    kind: Kind,
    width: int,
    height: int,
    questions: int,
    language: Language | None,
    mode: Mode,
    drill: bool = False,
    held_out: bool = False,
    level: int = 0,
) -> Sample:
    """A picture of `kind` and about `questions` different questions about it, all askable in `mode`.

    `language` fixes the language of every question; None mixes them. `drill` asks more often what is hard to learn.
    `held_out` draws with fonts, colours, layouts and numbers that training never has. `level` 1 is everything that can be drawn and
    asked, 0 what a small model learns soon.
    """
    rng = Random(seed)

    def lang() -> Language:
        return language or ("zh" if rng.random() < 0.5 else "en")

    if kind == "page":
        return document_questions.page_sample(rng, width, height, questions, language, mode, level > 0, held_out)
    if kind == "word":
        return _word(rng, width, height, questions, lang, mode, held_out)
    if kind == "clip":
        return _clip(rng, width, height, questions, lang, held_out)
    if kind == "boxes":
        return _boxes(rng, width, height, questions, lang, held_out)
    if kind == "pair":
        a, b = shape_scene(rng, width, height, 4), shape_scene(rng, width, height, 4)
        found = _gather(questions, [], lambda: _pick(rng, _PAIR_MAKERS)(rng, a, b, lang()))
        drawn = (render_shapes(rng, a, held_out), render_shapes(rng, b, held_out))
        return Sample(drawn, tuple(found), (shape_marks(a), shape_marks(b)))
    found = []
    listing = mode == "bare" and rng.random() < LISTING_SHARE
    if kind == "chart_pair":
        return _chart_pair(rng, width, height, questions, lang, drill, held_out, level)
    if kind in ("chart", "plot"):
        chart = (
            chart_scene(rng, width, height, drill, held_out) if kind == "chart" else plot_scene(rng, width, height, drill, held_out, level)
        )
        if listing:  # long: fewer short questions beside it, so that the rows of a batch stay of one length
            found.append(chart_listings.listing(rng, chart, lang()))
            questions = max(1, questions - 3)
        elif mode != "doc" and rng.random() < DESCRIBED_SHARE:
            found.append(chart_listings.described(rng, chart, lang()))
            questions = max(1, questions - 2)
        asked = (chart_questions.DRILL if drill else chart_questions.MAKERS) + (chart_questions.COMPUTED if level else ())

        def about() -> QA | None:
            qa = _pick(rng, asked)(rng, chart, lang())
            return _on_page(qa) if qa is not None and mode == "doc" else qa

        _gather(questions, found, about)
        image, marks = render_chart(rng, chart)
        return Sample((degrade.worn(rng, image),), tuple(found), (marks,))
    scene = shape_scene(rng, width, height, alike=drill and rng.random() < 0.5)
    if listing:
        found.append(_shape_listing(rng, scene, lang()))
    makers = shape_questions.DRILL if drill else shape_questions.MAKERS
    _gather(questions, found, lambda: _pick(rng, makers)(rng, scene, lang()))
    return Sample((render_shapes(rng, scene, held_out),), tuple(found), (shape_marks(scene),))


def _word(rng: Random, width: int, height: int, questions: int, lang: Callable[[], Language], mode: Mode, held_out: bool) -> Sample:
    image, written, marks = words.word_scene(rng, width, height, held_out)

    def about() -> QA | None:
        if mode == "bare" and rng.random() < 0.5:
            return words.transcript(written, lang())
        qa = words.read(rng, written, lang(), short=mode == "bare")
        return _on_page(qa) if mode == "doc" else qa

    found = _gather(questions, [], about, tries=2)
    return Sample((image,), tuple(found), (marks,))


def _clip(rng: Random, width: int, height: int, questions: int, lang: Callable[[], Language], held_out: bool) -> Sample:
    scene = clips.clip_scene(rng, width, height, held_out)
    images, times = clips.sample_frames(scene)
    reel = clip_questions.Reel(scene, times)
    found = _gather(questions, [], lambda: clip_questions.about(rng, reel, lang()), tries=6)
    marks = tuple(clips.frame_marks(scene, seconds) for seconds in times)
    film = Film(scene.seconds, scene.rate, lambda seconds: np.asarray(clips.draw_frame(scene, seconds)))
    return Sample(images, tuple(found), marks, times, film)


def _boxes(rng: Random, width: int, height: int, questions: int, lang: Callable[[], Language], held_out: bool) -> Sample:
    roll = rng.random()
    if roll < BOXED_CHARTS_SHARE:
        chart = chart_scene(rng, width, height)
        image, marks, found_boxes = render_boxed(rng, chart)
        found = _gather(questions, [], lambda: boxes.of_chart(rng, chart, found_boxes, lang()))
        return Sample((image,), tuple(found), (marks,))
    if roll < BOXED_CHARTS_SHARE + BOXED_WORDS_SHARE:
        image, printed = boxes.words_on_paper(rng, width, height, held_out)
        found = _gather(questions, [], lambda: boxes.of_words(rng, printed, width, height, lang()))
        return Sample((image,), tuple(found), (boxes.word_marks(printed),))
    scene = shape_scene(rng, width, height, 4, alike=rng.random() < 0.4)
    found = _gather(questions, [], lambda: boxes.of_shapes(rng, scene, lang()))
    return Sample((render_shapes(rng, scene, held_out),), tuple(found), (shape_marks(scene),))
