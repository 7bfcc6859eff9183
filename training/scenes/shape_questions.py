"""Questions about pictures of shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from training.scenes.draw import COLOURS, SHAPES
from training.scenes.naming import at, name_in, unique
from training.scenes.qa import QA, Language, absent, article, ask, counting, plural
from training.scenes.shape_positions import relation, where
from training.scenes.shapes import LARGE, SMALL, ShapeScene, extremes

Maker = Callable[[Random, ShapeScene, Language], QA | None]


def colour(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    shapes = Counter(thing.shape for thing in scene.things)
    choices = [thing for thing in scene.things if shapes[thing.shape] == 1]
    if not choices:
        return None
    thing = rng.choice(choices)
    return ask(
        rng,
        lang,
        "colour",
        {
            "en": ("What colour is the {x}?", "Which colour is the {x}?", "What is the colour of the {x}?", "Name the colour of the {x}."),
            "zh": ("{x}是什么颜色？", "{x}是什么颜色的？", "{x}的颜色是什么？", "图中的{x}是什么颜色？"),
        },
        name_in(thing.colour_name, lang),
        at(scene, thing),
        x=name_in(thing.shape_name, lang),
    )


def shape(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    colours = Counter(thing.colour for thing in scene.things)
    choices = [thing for thing in scene.things if colours[thing.colour] == 1]
    if not choices:
        return None
    thing = rng.choice(choices)
    return ask(
        rng,
        lang,
        "shape",
        {
            "en": (
                "What shape is the {x} one?",
                "Which shape is {x}?",
                "What shape is {x}?",
                "What is the {x} shape?",
                "What is the {x} object?",
            ),
            "zh": ("{x}的是什么形状？", "{x}的图形是什么？", "哪个图形是{x}的？", "{x}的物体是什么形状？"),
        },
        name_in(thing.shape_name, lang),
        at(scene, thing),
        x=name_in(thing.colour_name, lang),
    )


def size(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    if len(scene.things) >= 2 and rng.random() < 0.5:
        largest = rng.random() < 0.5
        pick = extremes(scene)[0 if largest else 1]
        if pick is None:
            return None
        return ask(
            rng,
            lang,
            "size",
            {
                "en": ("Which shape is the {x}?", "What is the {x} shape?", "Which shape is {x}?"),
                "zh": ("最{x}的图形是什么？", "哪个图形最{x}？"),
            },
            name_in(pick.full_name, lang),
            at(scene, pick),
            x=("largest" if largest else "smallest") if lang == "en" else ("大" if largest else "小"),
        )
    found = unique(rng, scene)
    if found is None:
        return None
    thing, name = found
    return ask(
        rng,
        lang,
        "size",
        {
            "en": ("Is the {x} large or small?", "Is the {x} small or large?", "What size is the {x}?", "How big is the {x}?"),
            "zh": ("{x}是大的还是小的？", "{x}是小的还是大的？", "{x}有多大？"),
        },
        name_in(LARGE if thing.large else SMALL, lang),
        at(scene, thing),
        x=name_in(name, lang),
    )


def count(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    return _count(rng, scene, lang, rng.random())


def count_kind(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    """How many of one shape or colour there are."""
    return _count(rng, scene, lang, rng.uniform(0.35, 1))


def _count(rng: Random, scene: ShapeScene, lang: Language, roll: float) -> QA | None:
    things = scene.things
    if roll < 0.35 or not things:
        counted = range(len(things))
        noun, noun_zh = rng.choice(("shapes", "objects")), rng.choice(("图形", "物体"))
    elif roll < 0.75:
        kind = rng.choice(things).shape if rng.random() < 0.9 else rng.randrange(len(SHAPES))
        counted = [i for i, thing in enumerate(things) if thing.shape == kind]
        noun, noun_zh = plural(SHAPES[kind].en), SHAPES[kind].zh
    else:
        kind = rng.choice(things).colour if rng.random() < 0.9 else rng.randrange(len(COLOURS))
        counted = [i for i, thing in enumerate(things) if thing.colour == kind]
        name = COLOURS[kind][0]
        noun, noun_zh = f"{name.en} shapes", rng.choice((f"{name.zh}图形", f"{name.zh}的图形"))
    return ask(
        rng,
        lang,
        "count",
        {
            "en": (
                "How many {x} are there?",
                "How many {x} are in the image?",
                "Count the {x}.",
                "How many {x} do you see?",
                "How many {x}?",
            ),
            "zh": ("有几个{x}？", "图中有几个{x}？", "一共有多少个{x}？", "图中有多少个{x}？", "数一数{x}有几个。"),
        },
        str(len(counted)),
        counting(counted),
        x=noun_zh if lang == "zh" else noun,
    )


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
        found = [i for i, thing in enumerate(things) if thing.shape == shape_id]
        en, zh = article(SHAPES[shape_id].en), SHAPES[shape_id].zh
    elif kind < 0.6:
        found = [i for i, thing in enumerate(things) if thing.colour == colour_id]
        en, zh = article(f"{COLOURS[colour_id][0].en} shape"), f"{COLOURS[colour_id][0].zh}的图形"
    else:
        found = [i for i, thing in enumerate(things) if (thing.shape, thing.colour) == (shape_id, colour_id)]
        en, zh = article(f"{COLOURS[colour_id][0].en} {SHAPES[shape_id].en}"), f"{COLOURS[colour_id][0].zh}{SHAPES[shape_id].zh}"
    answer = {("en", True): "yes", ("en", False): "no", ("zh", True): "有", ("zh", False): "没有"}[lang, bool(found)]
    return ask(
        rng,
        lang,
        "existence",
        {
            "en": ("Is there {x}?", "Is there {x} in the image?", "Do you see {x}?", "Does the image show {x}?"),
            "zh": ("有{x}吗？", "图中有{x}吗？", "图中有没有{x}？", "有没有{x}？"),
        },
        answer,
        counting(found),
        x=zh if lang == "zh" else en,
    )


def missing(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    """A question that takes for granted what is not there."""
    others = [s for s in range(len(SHAPES)) if all(thing.shape != s for thing in scene.things)]
    if not others:
        return None
    x = name_in(SHAPES[rng.choice(others)], lang)
    return ask(
        rng,
        lang,
        "absent",
        {
            "en": (
                "What colour is the {x}?",
                "Which colour is the {x}?",
                "Where is the {x}?",
                "Is the {x} large or small?",
                "What is the colour of the {x}?",
                "What size is the {x}?",
            ),
            "zh": (
                "{x}是什么颜色？",
                "{x}是什么颜色的？",
                "{x}在哪里？",
                "{x}是大的还是小的？",
                "{x}的颜色是什么？",
                "{x}在图中的什么位置？",
            ),
        },
        absent(lang, x),
        counting(()),
        x=x,
    )


# The same in training: most of what is learned last.
DRILL: tuple[tuple[Maker, float], ...] = (
    (colour, 0.5),
    (shape, 0.5),
    (size, 0.5),
    (count, 0.5),
    (count_kind, 4.0),
    (relation, 3.0),
    (where, 1.0),
    (exists, 0.6),
    (missing, 0.3),
)
MAKERS: tuple[tuple[Maker, float], ...] = (
    (colour, 1.4),
    (shape, 1.2),
    (size, 1.0),
    (count, 1.8),
    (relation, 1.8),
    (where, 1.8),
    (exists, 1.2),
    (missing, 0.6),
)
