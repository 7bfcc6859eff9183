"""Two charts with the same labels, as of two years, and questions about what changed. The marks of the second follow those of the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from training.scenes.chart_questions import Parts, say_value
from training.scenes.charts import ChartScene, chart_scene, numbers
from training.scenes.qa import NOTHING, QA, Groups, Language, ask, told

Maker = Callable[[Random, ChartScene, ChartScene, Language], QA | None]


def chart_pair(rng: Random, width: int, height: int, drill: bool = False, held_out: bool = False) -> tuple[ChartScene, ChartScene]:
    """Two charts alike but for their values."""
    first = chart_scene(rng, width, height, drill, held_out)
    top = 99 if max(first.values) <= 99 else 999 if max(first.values) <= 999 else 9999
    tenths = isinstance(first.values[0], float)
    values = numbers(rng, len(first.labels), top, held_out, tenths)
    return first, replace(first, values=tuple(values))


def _image(number: int, lang: Language) -> str:
    return f"图{number}" if lang == "zh" else f"image {number}"


def _moved(groups: Groups, by: int) -> Groups:
    """The same places in the second picture."""
    return tuple(tuple(mark if mark == NOTHING else mark + by for mark in group) for group in groups)


def _both(a: ChartScene, b: ChartScene, index: int) -> Groups:
    """The values of one label in the two pictures."""
    left = a.marks["value", 0, index]
    right = tuple(mark + _count(a) for mark in b.marks["value", 0, index])
    return (left, right, (*left, *right, NOTHING))


def _count(scene: ChartScene) -> int:
    return sum(len(marks) for marks in scene.marks.values())


def within(rng: Random, a: ChartScene, b: ChartScene, lang: Language) -> QA:
    number, index = rng.choice((1, 2)), rng.randrange(len(a.labels))
    parts: Parts = say_value(a if number == 1 else b, 0, index)
    if number == 2:
        parts = [(text, _moved(groups, _count(a))) for text, groups in parts]
    templates: dict[Language, Sequence[str]] = {
        "en": ("What is the value of {x} in {i}?", "What is {x} in {i}?", "How much is {x} in {i}?"),
        "zh": ("{i}中{x}的数值是多少？", "{i}中{x}是多少？", "{i}里{x}是多少？"),
    }
    answer, focus = told(parts)
    return replace(ask(rng, lang, "pair_value", templates, answer, x=a.labels[index], i=_image(number, lang)), focus=focus)


def which(rng: Random, a: ChartScene, b: ChartScene, lang: Language) -> QA | None:
    """In which of the two is a label's value the larger?"""
    index = rng.randrange(len(a.labels))
    first, second = a.values[index], b.values[index]
    if first == second:
        return None
    larger = rng.random() < 0.65
    word = {"en": ("larger", "higher") if larger else ("smaller", "lower"), "zh": ("大", "高") if larger else ("小", "低")}[lang]
    templates: dict[Language, Sequence[str]] = {
        "en": ("In which image is {x} {w}?", "Which image has the {w} {x}?"),
        "zh": ("哪张图里{x}更{w}？", "哪张图中{x}更{w}？"),
    }
    answer = _image(1 if (first > second) == larger else 2, lang)
    return ask(rng, lang, "pair_larger", templates, answer, _both(a, b, index), x=a.labels[index], w=rng.choice(word))


def change(rng: Random, a: ChartScene, b: ChartScene, lang: Language) -> QA | None:
    """Did it grow from the first picture to the second?"""
    index = rng.randrange(len(a.labels))
    first, second = a.values[index], b.values[index]
    if first == second:
        return None
    if rng.random() < 0.5:
        templates: dict[Language, Sequence[str]] = {
            "en": ("Did {x} go up or down?", "Did {x} go up or down from image 1 to image 2?"),
            "zh": ("{x}变大了还是变小了？", "从图1到图2，{x}变大了还是变小了？"),
        }
        answer = {"en": ("up", "down"), "zh": ("变大了", "变小了")}[lang][0 if second > first else 1]
    else:
        templates = {
            "en": ("Did {x} grow?", "Did {x} grow from image 1 to image 2?"),
            "zh": ("{x}变大了吗？", "从图1到图2，{x}变大了吗？"),
        }
        answer = {"en": ("yes", "no"), "zh": ("是", "不是")}[lang][0 if second > first else 1]
    return ask(rng, lang, "pair_change", templates, answer, _both(a, b, index), x=a.labels[index])


def difference(rng: Random, a: ChartScene, b: ChartScene, lang: Language) -> QA | None:
    """The service computes this from the two charts that it reads."""
    index = rng.randrange(len(a.labels))
    first, second = a.values[index], b.values[index]
    if isinstance(first, float) or isinstance(second, float) or first == second:
        return None
    templates: dict[Language, Sequence[str]] = {
        "en": ("What is the difference of {x} between image 1 and image 2?",),
        "zh": ("图1和图2中{x}相差多少？",),
    }
    return ask(rng, lang, "pair_difference", templates, str(abs(first - second)), _both(a, b, index), x=a.labels[index])


MAKERS: tuple[tuple[Maker, float], ...] = ((within, 1.2), (which, 1.0), (change, 0.7))
COMPUTED: tuple[tuple[Maker, float], ...] = ((difference, 1.0),)
