"""Questions about where shapes are."""

from __future__ import annotations

from random import Random

from training.scenes.naming import at, name_in, unique
from training.scenes.qa import QA, Language, ask
from training.scenes.shapes import APART, ShapeScene, place


def relation(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    """Left or right of, above or below, between two things that can be named."""
    if len(scene.things) < 2:
        return None
    first, second = unique(rng, scene), unique(rng, scene)
    if first is None or second is None or first[0] is second[0]:
        return None
    (a, a_name), (b, b_name) = first, second
    dx, dy = a.x - b.x, a.y - b.y
    axis = rng.choice("hv")
    if abs(dx if axis == "h" else dy) < max(APART, 0.12 * (scene.width if axis == "h" else scene.height)):
        return None
    x, y, look = name_in(a_name, lang), name_in(b_name, lang), at(scene, a, b)
    if axis == "h":
        if rng.random() < 0.3:
            side = rng.random() < 0.5
            answer = a_name if (dx < 0) == side else b_name
            return ask(
                rng,
                lang,
                "position",
                {
                    "en": ("Which is further {s}, the {x} or the {y}?", "Which is on the {s}, the {x} or the {y}?"),
                    "zh": ("{x}和{y}哪个在{s}边？", "{x}和{y}，哪个更靠{s}？"),
                },
                name_in(answer, lang),
                look,
                x=x,
                y=y,
                s=("left" if side else "right") if lang == "en" else ("左" if side else "右"),
            )
        return ask(
            rng,
            lang,
            "position",
            {
                "en": (
                    "Is the {x} left or right of the {y}?",
                    "Is the {x} to the left or right of the {y}?",
                    "On which side of the {y} is the {x}?",
                ),
                "zh": ("{x}在{y}的左边还是右边？", "{x}在{y}的哪一边？", "{x}位于{y}的左边还是右边？"),
            },
            {("en", True): "left", ("en", False): "right", ("zh", True): "左边", ("zh", False): "右边"}[lang, dx < 0],
            look,
            x=x,
            y=y,
        )
    return ask(
        rng,
        lang,
        "position",
        {
            "en": ("Is the {x} above or below the {y}?", "Is the {x} below or above the {y}?"),
            "zh": ("{x}在{y}的上方还是下方？", "{x}在{y}的上面还是下面？"),
        },
        {("en", True): "above", ("en", False): "below", ("zh", True): "上方", ("zh", False): "下方"}[lang, dy < 0],
        look,
        x=x,
        y=y,
    )


def where(rng: Random, scene: ShapeScene, lang: Language) -> QA | None:
    if len(scene.things) >= 2 and rng.random() < 0.4:
        axis, last = rng.choice("xy"), rng.random() < 0.5
        ordered = sorted(scene.things, key=lambda thing: getattr(thing, axis), reverse=last)
        gap = abs(getattr(ordered[0], axis) - getattr(ordered[1], axis))
        if gap < max(24, 0.12 * (scene.width if axis == "x" else scene.height)):
            return None
        side = {("x", False): ("left", "左"), ("x", True): ("right", "右"), ("y", False): ("top", "上"), ("y", True): ("bottom", "下")}[
            axis, last
        ]
        most = {"left": "leftmost", "right": "rightmost", "top": "topmost", "bottom": "lowest"}[side[0]]
        return ask(
            rng,
            lang,
            "position",
            {
                "en": (
                    "Which shape is furthest {m}?" if axis == "x" else "Which shape is {p}?",
                    "What is the {p} shape?",
                    "Which shape is {p}?",
                ),
                "zh": ("最{s}边的图形是什么？", "哪个图形在最{s}边？"),
            },
            name_in(ordered[0].full_name, lang),
            at(scene, ordered[0]),
            s=side[1],
            m=side[0],
            p=most,
        )
    found = unique(rng, scene)
    spot = place(scene, found[0]) if found else None
    if found is None or spot is None:
        return None
    return ask(
        rng,
        lang,
        "position",
        {
            "en": ("Where is the {x}?", "Where is the {x} in the image?", "In which part of the image is the {x}?"),
            "zh": ("{x}在哪里？", "{x}在图中的什么位置？", "{x}在哪儿？"),
        },
        name_in(spot, lang),
        at(scene, found[0]),
        x=name_in(found[1], lang),
    )
