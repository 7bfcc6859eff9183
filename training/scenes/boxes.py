"""Boxes around what is asked for, as the task grounding has them written: shapes, and words on paper.

Coordinates are thousandths of the picture's width and height in whole steps of STEP: the last digit is always 0 and the one
before it even, so a young network has two digits to find and not three; the overlap with the exact box stays above 0.7.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.scenes import draw, vocabulary
from training.scenes.draw import COLOURS, SHAPES, Named
from training.scenes.naming import name_in
from training.scenes.qa import NOTHING, QA, Groups, Language, Mark, plural, told
from training.scenes.shapes import LARGE, SMALL, ShapeScene, extremes

LOCATE: dict[Language, str] = {"en": "Locate {x} in the image. Give every box as JSON.", "zh": "在图中找出{x}，用JSON给出每一个框。"}
STEP = 20
Extent = tuple[float, float, float, float]  # left, top, right, bottom in px


@dataclass(frozen=True)
class Boxed:
    """Something to find: its box in px, its name as the answer gives it, and its mark."""

    extent: Extent
    label: str
    mark: int


def thousandths(extent: Extent, width: int, height: int) -> list[int]:
    """The box as it is written. It is never without area."""
    left, top, right, bottom = (
        min(1000, max(0, round(1000 / STEP * place / length) * STEP)) for place, length in zip(extent, (width, height) * 2, strict=True)
    )
    return [left, top, max(right, left + STEP), max(bottom, top + STEP)]


def locate(asked: str, found: Sequence[Boxed], width: int, height: int, lang: Language, skill: str) -> QA:
    """The question for `asked` and its answer; with nothing found an empty list."""
    everything = (*(thing.mark for thing in found), NOTHING)
    parts: list[tuple[str, Groups]] = []
    for index, thing in enumerate(found):
        box = {"bbox_2d": thousandths(thing.extent, width, height), "label": thing.label}
        text = ",[" [index == 0] + json.dumps(box, separators=(",", ":"), ensure_ascii=False)
        parts.append((text, ((thing.mark,), (thing.mark,), everything)))
    parts.append(("]" if found else "[]", ((), (), everything)))
    answer, focus = told(parts)
    return QA(LOCATE[lang].format(x=asked), answer, skill, lang, "grounding", focus)


def _named(kind: int, colour: int, lang: Language) -> str:
    colour_name, shape_name = COLOURS[colour][0], SHAPES[kind]
    return f"{colour_name.zh}{shape_name.zh}" if lang == "zh" else f"{colour_name.en} {shape_name.en}"


def of_shapes(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    """One thing, all of a kind or a colour, everything, or what is not there; left to right."""
    things, roll = scene.things, rng.random()
    zh = lang == "zh"
    if not things:
        roll = 1.0
    skill = "boxes_one"
    shape, colour = rng.randrange(len(SHAPES)), rng.randrange(len(COLOURS))
    if things and (roll < 0.92 or rng.random() < 0.7):  # what is not there should often nearly be there
        near = rng.choice(things)
        shape, colour = (near.shape, near.colour) if roll < 0.92 else rng.choice([(near.shape, colour), (shape, near.colour)])
    if roll < 0.4 or roll >= 0.92:
        found = [thing for thing in things if (thing.shape, thing.colour) == (shape, colour)]
        if zh:
            name = COLOURS[colour][0].zh + rng.choice(("", "的")) + SHAPES[shape].zh
        else:
            name = ("the " if len(found) < 2 else "every ") + _named(shape, colour, lang)
        if not found:
            name, skill = (name if zh or rng.random() < 0.5 else name.replace("the ", "every ")), "boxes_none"
    elif roll < 0.6:
        found = [thing for thing in things if thing.shape == shape]
        one = len(found) == 1
        name = rng.choice(("", "" if one else "所有的", "每一个")) + SHAPES[shape].zh if zh else ""
        name = name or rng.choice(((("the " if one else "every ") + SHAPES[shape].en), "all " + plural(SHAPES[shape].en)))
    elif roll < 0.72:
        found = [thing for thing in things if thing.colour == colour]
        name = COLOURS[colour][0].zh + "的图形" if zh else f"{'the' if len(found) == 1 else 'every'} {COLOURS[colour][0].en} shape"
    elif roll < 0.8:
        largest, smallest = extremes(scene)
        pick, word = rng.choice(((largest, Named("largest", "最大")), (smallest, Named("smallest", "最小"))))
        if pick is None:
            return None
        found, name = [pick], f"{word.zh}的图形" if zh else f"the {word.en} shape"
    elif roll < 0.84:
        large = rng.random() < 0.5
        found = [thing for thing in things if thing.large == large]
        if not found:
            return None
        size = name_in(LARGE if large else SMALL, lang)
        name = f"{size}图形" if zh else f"every {size} shape"
    else:
        found = list(things)
        name = rng.choice(("所有图形", "所有的图形", "每一个图形") if zh else ("all shapes", "every shape", "all the shapes"))
    if len(found) > 1:
        skill = "boxes_several"
    boxed = [Boxed(thing.extent, _named(thing.shape, thing.colour, lang), things.index(thing)) for thing in found]
    return locate(name, boxed, scene.width, scene.height, lang, skill)


@dataclass(frozen=True)
class Printed:
    """A word on paper and the box of its ink in px."""

    text: str
    extent: Extent


def words_on_paper(rng: Random, width: int, height: int) -> tuple[NDArray[np.uint8], tuple[Printed, ...]]:
    """One to four different words that stand apart, from left to right."""
    image = Image.new("RGB", (width, height), rng.choice(draw.BACKGROUNDS))
    d = ImageDraw.Draw(image)
    printed: list[Printed] = []
    wanted = rng.choice((1, 2, 2, 3, 3, 4))
    for _ in range(wanted * 6):
        text = rng.choice(vocabulary.every_label()) if rng.random() < 0.75 else str(rng.randint(10, 999))
        face = draw.pick_font(rng, rng.randint(14, 24), draw.is_cjk(text))
        left, top, right, bottom = draw.text_box(face, text)
        across, down = right - left, bottom - top
        if across + 4 > width or any(text in other.text or other.text in text for other in printed):
            continue
        x, y = rng.randint(2, width - across - 2), rng.randint(2, height - down - 2)
        box = (x, y, x + across, y + down)
        if any(box[0] < o[2] + 8 and o[0] < box[2] + 8 and box[1] < o[3] + 8 and o[1] < box[3] + 8 for o in (p.extent for p in printed)):
            continue
        d.text((x - left, y - top), text, fill=rng.choice(draw.INKS), font=face)
        printed.append(Printed(text, box))
        if len(printed) == wanted:
            break
    return np.asarray(image), tuple(sorted(printed, key=lambda p: p.extent))


def word_marks(printed: Sequence[Printed]) -> tuple[Mark, ...]:
    return tuple(Mark((p.extent[0] + p.extent[2]) / 2, (p.extent[1] + p.extent[3]) / 2, p.text) for p in printed)


def of_words(rng: Random, printed: Sequence[Printed], width: int, height: int, lang: Language) -> QA | None:
    """One word, all words, or a word that is not there."""
    roll, zh = rng.random(), lang == "zh"
    if roll < 0.7 and printed:
        mark = rng.randrange(len(printed))
        found, skill = [(mark, printed[mark])], "boxes_word"
        asked = printed[mark].text
    elif roll < 0.85 and printed:
        asked = rng.choice(("所有文字", "每一个词") if zh else ("all the text", "every word"))
        boxed = [Boxed(p.extent, p.text, mark) for mark, p in enumerate(printed)]
        return locate(asked, boxed, width, height, lang, "boxes_words")
    else:
        absent = [label for label in vocabulary.every_label() if all(label not in p.text for p in printed)]
        asked, found, skill = rng.choice(absent), [], "boxes_none"
    asked = (f"文字{asked}" if rng.random() < 0.6 else f"“{asked}”") if zh else (f"the word {asked}" if rng.random() < 0.6 else f'"{asked}"')
    return locate(asked, [Boxed(p.extent, p.text, mark) for mark, p in found], width, height, lang, skill)
