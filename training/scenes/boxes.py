"""Boxes around what is asked for, as the task grounding has them written: shapes, words on paper, bars and titles of charts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.scenes import draw, vocabulary
from training.scenes.charts import ChartScene
from training.scenes.draw import COLOURS, SHAPES, Named
from training.scenes.extents import Extent, thousandths
from training.scenes.qa import NOTHING, QA, Groups, Language, Mark, plural, told
from training.scenes.shapes import LARGE, SMALL, ShapeScene, Thing, extremes

LOCATE: dict[Language, str] = {"en": "Locate {x} in the image. Give every box as JSON.", "zh": "在图中找出{x}，用JSON给出每一个框。"}
LEAST_SHARE = 0.06  # of the picture's sides that a word takes at least: three steps
LEAST_BAR = 12  # px that a bar is at least long and thick, to be asked for
Boxes = Mapping[tuple[str, int, int], Extent]  # of what is in a chart, by the keys of `ChartScene.texts`, and ("bar", row, index)


@dataclass(frozen=True)
class Boxed:
    """Something to find: its box in px, its name as the answer gives it, and where to look for it (see `QA.focus`)."""

    extent: Extent
    label: str
    first: tuple[int, ...]
    second: tuple[int, ...] = ()


def locate(asked: str, found: Sequence[Boxed], width: int, height: int, lang: Language, skill: str) -> QA:
    """The question for `asked` and its answer; with nothing found an empty list."""
    everything = (*(mark for thing in found for mark in thing.second or thing.first), NOTHING)
    parts: list[tuple[str, Groups]] = []
    for index, thing in enumerate(found):
        box = {"bbox_2d": thousandths(thing.extent, width, height), "label": thing.label}
        text = ",["[index == 0] + json.dumps(box, separators=(",", ":"), ensure_ascii=False)
        parts.append((text, (thing.first, thing.second or thing.first, everything)))
    parts.append(("]" if found else "[]", ((), (), everything)))
    answer, focus = told(parts)
    return QA(LOCATE[lang].format(x=asked), answer, skill, lang, "grounding", focus)


def _named(kind: int, colour: int, lang: Language) -> str:
    colour_name, shape_name = COLOURS[colour][0], SHAPES[kind]
    return f"{colour_name.zh}{shape_name.zh}" if lang == "zh" else f"{colour_name.en} {shape_name.en}"


def of_shapes(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    """One thing, all of a kind or a colour, everything, or what is not there; left to right."""
    roll = rng.random() if scene.things else 1.0
    picked = next(pick for below, pick in _PICKS if roll <= below)(rng, scene, lang == "zh")
    if picked is None:
        return None
    asked, found = picked
    boxed = [Boxed(thing.extent, _named(thing.shape, thing.colour, lang == "zh"), (scene.things.index(thing),)) for thing in found]
    skill = ("boxes_none", "boxes_one", "boxes_several")[min(len(found), 2)]
    return locate(asked, boxed, scene.width, scene.height, lang, skill)


def _named(kind: int, colour: int, zh: bool) -> str:
    colour_name, shape_name = COLOURS[colour][0], SHAPES[kind]
    return f"{colour_name.zh}{shape_name.zh}" if zh else f"{colour_name.en} {shape_name.en}"


Picked = tuple[str, list[Thing]] | None


def _kind_and_colour(rng: Random, scene: ShapeScene, zh: bool) -> Picked:
    near = rng.choice(scene.things)
    found = [thing for thing in scene.things if (thing.shape, thing.colour) == (near.shape, near.colour)]
    if zh:
        return near.colour_name.zh + rng.choice(("", "的")) + near.shape_name.zh, found
    return f"{'the' if len(found) == 1 else 'every'} {near.full_name.en}", found


def _kind(rng: Random, scene: ShapeScene, zh: bool) -> Picked:
    near = rng.choice(scene.things)
    found = [thing for thing in scene.things if thing.shape == near.shape]
    if zh:
        return rng.choice(("", "" if len(found) == 1 else "所有的", "每一个")) + near.shape_name.zh, found
    name = near.shape_name.en
    return rng.choice((f"{'the' if len(found) == 1 else 'every'} {name}", f"all {plural(name)}", f"every {name}")), found


def _colour(rng: Random, scene: ShapeScene, zh: bool) -> Picked:
    near = rng.choice(scene.things)
    found = [thing for thing in scene.things if thing.colour == near.colour]
    name = near.colour_name
    return f"{name.zh}的图形" if zh else f"{'the' if len(found) == 1 else 'every'} {name.en} shape", found


def _extreme(rng: Random, scene: ShapeScene, zh: bool) -> Picked:
    largest, smallest = extremes(scene)
    pick, word = rng.choice(((largest, Named("largest", "最大")), (smallest, Named("smallest", "最小"))))
    return (f"{word.zh}的图形" if zh else f"the {word.en} shape", [pick]) if pick is not None else None


def _size(rng: Random, scene: ShapeScene, zh: bool) -> Picked:
    large = rng.random() < 0.5
    found = [thing for thing in scene.things if thing.large == large]
    size = LARGE if large else SMALL
    return (f"{size.zh}图形" if zh else f"every {size.en} shape", found) if found else None


def _everything(rng: Random, scene: ShapeScene, zh: bool) -> Picked:
    return rng.choice(("所有图形", "所有的图形", "每一个图形") if zh else ("all shapes", "every shape", "all the shapes")), list(
        scene.things
    )


def _absent(rng: Random, scene: ShapeScene, zh: bool) -> Picked:
    shape, colour = rng.randrange(len(SHAPES)), rng.randrange(len(COLOURS))
    if scene.things and rng.random() < 0.7:  # often nearly there
        near = rng.choice(scene.things)
        shape, colour = rng.choice([(near.shape, colour), (shape, near.colour)])
    if any((thing.shape, thing.colour) == (shape, colour) for thing in scene.things):
        return None
    if any(thing.shape == shape for thing in scene.things) or rng.random() < 0.6:
        name = _named(shape, colour, zh)
    else:
        name = SHAPES[shape].zh if zh else SHAPES[shape].en
    return name if zh else f"{rng.choice(('the', 'the', 'every'))} {name}", []


_PICKS: tuple[tuple[float, Callable[[Random, ShapeScene, bool], Picked]], ...] = (
    (0.4, _kind_and_colour),
    (0.6, _kind),
    (0.72, _colour),
    (0.78, _extreme),
    (0.82, _size),
    (0.92, _everything),
    (1.0, _absent),
)


@dataclass(frozen=True)
class Printed:
    """A word on paper and the box of its ink in px."""

    text: str
    extent: Extent


def words_on_paper(rng: Random, width: int, height: int, held_out: bool = False) -> tuple[NDArray[np.uint8], tuple[Printed, ...]]:
    """One to four different words that stand apart, from left to right."""
    look = draw.setting(held_out)
    image = Image.new("RGB", (width, height), rng.choice(look.backgrounds))
    d = ImageDraw.Draw(image)
    printed: list[Printed] = []
    wanted = rng.choice((1, 2, 2, 3, 3, 4))
    for _ in range(wanted * 6):
        text = rng.choice(vocabulary.every_label()) if rng.random() < 0.75 else str(rng.randint(10, 999))
        face = look.font(rng, rng.randint(14, 24), draw.is_cjk(text))
        left, top, right, bottom = draw.text_box(face, text)
        across, down = right - left, bottom - top
        if across < LEAST_SHARE * width or down < LEAST_SHARE * height or across + 4 > width:
            continue
        if any(text in other.text or other.text in text for other in printed):
            continue
        x, y = rng.randint(2, width - across - 2), rng.randint(2, height - down - 2)
        box = (x, y, x + across, y + down)
        if any(box[0] < o[2] + 8 and o[0] < box[2] + 8 and box[1] < o[3] + 8 and o[1] < box[3] + 8 for o in (p.extent for p in printed)):
            continue
        d.text((x - left, y - top), text, fill=rng.choice(look.inks), font=face)
        printed.append(Printed(text, box))
        if len(printed) == wanted:
            break
    return np.asarray(image), tuple(sorted(printed, key=lambda p: p.extent))


def word_marks(printed: Sequence[Printed]) -> tuple[Mark, ...]:
    return tuple(Mark((p.extent[0] + p.extent[2]) / 2, (p.extent[1] + p.extent[3]) / 2, p.text, extent=p.extent) for p in printed)


def of_words(rng: Random, printed: Sequence[Printed], width: int, height: int, lang: Language) -> QA | None:
    """One word, all words, or a word that is not there."""
    roll, zh = rng.random(), lang == "zh"
    if roll < 0.7 and printed:
        mark = rng.randrange(len(printed))
        found, skill = [(mark, printed[mark])], "boxes_word"
        asked = printed[mark].text
    elif roll < 0.85 and printed:
        asked = rng.choice(("所有文字", "每一个词") if zh else ("all the text", "every word"))
        boxed = [Boxed(p.extent, p.text, (mark,)) for mark, p in enumerate(printed)]
        return locate(asked, boxed, width, height, lang, "boxes_words")
    else:
        absent = [label for label in vocabulary.every_label() if all(label not in p.text for p in printed)]
        asked, found, skill = rng.choice(absent), [], "boxes_none"
    asked = (
        (f"文字{asked}" if rng.random() < 0.6 else f"“{asked}”") if zh else (f"the word {asked}" if rng.random() < 0.6 else f'"{asked}"')
    )
    return locate(asked, [Boxed(p.extent, p.text, (mark,)) for mark, p in found], width, height, lang, skill)


def of_chart(rng: Random, scene: ChartScene, boxes: Boxes, lang: Language) -> QA | None:
    """A bar, every bar, the title; or one that is not there. Bars that are hardly to be seen are not asked for."""
    zh, roll = lang == "zh", rng.random()

    def bar(index: int) -> Boxed:
        return Boxed(boxes["bar", 0, index], scene.labels[index], scene.marks["value", 0, index], scene.marks["label", 0, index])

    def seen(index: int) -> bool:
        left, top, right, bottom = boxes["bar", 0, index]
        return min(right - left, bottom - top) >= LEAST_BAR

    def ask(label: str) -> str:
        return f"{label}的柱子" if zh else rng.choice((f"the bar of {label}", f"the {label} bar"))

    everyone = range(len(scene.labels))
    if roll < 0.6:
        index = rng.choice(everyone)
        return locate(ask(scene.labels[index]), [bar(index)], scene.width, scene.height, lang, "boxes_bar") if seen(index) else None
    if roll < 0.7:
        if not all(map(seen, everyone)):
            return None
        asked = rng.choice(("所有柱子", "每一个柱子") if zh else ("every bar", "all bars"))
        return locate(asked, [bar(index) for index in everyone], scene.width, scene.height, lang, "boxes_bars")
    if roll < 0.9:
        name, key = "标题" if zh else "title", ("title", 0, 0)
        found = [Boxed(boxes[key], name, scene.marks[key])] if key in boxes else []
        return locate(name if zh else "the title", found, scene.width, scene.height, lang, "boxes_title" if found else "boxes_none")
    label = rng.choice([label for label in vocabulary.every_label() if label not in scene.labels])
    return locate(ask(label), [], scene.width, scene.height, lang, "boxes_none")


def found_right(said: str, wanted: str) -> list[bool]:
    """Of every wanted box whether one was said that overlaps with it by half (IoU), and a False for each that was said in vain.

    Where nothing is to be found, saying so is one right answer.
    """
    try:
        left = [tuple(map(float, box["bbox_2d"])) for box in json.loads(said)]
    except (json.JSONDecodeError, LookupError, TypeError, ValueError):
        left = []
    hits: list[bool] = []
    for box in json.loads(wanted):
        best = max(left, key=lambda other: overlap(other, box["bbox_2d"]), default=None)
        hits.append(best is not None and overlap(best, box["bbox_2d"]) >= 0.5)
        if best is not None and hits[-1]:
            left.remove(best)
    return [*hits, *[False] * len(left)] if hits or left else [said.strip() == "[]"]


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    if len(one) != 4:
        return 0.0
    across = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    area = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return across * down / max(1e-9, area - across * down)
