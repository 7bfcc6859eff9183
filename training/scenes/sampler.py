"""One picture (or pair) with several questions, from a seed."""

from __future__ import annotations

from random import Random
from typing import Literal, TypeVar

from training.scenes import chart_questions, pairs, shape_questions, words
from training.scenes.charts import chart_scene, render_chart
from training.scenes.qa import QA, Language, Sample
from training.scenes.shapes import render_shapes, shape_scene

Kind = Literal["word", "shapes", "chart", "pair"]
T = TypeVar("T")

# The two system messages and none: other people's system prompts must not upset the model.
SYSTEM_SHARE = 0.6
CAPTION_SHARE = 0.4


def _pick(rng: Random, weighted: tuple[tuple[T, float], ...]) -> T:
    return rng.choices([item for item, _ in weighted], [weight for _, weight in weighted])[0]


def _language(rng: Random, fixed: Language | None) -> Language:
    return fixed or ("zh" if rng.random() < 0.5 else "en")


def sample(seed: int, kind: Kind, width: int, height: int, questions: int, language: Language | None, captions: bool) -> Sample:
    """A picture of `kind` and about `questions` different questions about it.

    `language` fixes the language of every question; None mixes them. `captions` allows captioning prompts, which
    stand without a system message.
    """
    rng = Random(seed)
    found: list[QA] = []

    def add(qa: QA | None) -> None:
        if qa is not None and all(qa.text != other.text for other in found):
            found.append(qa)

    if kind == "word":
        text = "" if rng.random() < 0.03 else words.word(rng)
        image = words.render_word(rng, text, width, height)
        while image is None:
            text = words.word(rng)
            image = words.render_word(rng, text, width, height)
        for _ in range(questions):
            add(words.read(rng, text, _language(rng, language)))
        if not captions:
            found = [qa for qa in found if qa.task == "vqa"] or [words.read(Random(1), text, language or "en")]
        return Sample((image,), tuple(found))
    if kind == "pair":
        a, b = shape_scene(rng, width, height, 4), shape_scene(rng, width, height, 4)
        for _ in range(questions * 4):
            if len(found) < questions:
                maker = _pick(rng, ((pairs.which, 1.0), (pairs.more, 0.6), (pairs.within, 1.2)))
                add(maker(rng, a, b, _language(rng, language)))
        return Sample((render_shapes(rng, a), render_shapes(rng, b)), tuple(found))
    if kind == "chart":
        chart = chart_scene(rng, width, height)
        if captions and rng.random() < CAPTION_SHARE:
            add(chart_questions.describe(rng, chart, _language(rng, language)))
        for _ in range(questions * 4):
            if len(found) < questions:
                add(_pick(rng, chart_questions.MAKERS)(rng, chart, _language(rng, language)))
        return Sample((render_chart(rng, chart),), tuple(found))
    scene = shape_scene(rng, width, height)
    if captions and rng.random() < CAPTION_SHARE:
        add(shape_questions.describe(rng, scene, _language(rng, language)))
    for _ in range(questions * 4):
        if len(found) < questions:
            add(_pick(rng, shape_questions.MAKERS)(rng, scene, _language(rng, language)))
    return Sample((render_shapes(rng, scene),), tuple(found))
