"""Questions, answers and the small variations of wording that people make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Language = Literal["en", "zh"]
Task = Literal["vqa", "captioning"]

CAPTION_PROMPTS: dict[tuple[Language, str], str] = {
    ("en", "short"): "Describe the image in one sentence.",
    ("zh", "short"): "用一句话描述这张图片。",
    ("en", "detailed"): "Describe the image in detail.",
    ("zh", "detailed"): "详细描述这张图片。",
}


@dataclass(frozen=True)
class QA:
    """One question about a picture (or several) and its only right answer."""

    text: str
    answer: str
    skill: str
    language: Language
    task: Task = "vqa"


@dataclass(frozen=True)
class Mark:
    """Something to name in a picture, with its middle in px: a text, or a shape and a colour (indices, -1 for none).

    What stands in a relation is named too, because a tower that sees relations leaves less to the text decoder: `partner`
    is the value of a label and the label of a value; `rank` 1 the highest bar, 2 the lowest, 3 another; `size` 1 small, 2
    large; `alike` the number of equal shapes, of equal colours, and of all; `edge` bits for leftmost, rightmost, topmost,
    bottommost. 0 where it does not apply.
    """

    x: float
    y: float
    text: str = ""
    shape: int = -1
    colour: int = -1
    partner: str = ""
    rank: int = 0
    size: int = 0
    alike: tuple[int, int, int] = (0, 0, 0)
    edge: int = 0


@dataclass(frozen=True)
class Sample:
    """Pictures of equal size [H, W, 3], several independent questions about them, and each picture's marks."""

    images: tuple[NDArray[np.uint8], ...]
    questions: tuple[QA, ...]
    marks: tuple[tuple[Mark, ...], ...]


def vary(rng: Random, text: str, language: Language) -> str:
    """The same question as different people would type it."""
    if language == "en":
        if rng.random() < 0.5:
            text = text.replace("colour", "color")
        if rng.random() < 0.2 and text[1:2].islower():
            text = text[0].lower() + text[1:]
        if rng.random() < 0.25:
            text = text.removesuffix("?").removesuffix(".")
        return text
    roll = rng.random()
    if roll < 0.25:
        return text.removesuffix("？").removesuffix("。")
    return text.replace("？", "?") if roll < 0.35 else text


def ask(rng: Random, language: Language, skill: str, templates: dict[Language, Sequence[str]], answer: str, **names: str) -> QA:
    """A question from one of the skill's templates, its placeholders filled with `names`."""
    return QA(vary(rng, rng.choice(templates[language]).format(**names), language), answer, skill, language)


def absent(language: Language, what: str) -> str:
    """The honest answer to a question about something that is not there."""
    if language == "zh":
        return f"图中没有{what}。"
    return f"There is no {what}."


def caption(language: Language, detail: str, answer: str) -> QA:
    return QA(CAPTION_PROMPTS[language, detail], answer, f"caption_{detail}", language, "captioning")


def article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def upper_first(text: str) -> str:
    return text[0].upper() + text[1:]


def plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("s") else "s")
