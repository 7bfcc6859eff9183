"""Questions, answers and the small variations of wording that people make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.scenes.extents import Extent

Language = Literal["en", "zh"]
Task = Literal["vqa", "captioning", "chart_parse", "ocr", "doc_analyze", "grounding", "video_qa"]
# Which marks of the picture each watched attention head should look at (see `QA.focus`). The third head also looks at the start of
# the text (NOTHING): how much of its attention stays there tells how many things were found, from none to five.
Groups = tuple[tuple[int, ...], ...]
NOTHING = -1
_CLOCK = 8  # characters at most that a time is written with


def clock(picture: int, char: int) -> int:
    """What stands in a focus for a character of the time that is written before a picture."""
    return NOTHING - 1 - _CLOCK * picture - char


def on_clock(mark: int) -> tuple[int, int]:
    """The picture and the character of a `clock`."""
    return divmod(NOTHING - 1 - mark, _CLOCK)


CAPTION_PROMPTS: dict[tuple[Language, str], str] = {
    ("en", "short"): "Describe the image in one sentence.",
    ("zh", "short"): "用一句话描述这张图片。",
    ("en", "detailed"): "Describe the image in detail.",
    ("zh", "detailed"): "详细描述这张图片。",
}
READ_PROMPTS: dict[tuple[Language, Task], str] = {
    ("en", "chart_parse"): "Read the chart: its type, its title, its axes, its unit and every value of every series, as JSON.",
    ("zh", "chart_parse"): "读出这张图表：类型、标题、坐标轴、单位，以及每个系列的每个数值，用JSON表示。",
    ("en", "ocr"): "Read all the text in the image, line by line.",
    ("zh", "ocr"): "逐行读出图中的所有文字。",
}
CANNOT_TELL: dict[Language, str] = {"en": "It cannot be determined from the image.", "zh": "图中看不出。"}
NOT_ON_PAGE: dict[Language, str] = {"en": "not on this page", "zh": "本页没有"}


@dataclass(frozen=True)
class QA:
    """One question about a picture (or several) and its only right answer.

    `focus` says where to look: from the given character of the answer on, each watched head should look at the marks with these
    numbers. It is used in training only, and empty where nothing in particular is to be looked at.
    """

    text: str
    answer: str
    skill: str
    language: Language
    task: Task = "vqa"
    focus: tuple[tuple[int, Groups], ...] = ()


@dataclass(frozen=True)
class Mark:
    """Something to name in a picture, with its middle in px: a text, or a shape and a colour (indices, -1 for none).

    What stands in a relation is named too, because a tower that sees relations leaves less to the text decoder: `partner`
    is the value of a label and the label of a value; `extent` the box in px of a shape, of a word that stands alone, or of a label's bar;
    `rank` 1 the highest bar or clearly largest shape, 2 the lowest or smallest, 3 another; `size` 1 small, 2 large; `alike` the number of
    equal shapes, of equal colours, and of all; `edge` bits for leftmost, rightmost, topmost, bottommost. 0 where it does not apply.
    """

    x: float
    y: float
    text: str = ""
    shape: int = -1
    colour: int = -1
    partner: str = ""
    extent: Extent | None = None
    rank: int = 0
    size: int = 0
    alike: tuple[int, int, int] = (0, 0, 0)
    edge: int = 0


@dataclass(frozen=True)
class Film:
    """A clip of `seconds` s with `rate` frames per second; `draw` gives its picture [H, W, 3] at a time (s)."""

    seconds: float
    rate: int
    draw: Callable[[float], NDArray[np.uint8]]


@dataclass(frozen=True)
class Sample:
    """Pictures of equal size [H, W, 3], several independent questions about them, and each picture's marks.

    The focus of a question counts the marks of all pictures on, in the order of the pictures. `times` (s) are those of the
    frames of a clip, and `film` is the whole of it; other pictures have none.
    """

    images: tuple[NDArray[np.uint8], ...]
    questions: tuple[QA, ...]
    marks: tuple[tuple[Mark, ...], ...]
    times: tuple[float, ...] = ()
    film: Film | None = None


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


def ask(
    rng: Random, language: Language, skill: str, templates: dict[Language, Sequence[str]], answer: str, focus: Groups = (), **names: str
) -> QA:
    """A question from one of the skill's templates, its placeholders filled with `names`."""
    text = vary(rng, rng.choice(templates[language]).format(**names), language)
    return QA(text, answer, skill, language, focus=((0, focus),) if focus else ())


def counting(found: Sequence[int]) -> Groups:
    """The focus of a question about how many there are, or whether there is one."""
    return (tuple(found), (), (*found, NOTHING))


def told(parts: Sequence[tuple[str, Groups]]) -> tuple[str, tuple[tuple[int, Groups], ...]]:
    """An answer joined from pieces, each with what it is about; and the focus that belongs to it."""
    answer, focus = "", []
    for text, groups in parts:
        focus.append((len(answer), groups))
        answer += text
    return answer, tuple(focus)


def absent(language: Language, what: str) -> str:
    """The honest answer to a question about something that is not there."""
    if language == "zh":
        return f"图中没有{what}。"
    return f"There is no {what}."


def caption(language: Language, detail: str, parts: Sequence[tuple[str, Groups]]) -> QA:
    answer, focus = told(parts)
    return QA(CAPTION_PROMPTS[language, detail], answer, f"caption_{detail}", language, "captioning", focus)


def reading(language: Language, task: Task, parts: Sequence[tuple[str, Groups]]) -> QA:
    """The prompt of a reading task, as the service renders it, and its answer."""
    answer, focus = told(parts)
    return QA(READ_PROMPTS[language, task], answer, task, language, task, focus)


def article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def upper_first(text: str) -> str:
    return text[0].upper() + text[1:]


def plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("s") else "s")
