"""Captions of pictures of shapes."""

from __future__ import annotations

from training.scenes.naming import at
from training.scenes.qa import QA, Groups, Language, article, caption, counting, upper_first
from training.scenes.shapes import ShapeScene, Thing

Part = tuple[str, Groups]


def _phrase(thing: Thing, lang: Language, sized: bool = False) -> str:
    if lang == "zh":
        return f"一个{'大的' if thing.large else '小的'}{thing.full_name.zh}" if sized else f"一个{thing.full_name.zh}"
    return article(f"{'large' if thing.large else 'small'} {thing.full_name.en}" if sized else thing.full_name.en)


def _spot(scene: ShapeScene, thing: Thing, lang: Language) -> str:
    col = min(2, int(3 * thing.x / scene.width))
    row = min(2, int(3 * thing.y / scene.height))
    if lang == "zh":
        return "左中右"[col] + ("上", "间" if col == 1 else "边", "下")[row]
    return ("top ", "", "bottom ")[row] + ("left", "center", "right")[col]


def short(scene: ShapeScene, lang: Language) -> QA:
    """One sentence; three or more things are told from left to right."""
    things, zh = scene.things, lang == "zh"
    parts: list[Part]
    if not things:
        parts = [("一张空白的图片。" if zh else "An empty image.", ())]
    elif len(things) == 1:
        name = _phrase(things[0], lang)
        parts = [(name + "。" if zh else upper_first(name) + ".", at(scene, things[0]))]
    elif len(things) == 2:
        a, b = things
        how = "左边" if zh else "left of"
        if abs(a.x - b.x) / scene.width < abs(a.y - b.y) / scene.height:
            a, b = sorted(things, key=lambda thing: thing.y)
            how = "上方" if zh else "above"
        first, second = _phrase(a, lang), _phrase(b, lang)
        if zh:
            parts = [(first, at(scene, a, b)), (f"在{second}", at(scene, b, a)), (f"的{how}。", at(scene, a, b))]
        else:
            parts = [(upper_first(first), at(scene, a, b)), (f" is {how} {second}.", at(scene, b, a))]
    else:
        parts = [(f"{len(things)}个图形：" if zh else f"{len(things)} shapes: ", counting(range(len(things))))]
        for index, thing in enumerate(things):
            gap = ("，" if zh else " and " if index == len(things) - 1 else ", ") if index else ""
            parts.append((gap + _phrase(thing, lang), at(scene, thing)))
        parts.append(("。" if zh else ".", ()))
    return caption(lang, "short", parts)


def detailed(scene: ShapeScene, lang: Language) -> QA:
    """How many things there are; then size, colour, shape and place of each, from left to right."""
    things, zh = scene.things, lang == "zh"
    if not things:
        return caption(lang, "detailed", [("一张空白的图片。" if zh else "An empty image.", ())])
    count = counting(range(len(things)))
    parts: list[Part] = []
    if zh:
        parts.append((f"图中有{len(things)}个图形。", count))
    else:
        parts.append(("There is 1 shape." if len(things) == 1 else f"There are {len(things)} shapes.", count))
    for index, thing in enumerate(things):
        name, spot = _phrase(thing, lang, True), _spot(scene, thing, lang)
        parts.append((("，" if index else "") + f"{name}在{spot}" if zh else f" {upper_first(name)} is at the {spot}.", at(scene, thing)))
    return caption(lang, "detailed", [*parts, ("。", ())] if zh else parts)
