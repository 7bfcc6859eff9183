"""Pictures of coloured shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.scenes import draw
from training.scenes.draw import COLOURS, SHAPES, Named
from training.scenes.qa import Mark

LARGE = Named("large", "大的")
SMALL = Named("small", "小的")
APART = 33  # px between two centres, across or down: each has a visual token of its own
TURN = 0.15  # radians that a shape is turned at most
CLEAR = 1.4  # how much larger the largest is than the next, to be called so


@dataclass(frozen=True)
class Thing:
    """One shape: indices into SHAPES and COLOURS, size class, centre and half extent in px, turn in radians."""

    shape: int
    colour: int
    large: bool
    x: float
    y: float
    radius: float
    turn: float = 0.0

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of its ink in px."""
        return draw.shape_extent(self.shape_name.en, self.x, self.y, self.radius, self.turn)

    @property
    def shape_name(self) -> Named:
        return SHAPES[self.shape]

    @property
    def colour_name(self) -> Named:
        return COLOURS[self.colour][0]

    @property
    def full_name(self) -> Named:
        return Named(f"{self.colour_name.en} {self.shape_name.en}", f"{self.colour_name.zh}{self.shape_name.zh}")


@dataclass(frozen=True)
class ShapeScene:
    """A picture of `width` x `height` px with its things from left to right."""

    width: int
    height: int
    things: tuple[Thing, ...]


def place(scene: ShapeScene, thing: Thing) -> Named | None:
    """Which ninth of the picture the centre is in; None near a border between two."""

    def third(value: float, length: int) -> int | None:
        share = value / length
        if min(abs(share - 1 / 3), abs(share - 2 / 3)) < 0.05:
            return None
        return int(share * 3)

    col, row = third(thing.x, scene.width), third(thing.y, scene.height)
    if col is None or row is None:
        return None
    en = {
        (0, 0): "top left",
        (0, 1): "top",
        (0, 2): "top right",
        (1, 0): "left",
        (1, 1): "center",
        (1, 2): "right",
        (2, 0): "bottom left",
        (2, 1): "bottom",
        (2, 2): "bottom right",
    }
    zh = {
        (0, 0): "左上",
        (0, 1): "上方",
        (0, 2): "右上",
        (1, 0): "左边",
        (1, 1): "中间",
        (1, 2): "右边",
        (2, 0): "左下",
        (2, 1): "下方",
        (2, 2): "右下",
    }
    return Named(en[row, col], zh[row, col])


def shape_scene(rng: Random, width: int, height: int, most: int = 5, alike: bool = False) -> ShapeScene:
    """0 (rarely) to `most` shapes that do not touch; crowded pictures hold fewer. `alike` gives more shapes of fewer kinds."""
    unit = math.sqrt(width * height)
    small = max(9.0, min(16.0, unit * 0.085))
    large = max(small * 1.9, min(40.0, unit * 0.17))
    wanted = 0 if rng.random() < 0.01 else rng.choice([1, 2, 2, 3, 3, 3, 4, 4, 5])
    if alike:
        wanted = rng.choice([2, 3, 3, 4, 4, 5, 5])
    wanted = min(wanted, most)
    # Few kinds in one picture now and then, so that counting "how many circles" has answers above 1.
    shapes = rng.sample(range(len(SHAPES)), rng.choice([1, 2, 2, 3] if alike else [1, 2, 2, 3, len(SHAPES), len(SHAPES)]))
    colours = rng.sample(range(len(COLOURS)), rng.choice([1, 2, 3] if alike else [1, 2, 3, len(COLOURS), len(COLOURS)]))
    things: list[Thing] = []
    for _ in range(wanted * 12):
        if len(things) == wanted:
            break
        is_large = rng.random() < 0.5
        radius = (large if is_large else small) * rng.uniform(0.9, 1.1)
        edge = radius * 1.2
        if 2 * edge > min(width, height):
            continue
        x, y = rng.uniform(edge, width - edge), rng.uniform(edge, height - edge)
        if any(math.hypot(x - o.x, y - o.y) < 1.25 * (radius + o.radius) + 5 for o in things):
            continue
        if any(max(abs(x - o.x), abs(y - o.y)) < APART for o in things):
            continue
        things.append(Thing(rng.choice(shapes), rng.choice(colours), is_large, x, y, radius, rng.uniform(-TURN, TURN)))
    return ShapeScene(width, height, tuple(sorted(things, key=lambda thing: thing.x)))


def extremes(scene: ShapeScene) -> tuple[Thing | None, Thing | None]:
    """The largest and the smallest thing, each None where another comes near it."""
    if len(scene.things) < 2:
        return None, None
    ordered = sorted(scene.things, key=lambda thing: thing.radius)
    largest = ordered[-1] if ordered[-1].radius >= CLEAR * ordered[-2].radius else None
    smallest = ordered[0] if ordered[1].radius >= CLEAR * ordered[0].radius else None
    return largest, smallest


def render_shapes(rng: Random, scene: ShapeScene, held_out: bool = False) -> NDArray[np.uint8]:
    k, look = draw.pick_scale(rng), draw.setting(held_out)
    image = Image.new("RGB", (k * scene.width, k * scene.height), rng.choice(look.backgrounds))
    d = ImageDraw.Draw(image)
    for thing in scene.things:
        fill = draw.shade(rng, look.colours[thing.colour], 14)
        draw.draw_shape(d, thing.shape_name.en, k * thing.x, k * thing.y, k * thing.radius, fill, thing.turn)
    return draw.shrink(rng, image, k)


def shape_marks(scene: ShapeScene) -> tuple[Mark, ...]:
    things, (largest, smallest) = scene.things, extremes(scene)
    return tuple(
        Mark(
            thing.x,
            thing.y,
            shape=thing.shape,
            colour=thing.colour,
            extent=thing.extent,
            size=2 if thing.large else 1,
            rank=1 if thing is largest else 2 if thing is smallest else 3,
            alike=(sum(o.shape == thing.shape for o in things), sum(o.colour == thing.colour for o in things), len(things)),
            edge=(thing.x == min(o.x for o in things))
            + 2 * (thing.x == max(o.x for o in things))
            + 4 * (thing.y == min(o.y for o in things))
            + 8 * (thing.y == max(o.y for o in things)),
        )
        for thing in things
    )
