"""Questions about pictures of shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from training.scenes.draw import COLOURS, SHAPES, Named
from training.scenes.qa import QA, Language, absent, article, ask, caption, plural, upper_first
from training.scenes.shapes import LARGE, SMALL, ShapeScene, Thing, place

Maker = Callable[[Random, ShapeScene, Language], QA | None]


def _in(name: Named, language: Language) -> str:
    return name.zh if language == "zh" else name.en


def _the(name: Named, language: Language) -> str:
    return name.zh if language == "zh" else f"the {name.en}"


def _unique(rng: Random, scene: ShapeScene) -> tuple[Thing, Named] | None:
    """A thing and a phrase that names it and no other: its shape, or its colour and shape."""
    shapes = Counter(thing.shape for thing in scene.things)
    both = Counter((thing.shape, thing.colour) for thing in scene.things)
    choices: list[tuple[Thing, Named]] = []
    for thing in scene.things:
        if shapes[thing.shape] == 1:
            choices.append((thing, thing.shape_name))
        if both[thing.shape, thing.colour] == 1:
            choices.append((thing, thing.full_name))
    return rng.choice(choices) if choices else None


def colour(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    shapes = Counter(thing.shape for thing in scene.things)
    choices = [thing for thing in scene.things if shapes[thing.shape] == 1]
    if not choices:
        return None
    thing = rng.choice(choices)
    return ask(rng, lang, "colour", {
        "en": ("What colour is the {x}?", "Which colour is the {x}?", "What is the colour of the {x}?", "Name the colour of the {x}."),
        "zh": ("{x}是什么颜色？", "{x}是什么颜色的？", "{x}的颜色是什么？", "图中的{x}是什么颜色？"),
    }, _in(thing.colour_name, lang), x=_in(thing.shape_name, lang))  # fmt: skip


def shape(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    colours = Counter(thing.colour for thing in scene.things)
    choices = [thing for thing in scene.things if colours[thing.colour] == 1]
    if not choices:
        return None
    thing = rng.choice(choices)
    return ask(rng, lang, "shape", {
        "en": ("What shape is the {x} one?", "Which shape is {x}?", "What shape is {x}?", "What is the {x} shape?", "What is the {x} object?"),
        "zh": ("{x}的是什么形状？", "{x}的图形是什么？", "哪个图形是{x}的？", "{x}的物体是什么形状？"),
    }, _in(thing.shape_name, lang), x=_in(thing.colour_name, lang))  # fmt: skip


def size(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    if len(scene.things) >= 2 and rng.random() < 0.5:
        ordered = sorted(scene.things, key=lambda thing: thing.radius)
        largest = rng.random() < 0.5
        pick, other = (ordered[-1], ordered[-2]) if largest else (ordered[0], ordered[1])
        if max(pick.radius, other.radius) < 1.4 * min(pick.radius, other.radius):
            return None
        return ask(rng, lang, "size", {
            "en": ("Which shape is the {x}?", "What is the {x} shape?", "Which shape is {x}?"),
            "zh": ("最{x}的图形是什么？", "哪个图形最{x}？"),
        }, _in(pick.full_name, lang), x=("largest" if largest else "smallest") if lang == "en" else ("大" if largest else "小"))  # fmt: skip
    found = _unique(rng, scene)
    if found is None:
        return None
    thing, name = found
    return ask(rng, lang, "size", {
        "en": ("Is the {x} large or small?", "Is the {x} small or large?", "What size is the {x}?", "How big is the {x}?"),
        "zh": ("{x}是大的还是小的？", "{x}是小的还是大的？", "{x}有多大？"),
    }, _in(LARGE if thing.large else SMALL, lang), x=_in(name, lang))  # fmt: skip


def count(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    roll = rng.random()
    things = scene.things
    if roll < 0.35 or not things:
        number, noun, noun_zh = len(things), rng.choice(("shapes", "objects")), rng.choice(("图形", "物体"))
    elif roll < 0.75:
        kind = rng.choice(things).shape if rng.random() < 0.9 else rng.randrange(len(SHAPES))
        number = sum(thing.shape == kind for thing in things)
        noun, noun_zh = plural(SHAPES[kind].en), SHAPES[kind].zh
    else:
        kind = rng.choice(things).colour if rng.random() < 0.9 else rng.randrange(len(COLOURS))
        number = sum(thing.colour == kind for thing in things)
        name = COLOURS[kind][0]
        noun, noun_zh = f"{name.en} shapes", rng.choice((f"{name.zh}图形", f"{name.zh}的图形"))
    return ask(rng, lang, "count", {
        "en": ("How many {x} are there?", "How many {x} are in the image?", "Count the {x}.", "How many {x} do you see?", "How many {x}?"),
        "zh": ("有几个{x}？", "图中有几个{x}？", "一共有多少个{x}？", "图中有多少个{x}？", "数一数{x}有几个。"),
    }, str(number), x=noun_zh if lang == "zh" else noun)  # fmt: skip


def relation(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    """Left or right of, above or below, between two things that can be named."""
    if len(scene.things) < 2:
        return None
    first, second = _unique(rng, scene), _unique(rng, scene)
    if first is None or second is None or first[0] is second[0]:
        return None
    (a, a_name), (b, b_name) = first, second
    dx, dy = (a.x - b.x) / scene.width, (a.y - b.y) / scene.height
    axis = rng.choice("hv")
    if abs(dx if axis == "h" else dy) < 0.1:
        return None
    x, y = _in(a_name, lang), _in(b_name, lang)
    if axis == "h":
        if rng.random() < 0.3:
            side = rng.random() < 0.5
            answer = (a_name if (dx < 0) == side else b_name)
            return ask(rng, lang, "position", {
                "en": ("Which is further {s}, the {x} or the {y}?", "Which is on the {s}, the {x} or the {y}?"),
                "zh": ("{x}和{y}哪个在{s}边？", "{x}和{y}，哪个更靠{s}？"),
            }, _in(answer, lang), x=x, y=y, s=("left" if side else "right") if lang == "en" else ("左" if side else "右"))  # fmt: skip
        return ask(rng, lang, "position", {
            "en": ("Is the {x} left or right of the {y}?", "Is the {x} to the left or right of the {y}?", "On which side of the {y} is the {x}?"),
            "zh": ("{x}在{y}的左边还是右边？", "{x}在{y}的哪一边？", "{x}位于{y}的左边还是右边？"),
        }, {("en", True): "left", ("en", False): "right", ("zh", True): "左边", ("zh", False): "右边"}[lang, dx < 0], x=x, y=y)  # fmt: skip
    return ask(rng, lang, "position", {
        "en": ("Is the {x} above or below the {y}?", "Is the {x} below or above the {y}?"),
        "zh": ("{x}在{y}的上方还是下方？", "{x}在{y}的上面还是下面？"),
    }, {("en", True): "above", ("en", False): "below", ("zh", True): "上方", ("zh", False): "下方"}[lang, dy < 0], x=x, y=y)  # fmt: skip


def where(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    if len(scene.things) >= 2 and rng.random() < 0.4:
        axis, last = rng.choice("xy"), rng.random() < 0.5
        ordered = sorted(scene.things, key=lambda thing: getattr(thing, axis), reverse=last)
        gap = abs(getattr(ordered[0], axis) - getattr(ordered[1], axis))
        if gap < 0.08 * (scene.width if axis == "x" else scene.height):
            return None
        side = {("x", False): ("left", "左"), ("x", True): ("right", "右"), ("y", False): ("top", "上"), ("y", True): ("bottom", "下")}[axis, last]
        most = {"left": "leftmost", "right": "rightmost", "top": "topmost", "bottom": "lowest"}[side[0]]
        return ask(rng, lang, "position", {
            "en": ("Which shape is furthest {m}?" if axis == "x" else "Which shape is {p}?", "What is the {p} shape?", "Which shape is {p}?"),
            "zh": ("最{s}边的图形是什么？", "哪个图形在最{s}边？"),
        }, _in(ordered[0].full_name, lang), s=side[1], m=side[0], p=most)  # fmt: skip
    found = _unique(rng, scene)
    spot = place(scene, found[0]) if found else None
    if found is None or spot is None:
        return None
    return ask(rng, lang, "position", {
        "en": ("Where is the {x}?", "Where is the {x} in the image?", "In which part of the image is the {x}?"),
        "zh": ("{x}在哪里？", "{x}在图中的什么位置？", "{x}在哪儿？"),
    }, _in(spot, lang), x=_in(found[1], lang))  # fmt: skip


def exists(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    things, yes = scene.things, rng.random() < 0.5
    kind = rng.random()
    if yes and not things:
        return None
    shape_id, colour_id = rng.randrange(len(SHAPES)), rng.randrange(len(COLOURS))
    if things and (yes or rng.random() < 0.7):  # a "no" should often be nearly a "yes"
        near = rng.choice(things)
        shape_id, colour_id = (near.shape, near.colour) if yes else rng.choice([(near.shape, colour_id), (shape_id, near.colour)])
    if kind < 0.4:
        found = any(thing.shape == shape_id for thing in things)
        en, zh = article(SHAPES[shape_id].en), SHAPES[shape_id].zh
    elif kind < 0.6:
        found = any(thing.colour == colour_id for thing in things)
        en, zh = article(f"{COLOURS[colour_id][0].en} shape"), f"{COLOURS[colour_id][0].zh}的图形"
    else:
        found = any((thing.shape, thing.colour) == (shape_id, colour_id) for thing in things)
        en, zh = article(f"{COLOURS[colour_id][0].en} {SHAPES[shape_id].en}"), f"{COLOURS[colour_id][0].zh}{SHAPES[shape_id].zh}"
    answer = {("en", True): "yes", ("en", False): "no", ("zh", True): "有", ("zh", False): "没有"}[lang, found]
    return ask(rng, lang, "existence", {
        "en": ("Is there {x}?", "Is there {x} in the image?", "Do you see {x}?", "Does the image show {x}?"),
        "zh": ("有{x}吗？", "图中有{x}吗？", "图中有没有{x}？", "有没有{x}？"),
    }, answer, x=zh if lang == "zh" else en)  # fmt: skip


def missing(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    """A question that takes for granted what is not there."""
    others = [s for s in range(len(SHAPES)) if all(thing.shape != s for thing in scene.things)]
    if not others:
        return None
    x = _in(SHAPES[rng.choice(others)], lang)
    return ask(rng, lang, "absent", {
        "en": ("What colour is the {x}?", "Which colour is the {x}?", "Where is the {x}?", "Is the {x} large or small?", "What is the colour of the {x}?", "What size is the {x}?"),
        "zh": ("{x}是什么颜色？", "{x}是什么颜色的？", "{x}在哪里？", "{x}是大的还是小的？", "{x}的颜色是什么？", "{x}在图中的什么位置？"),
    }, absent(lang, x), x=x)  # fmt: skip


def _phrase(thing: Thing, lang: Language, sized: bool = False) -> str:
    if lang == "zh":
        return f"一个{'大的' if thing.large else '小的'}{thing.full_name.zh}" if sized else f"一个{thing.full_name.zh}"
    return article(f"{'large' if thing.large else 'small'} {thing.full_name.en}" if sized else thing.full_name.en)


def describe(rng: Random, scene: ShapeScene, lang: Language) -> QA:
    """A caption that is true; things are told from left to right."""
    things, zh = scene.things, lang == "zh"
    short = rng.random() < 0.5
    if not things:
        return caption(lang, "short" if short else "detailed", "一张空白的图片。" if zh else "An empty image.")
    if short:
        if len(things) == 1:
            return caption(lang, "short", _phrase(things[0], lang) + "。" if zh else upper_first(_phrase(things[0], lang)) + ".")
        if len(things) == 2:
            a, b = things
            if abs(a.x - b.x) / scene.width >= abs(a.y - b.y) / scene.height:
                how = "左边" if zh else "left of"
            else:
                a, b = sorted(things, key=lambda thing: thing.y)
                how = "上方" if zh else "above"
            if zh:
                return caption(lang, "short", f"{_phrase(a, lang)}在{_phrase(b, lang)}的{how}。")
            return caption(lang, "short", f"{upper_first(_phrase(a, lang))} is {how} {_phrase(b, lang)}.")
        names = [_phrase(thing, lang) for thing in things]
        if zh:
            return caption(lang, "short", f"{len(things)}个图形：{'，'.join(names)}。")
        return caption(lang, "short", f"{len(things)} shapes: {', '.join(names[:-1])} and {names[-1]}.")
    parts: list[str] = []
    for thing in things:
        col = ("left", "center", "right")[min(2, int(3 * thing.x / scene.width))]
        row = ("top", "middle", "bottom")[min(2, int(3 * thing.y / scene.height))]
        spot = {"top": "top ", "middle": "", "bottom": "bottom "}[row] + col
        if zh:
            spot_zh = {"left": "左", "center": "中", "right": "右"}[col] + {"top": "上", "middle": "边" if col != "center" else "间", "bottom": "下"}[row]
            parts.append(f"{_phrase(thing, lang, True)}在{spot_zh}")
        else:
            parts.append(f"{upper_first(_phrase(thing, lang, True))} is at the {spot}.")
    if zh:
        return caption(lang, "detailed", f"图中有{len(things)}个图形。{'，'.join(parts)}。")
    lead = "There is 1 shape." if len(things) == 1 else f"There are {len(things)} shapes."
    return caption(lang, "detailed", " ".join([lead, *parts]))


MAKERS: tuple[tuple[Maker, float], ...] = (
    (colour, 1.4), (shape, 1.2), (size, 1.0), (count, 1.8), (relation, 1.5), (where, 1.5), (exists, 1.2), (missing, 0.6),
)  # fmt: skip
