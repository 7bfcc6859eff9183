"""How a question names a thing in a picture of shapes."""

from __future__ import annotations

from collections import Counter
from random import Random

from training.scenes.draw import Named
from training.scenes.qa import NOTHING, Groups, Language
from training.scenes.shapes import ShapeScene, Thing


def name_in(name: Named, language: Language) -> str:
    return name.zh if language == "zh" else name.en


def at(scene: ShapeScene, *things: Thing) -> Groups:
    """The focus on one or two `things`: one watched head for each, the third finds both."""
    found = [scene.things.index(thing) for thing in things]
    return ((found[0],), tuple(found[1:]), (*found, NOTHING))


def unique(rng: Random, scene: ShapeScene) -> tuple[Thing, Named] | None:
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
