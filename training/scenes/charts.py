"""Bar charts with a label under and a value on every bar."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.scenes import draw, vocabulary
from training.scenes.draw import COLOURS
from training.scenes.qa import Mark


@dataclass(frozen=True)
class ChartScene:
    """Bars from left to right. `title` is empty when none is drawn; `colours` index COLOURS, one per bar."""

    width: int
    height: int
    labels: tuple[str, ...]
    values: tuple[int, ...]
    colours: tuple[int, ...]
    title: str


def chart_scene(rng: Random, width: int, height: int) -> ChartScene:
    # A bar needs room for its label: about 44 px.
    most = max(2, min(4, (width - 24) // 44))
    count = rng.randint(2, most)
    labels = vocabulary.labels(rng, count)
    top = 999 if rng.random() < 0.06 and width >= 60 * count else 99
    values = rng.sample(range(0 if rng.random() < 0.1 else 1, top + 1), count)  # all different: one highest, one lowest
    one_colour = rng.random() < 0.6
    colours = [rng.randrange(len(COLOURS))] * count if one_colour else rng.sample(range(len(COLOURS)), count)
    title = ""
    if height >= 128 and rng.random() < 0.4:
        title = rng.choice(vocabulary.TITLES_ZH if rng.random() < 0.35 else vocabulary.TITLES)
    return ChartScene(width, height, tuple(labels), tuple(values), tuple(colours), title)


def _size_for(rng: Random, scene: ChartScene, slot: float, k: int) -> tuple[ImageFont.FreeTypeFont, ImageFont.FreeTypeFont]:
    """Fonts for labels and values: as large as chance says and the slot (px per bar) allows. `k` is the scale of the drawing."""
    longest = int(min(22, max(13, slot / k / 2.6)))
    size = rng.randint(12, longest)
    label_face = draw.pick_font(rng, k * size, draw.is_cjk("".join(scene.labels)))
    value_face = draw.pick_font(rng, k * max(12, min(longest, size + rng.randint(-1, 2))))
    while size > 12 and max(draw.text_box(label_face, t)[2] for t in scene.labels) > slot - 3 * k:
        size -= 1
        label_face = draw.font(str(label_face.path).removeprefix(f"{draw.FONT_ROOT}/"), k * size)
    return label_face, value_face


def render_chart(rng: Random, scene: ChartScene) -> tuple[NDArray[np.uint8], tuple[Mark, ...]]:
    """The picture, and where its labels and values stand: of every bar, from the left, first the value and then the label."""
    k = draw.pick_scale(rng)
    width, height, count = k * scene.width, k * scene.height, len(scene.labels)
    image = Image.new("RGB", (width, height), rng.choice(draw.BACKGROUNDS))
    d = ImageDraw.Draw(image)
    marks: list[Mark] = []

    def write(x: float, y: float, text: str, face: ImageFont.FreeTypeFont, fill: draw.Colour, anchor: str, partner: str, rank: int) -> None:
        d.text((x, y), text, fill=fill, font=face, anchor=anchor)
        x0, y0, x1, y1 = d.textbbox((x, y), text, font=face, anchor=anchor)
        marks.append(Mark((x0 + x1) / 2 / k, (y0 + y1) / 2 / k, text, partner=partner, rank=rank, alike=(0, 0, count)))

    left, right = k * rng.randint(8, 18), width - k * rng.randint(4, 12)
    slot = (right - left) / count
    label_face, value_face = _size_for(rng, scene, slot, k)
    ink = rng.choice(draw.INKS)
    top = k * rng.randint(18, 26)
    if scene.title:
        face = draw.pick_font(rng, k * rng.randint(13, 17), draw.is_cjk(scene.title))
        d.text((width / 2 + k * rng.randint(-8, 8), k * rng.randint(3, 6)), scene.title, fill=ink, font=face, anchor="ma")
        top += 18 * k
    bottom = height - k * rng.randint(6, 10) - label_face.size - 4 * k
    if rng.random() < 0.3:
        for step in range(1, 4):
            y = bottom - (bottom - top) * step / 4
            d.line([left, y, right, y], fill=(225, 225, 225), width=k)
    if rng.random() < 0.8:
        d.line([left, bottom, right, bottom], fill=ink, width=k)
    if rng.random() < 0.6:
        d.line([left, top - 6 * k, left, bottom], fill=ink, width=k)
    scale = max(scene.values) * rng.uniform(1.0, 1.3)
    thick = slot * rng.uniform(0.42, 0.8) / 2
    # The value stands above its bar, or inside it in white when every bar is dark.
    dark = all(sum(COLOURS[c][1]) < 400 for c in scene.colours)
    inside = dark and rng.random() < 0.25 and thick > 13 * k
    for index, (label, value) in enumerate(zip(scene.labels, scene.values, strict=True)):
        middle = left + slot * (index + 0.5)
        rank = {max(scene.values): 1, min(scene.values): 2}.get(value, 3)
        tall = max(1.0, (bottom - top) * value / scale) if scale else 1.0
        fill = draw.shade(rng, COLOURS[scene.colours[index]][1], 8)
        d.rectangle([middle - thick, bottom - tall, middle + thick, bottom - 1], fill=fill)
        if inside and tall > value_face.size + 8 * k:
            write(middle, bottom - tall + 3 * k, str(value), value_face, (255, 255, 255), "ma", label, rank)
        else:
            write(middle, bottom - tall - 3 * k, str(value), value_face, ink, "mb", label, rank)
        write(middle, bottom + 3 * k, label, label_face, ink, "ma", str(value), rank)
    return draw.shrink(rng, image, k), tuple(marks)
