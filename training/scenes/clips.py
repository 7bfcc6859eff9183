"""Clips: shapes that move, come, go, meet or change colour, and counters; sampled as the service samples a video.

A clip is one story. Its film can be drawn at any time (`draw_frame`), so the same clip serves as the frames that a model is
trained on (`sample_frames`) and as a real video for the service.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.scenes import draw
from training.scenes.draw import COLOURS, SHAPES, Colour, Named
from training.scenes.qa import Mark
from training.scenes.shapes import APART, ShapeScene, Thing, shape_marks

Story = Literal["move", "appear", "disappear", "meet", "recolour", "counter"]
STORIES: tuple[tuple[Story, float], ...] = (
    ("move", 1.4),
    ("appear", 1.0),
    ("disappear", 1.0),
    ("meet", 0.9),
    ("recolour", 0.9),
    ("counter", 1.0),
)
DIRECTIONS: tuple[tuple[Named, int, int], ...] = (
    (Named("left", "左"), -1, 0),
    (Named("right", "右"), 1, 0),
    (Named("up", "上"), 0, -1),
    (Named("down", "下"), 0, 1),
)
# How the service samples a clip for this model: the bounds of its gate and of the model's card.
PER_SECOND = 2.0
LEAST_FRAMES, MOST_FRAMES = 4, 8
FRAME_PIXELS = 128 * 96
SAME = 2.0  # mean difference (of 255) of blocks of 8x8 px below which a frame repeats the one before
RATES = (10, 12, 15, 24, 25, 30)  # frames per second of films
# Of a shape, how far its ink reaches to the side where it meets another one, as a share of its radius: in the order of SHAPES.
HALF_WIDTH = (1.0, 0.86, 0.6, 0.72, 0.72, 0.95, 0.85, 1.0)
END = 0.8  # share of the time after which nothing moves any more: the last frame that is taken shows the end
MOVING_SHARE = 0.45
SMALL_RADIUS, LARGE_RADIUS = (11.5, 13.0), (15.0, 17.5)


@dataclass(frozen=True)
class ClipScene:
    """One story of `seconds` s at `rate` frames per second.

    `actor` is what the story is about, at its first place, with `other` where two meet; elsewhere `other` is one that moves beside it.
    `still` are shapes that only stand there. `way` is what the actor covers until the end, `other_way` the other one, in px;
    `direction` is that of the only one that moves. From `event` s on the actor is there, is gone, or has the colour `colour`. A counter
    shows `start + step * n` after n of its `ticks` equal parts of the time. `touch` tells whether two meet.
    """

    story: Story
    width: int
    height: int
    rate: int
    seconds: float
    actor: Thing
    other: Thing | None = None
    still: tuple[Thing, ...] = ()
    direction: int = 0
    way: tuple[float, float] = (0.0, 0.0)
    other_way: tuple[float, float] = (0.0, 0.0)
    touch: bool = False
    event: float = 0.0
    colour: int = 0
    start: int = 0
    step: int = 1
    ticks: int = 1
    background: Colour = (255, 255, 255)
    ink: Colour = (0, 0, 0)
    face: ImageFont.FreeTypeFont | None = None
    scale: int = 1
    fills: tuple[Colour, ...] = ()

    @property
    def mover(self) -> Thing | None:
        """The only shape that moves."""
        return self.actor if self.story == "move" else self.other if self.story != "meet" else None

    def count(self, seconds: float) -> int:
        """What the counter shows."""
        return self.start + self.step * min(self.ticks - 1, int(self.ticks * seconds / self.seconds + 1e-9))


def moments(seconds: float, rate: int) -> tuple[float, ...]:
    """The times (s) of the frames that the service takes of a film, before repetitions are left out."""
    spacing = min(max(1 / PER_SECOND, seconds / MOST_FRAMES), seconds / LEAST_FRAMES)
    count = max(1, math.ceil(seconds / spacing - 1e-6))
    return tuple(round(math.floor(index * spacing * rate + 1e-5) / rate, 3) for index in range(count))


def things_at(scene: ClipScene, seconds: float) -> tuple[Thing, ...]:
    """The shapes to be seen, the still ones first."""
    if scene.story == "counter":
        return scene.still
    share = min(1.0, seconds / (END * scene.seconds))
    actor = replace(scene.actor, x=scene.actor.x + share * scene.way[0], y=scene.actor.y + share * scene.way[1])
    happened = seconds >= scene.event - 1e-6
    if scene.story == "recolour" and happened:
        actor = replace(actor, colour=scene.colour)
    shown = list(scene.still)
    if scene.story not in ("appear", "disappear") or happened == (scene.story == "appear"):
        shown.append(actor)
    if scene.other is not None:
        other = scene.other
        shown.append(replace(other, x=other.x + share * scene.other_way[0], y=other.y + share * scene.other_way[1]))
    return tuple(shown)


def draw_frame(scene: ClipScene, seconds: float) -> Image.Image:
    """The film at a time, `scale` times as large as the model sees it."""
    k = scene.scale
    image = Image.new("RGB", (k * scene.width, k * scene.height), scene.background)
    d = ImageDraw.Draw(image)
    for thing in things_at(scene, seconds):
        draw.draw_shape(d, thing.shape_name.en, k * thing.x, k * thing.y, k * thing.radius, scene.fills[thing.colour], thing.turn)
    if scene.story == "counter":
        d.text((k * scene.actor.x, k * scene.actor.y), str(scene.count(seconds)), fill=scene.ink, font=scene.face, anchor="mm")
    return image


def frame_marks(scene: ClipScene, seconds: float) -> tuple[Mark, ...]:
    """What there is to name at a time: the shapes in the order of `things_at`, then the counter."""
    marks = shape_marks(ShapeScene(scene.width, scene.height, things_at(scene, seconds)))
    if scene.story == "counter":
        marks += (Mark(scene.actor.x, scene.actor.y, str(scene.count(seconds))),)
    return marks


def sample_frames(scene: ClipScene) -> tuple[tuple[NDArray[np.uint8], ...], tuple[float, ...]]:
    """The frames [H, W, 3] and their times (s) as the service hands them to a model: without repetitions."""
    images: list[NDArray[np.uint8]] = []
    times: list[float] = []
    kept: NDArray[np.float32] | None = None
    state: object = None
    for seconds in moments(scene.seconds, scene.rate):
        now = (things_at(scene, seconds), scene.count(seconds))
        if now == state:
            continue
        state = now
        film = draw_frame(scene, seconds)
        image = np.asarray(film if scene.scale == 1 else film.reduce(scene.scale))
        blocks = _blocks(image)
        if kept is not None and float(np.abs(blocks - kept).max()) <= SAME:
            continue
        kept = blocks
        images.append(image)
        times.append(seconds)
    return tuple(images), tuple(times)


def _blocks(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width, _ = image.shape
    return image.reshape(height // 8, 8, width // 8, 8, 3).mean(axis=(1, 3), dtype=np.float32)


def clip_scene(rng: Random, width: int, height: int, held_out: bool = False) -> ClipScene:
    """A story at random; shapes are all of different kinds and colours."""
    look = draw.setting(held_out)
    while True:
        scene = _story(rng, rng.choices([s for s, _ in STORIES], [w for _, w in STORIES])[0], width, height, look)
        if scene is not None:
            return scene


class Cast:
    """Shapes of different kinds and colours, one after the other."""

    def __init__(self, rng: Random, width: int, height: int) -> None:
        self.rng, self.width, self.height = rng, width, height
        self.shapes, self.colours = rng.sample(range(len(SHAPES)), 5), rng.sample(range(len(COLOURS)), 6)

    def next(self, small: float = 0.5) -> Thing:
        """The next one, anywhere."""
        radius = self.rng.uniform(*(SMALL_RADIUS if self.rng.random() < small else LARGE_RADIUS))
        reach = _reach(radius)
        x, y = self.rng.uniform(reach, self.width - reach), self.rng.uniform(reach, self.height - reach)
        turn = self.rng.uniform(-0.15, 0.15)
        return Thing(self.shapes.pop(), self.colours.pop(), radius > 14, x, y, radius, turn)


def _reach(radius: float) -> float:
    return 1.15 * radius + 1


def _story(rng: Random, story: Story, width: int, height: int, look: draw.Setting) -> ClipScene | None:
    rate = rng.choice(RATES)
    seconds = max(3 * rate, round(rng.uniform(3, 30) * rate)) / rate
    cast = Cast(rng, width, height)
    scene = ClipScene(
        story,
        width,
        height,
        rate,
        seconds,
        cast.next(),
        background=rng.choice(look.backgrounds),
        ink=rng.choice(look.inks),
        scale=rng.choice((1, 2, 3, 4)),
        fills=tuple(draw.shade(rng, value, 14) for value in look.colours),
    )
    if story == "move":
        actor, direction, way = _moved(rng, scene.actor, width, height)
        scene = replace(scene, actor=actor, direction=direction, way=way)
    elif story == "meet":
        met = _meeting(rng, scene, cast.next(small=1.0))
        if met is None:
            return None
        scene = met
    elif story == "counter":
        scene = _counting(rng, scene)
    else:
        times = moments(seconds, rate)
        seen = rng.randrange(1, len(times))
        scene = replace(scene, event=rng.uniform(times[seen - 1] + 0.25 / rate, times[seen]), colour=cast.colours.pop())
        if rng.random() < MOVING_SHARE:  # something else moves, so that many frames differ and one of them must be found
            other, direction, way = _moved(rng, cast.next(small=0.8), width, height)
            scene = replace(scene, other=other, direction=direction, other_way=way)
            if not _apart(scene, scene.actor, ()):
                return None
    still: list[Thing] = []
    most = {"meet": 1, "counter": 2}.get(story, 2 if scene.other is None else 1)
    wanted = 0 if story == "counter" and rng.random() < 0.6 else min(most, rng.choice((0, 1, 1, 2)))
    for _ in range(wanted):
        one = cast.next(small=0.6)
        for _ in range(12):
            x, y = (rng.uniform(_reach(one.radius), length - _reach(one.radius)) for length in (width, height))
            one = replace(one, x=x, y=y)
            if _apart(scene, one, still) and (scene.story == "counter" or _clear_of(scene.actor, one)):
                still.append(one)
                break
    return replace(scene, still=tuple(still))


def _moved(rng: Random, thing: Thing, width: int, height: int) -> tuple[Thing, int, tuple[float, float]]:
    """The thing at the beginning of a way through much of the picture, the direction and the way in px."""
    direction = rng.randrange(len(DIRECTIONS))
    _, dx, dy = DIRECTIONS[direction]
    reach = _reach(thing.radius)
    room = (width if dx else height) - 2 * reach
    way = rng.uniform(max(0.6 * room, min(room, 28)), room)
    first = rng.uniform(0, room - way) + reach
    begin = first if dx + dy > 0 else first + way
    return replace(thing, x=begin) if dx else replace(thing, y=begin), direction, (dx * way, dy * way)


def _meeting(rng: Random, scene: ClipScene, other: Thing) -> ClipScene | None:
    """Two things on one line that come to touch each other, or stop well before."""
    actor, touch = scene.actor, rng.random() < 0.5
    if touch:
        apart = HALF_WIDTH[actor.shape] * actor.radius + HALF_WIDTH[other.shape] * other.radius - 2
    else:
        apart = 1.15 * (actor.radius + other.radius) + rng.uniform(14, 22)
    if rng.random() < 0.5:
        actor, other = other, actor
    left, right = _reach(actor.radius), scene.width - _reach(other.radius)
    y = (
        rng.uniform(left, scene.height - left)
        if actor.radius > other.radius
        else rng.uniform(_reach(other.radius), scene.height - _reach(other.radius))
    )
    way = (right - left - apart) * rng.uniform(0.85, 1.0)
    if way < 16:
        return None
    share = rng.choice((0.0, 0.5, 1.0)) if touch else rng.choice((0.3, 0.5, 0.7))
    begin = rng.uniform(left, right - apart - way)
    actor, other = replace(actor, x=begin, y=y), replace(other, x=begin + apart + way, y=y)
    ways = (way * share, 0.0), (-way * (1 - share), 0.0)
    return replace(scene, actor=actor, other=other, way=ways[0], other_way=ways[1], touch=touch)


def _counting(rng: Random, scene: ClipScene) -> ClipScene:
    ticks, step = rng.randint(3, 10), rng.choice((1, 1, 1, -1, 2, 5, 10))
    x, y = (length / 2 + rng.uniform(-8, 8) for length in (scene.width, scene.height))
    if rng.random() < 0.4:
        x, y = rng.uniform(22, scene.width - 22), rng.uniform(16, scene.height - 16)
    start = rng.randint(0, 20) if step > 0 else rng.randint(ticks, 30)
    face = draw.pick_font(rng, scene.scale * rng.randint(16, 24))
    return replace(scene, actor=replace(scene.actor, x=x, y=y, radius=20.0), ticks=ticks, step=step, start=start, face=face)


def _clear_of(actor: Thing, one: Thing) -> bool:
    return max(abs(actor.x - one.x), abs(actor.y - one.y)) >= APART


def _apart(scene: ClipScene, thing: Thing, still: Sequence[Thing]) -> bool:
    """Whether nothing (else) of the scene ever comes near the thing."""
    others = [(one.x, one.y, one.radius) for one in still]
    for body, way in ((scene.actor, scene.way), (scene.other, scene.other_way)):
        if body is not None and body is not thing:
            others += [(body.x + share * way[0], body.y + share * way[1], body.radius) for share in (0, 0.25, 0.5, 0.75, 1)]
    return all(math.hypot(thing.x - x, thing.y - y) > 1.2 * (thing.radius + radius) + 3 for x, y, radius in others)
