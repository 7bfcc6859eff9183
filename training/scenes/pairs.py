"""Questions about two pictures of shapes. The marks of the second picture follow those of the first."""

from __future__ import annotations

from random import Random

from training.scenes.draw import COLOURS, SHAPES
from training.scenes.qa import NOTHING, QA, Language, article, ask, counting, plural
from training.scenes.shapes import ShapeScene


def _image(number: int, lang: Language) -> str:
    return f"图{number}" if lang == "zh" else f"image {number}"


def which(rng: Random, a: ShapeScene, b: ShapeScene, lang: Language) -> QA | None:
    """In which of the two pictures is the one thing that only one of them holds?"""
    if rng.random() < 0.5:
        left, right = {t.shape for t in a.things}, {t.shape for t in b.things}
        only = sorted(left ^ right)
        if not only:
            return None
        kind = rng.choice(only)
        x = SHAPES[kind].zh if lang == "zh" else article(SHAPES[kind].en)
        found = [index for index, thing in enumerate((*a.things, *b.things)) if thing.shape == kind]
    else:
        left, right = {t.colour for t in a.things}, {t.colour for t in b.things}
        only = sorted(left ^ right)
        if not only:
            return None
        kind = rng.choice(only)
        name = COLOURS[kind][0]
        x = f"{name.zh}的图形" if lang == "zh" else article(f"{name.en} shape")
        found = [index for index, thing in enumerate((*a.things, *b.things)) if thing.colour == kind]
    return ask(
        rng,
        lang,
        "pair_which",
        {
            "en": ("In which image is there {x}?", "Which image shows {x}?", "Which image has {x}?"),
            "zh": ("哪张图里有{x}？", "哪张图中有{x}？"),
        },
        _image(1 if kind in left else 2, lang),
        counting(found),
        x=x,
    )


def more(rng: Random, a: ShapeScene, b: ShapeScene, lang: Language) -> QA | None:
    if len(a.things) == len(b.things):
        return None
    first = range(len(a.things))
    second = range(len(a.things), len(a.things) + len(b.things))
    return ask(
        rng,
        lang,
        "pair_more",
        {
            "en": ("Which image has more shapes?", "Which image shows more shapes?", "In which image are there more shapes?"),
            "zh": ("哪张图的图形更多？", "哪张图里的图形比较多？"),
        },
        _image(1 if len(a.things) > len(b.things) else 2, lang),
        (tuple(first), tuple(second), (*first, *second, NOTHING)),
    )


def within(rng: Random, a: ShapeScene, b: ShapeScene, lang: Language) -> QA | None:
    """A count or a colour in one of the two."""
    number = rng.choice((1, 2))
    scene = a if number == 1 else b
    image, before = _image(number, lang), 0 if number == 1 else len(a.things)
    single = [t for t in scene.things if sum(o.shape == t.shape for o in scene.things) == 1]
    if single and rng.random() < 0.5:
        thing = rng.choice(single)
        return ask(
            rng,
            lang,
            "pair_colour",
            {
                "en": ("What colour is the {x} in {i}?",),
                "zh": ("{i}中的{x}是什么颜色？", "{i}里{x}是什么颜色？"),
            },
            thing.colour_name.zh if lang == "zh" else thing.colour_name.en,
            counting([before + scene.things.index(thing)]),
            x=thing.shape_name.zh if lang == "zh" else thing.shape_name.en,
            i=image,
        )
    if not scene.things or rng.random() < 0.5:
        return ask(
            rng,
            lang,
            "pair_count",
            {"en": ("How many shapes are in {i}?",), "zh": ("{i}中有几个图形？",)},
            str(len(scene.things)),
            counting(range(before, before + len(scene.things))),
            i=image,
        )
    kind = rng.choice(scene.things).shape
    alike = [before + index for index, thing in enumerate(scene.things) if thing.shape == kind]
    return ask(
        rng,
        lang,
        "pair_count",
        {
            "en": ("How many {x} are in {i}?",),
            "zh": ("{i}中有几个{x}？",),
        },
        str(len(alike)),
        counting(alike),
        x=SHAPES[kind].zh if lang == "zh" else plural(SHAPES[kind].en),
        i=image,
    )
