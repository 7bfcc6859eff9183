"""Captions of pictures of shapes."""

from __future__ import annotations

from random import Random

from training.scenes.qa import QA, Language, article, caption, upper_first
from training.scenes.shapes import ShapeScene, Thing


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
            spot_zh = {"left": "左", "center": "中", "right": "右"}[col] + {
                "top": "上",
                "middle": "边" if col != "center" else "间",
                "bottom": "下",
            }[row]
            parts.append(f"{_phrase(thing, lang, True)}在{spot_zh}")
        else:
            parts.append(f"{upper_first(_phrase(thing, lang, True))} is at the {spot}.")
    if zh:
        return caption(lang, "detailed", f"图中有{len(things)}个图形。{'，'.join(parts)}。")
    lead = "There is 1 shape." if len(things) == 1 else f"There are {len(things)} shapes."
    return caption(lang, "detailed", " ".join([lead, *parts]))
