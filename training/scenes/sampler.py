"""One picture (or pair) with several questions, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal, TypeVar

from training.scenes import chart_questions, pairs, shape_captions, shape_questions, words
from training.scenes.charts import chart_scene, render_chart
from training.scenes.qa import QA, Language, Sample
from training.scenes.shapes import render_shapes, shape_marks, shape_scene

Kind = Literal["word", "shapes", "chart", "pair"]
T = TypeVar("T")

SYSTEM_SHARE = 0.6  # the rest goes without a system message: other people's system prompts must not upset the model
CAPTION_SHARE = 0.4
_PAIR_MAKERS = ((pairs.which, 1.0), (pairs.more, 0.6), (pairs.within, 1.2))


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


def sample(seed: int, kind: Kind, width: int, height: int, questions: int, language: Language | None, captions: bool) -> Sample:
    """A picture of `kind` and about `questions` different questions about it.

    `language` fixes the language of every question; None mixes them. `captions` allows captioning prompts, which
    stand without a system message.
    """
    rng = Random(seed)

    def lang() -> Language:
        return language or ("zh" if rng.random() < 0.5 else "en")

    if kind == "word":
        return _word(rng, width, height, questions, lang, captions)
    if kind == "pair":
        a, b = shape_scene(rng, width, height, 4), shape_scene(rng, width, height, 4)
        found = _gather(questions, [], lambda: _pick(rng, _PAIR_MAKERS)(rng, a, b, lang()))
        return Sample((render_shapes(rng, a), render_shapes(rng, b)), tuple(found), (shape_marks(a), shape_marks(b)))
    found = []
    if kind == "chart":
        chart = chart_scene(rng, width, height)
        if captions and rng.random() < CAPTION_SHARE:
            found.append(chart_questions.describe(rng, chart, lang()))
        _gather(questions, found, lambda: _pick(rng, chart_questions.MAKERS)(rng, chart, lang()))
        image, marks = render_chart(rng, chart)
        return Sample((image,), tuple(found), (marks,))
    scene = shape_scene(rng, width, height)
    if captions and rng.random() < CAPTION_SHARE:
        found.append(shape_captions.describe(rng, scene, lang()))
    _gather(questions, found, lambda: _pick(rng, shape_questions.MAKERS)(rng, scene, lang()))
    return Sample((render_shapes(rng, scene),), tuple(found), (shape_marks(scene),))


def _word(rng: Random, width: int, height: int, questions: int, lang: Callable[[], Language], captions: bool) -> Sample:
    text = "" if rng.random() < 0.03 else words.word(rng)
    drawn = words.render_word(rng, text, width, height)
    while drawn is None:
        text = words.word(rng)
        drawn = words.render_word(rng, text, width, height)
    image, mark = drawn
    found = _gather(questions, [], lambda: words.read(rng, text, lang()), tries=1)
    if not captions:
        found = [qa for qa in found if qa.task == "vqa"] or [words.read(Random(1), text, lang())]
    return Sample((image,), tuple(found), ((mark,),))
