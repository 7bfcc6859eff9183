"""Draws charts: the frame that all share, and bars. `chart_forms` draws the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.scenes import draw
from training.scenes.charts import ChartScene, pieces
from training.scenes.qa import Mark

Face = ImageFont.FreeTypeFont
LEAST = 12  # px, of letters
_WHITE: draw.Colour = (255, 255, 255)


@dataclass(frozen=True)
class Area:
    """A rectangle of the enlarged picture, px."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


class Pen:
    """Draws on a picture `k` times its final size and notes where every printed text stands."""

    def __init__(self, rng: Random, scene: ChartScene) -> None:
        self.rng, self.scene, self.k = rng, scene, draw.pick_scale(rng)
        self.look = draw.setting(scene.held_out)
        self.paper, self.ink = rng.choice(self.look.backgrounds), rng.choice(self.look.inks)
        self.image = Image.new("RGB", (self.k * scene.width, self.k * scene.height), self.paper)
        self.d = ImageDraw.Draw(self.image)
        self.found: dict[tuple[str, int, int], list[Mark]] = {}

    def face(self, size: int, text: str = "") -> Face:
        """A font by chance, `size` px high in the final picture."""
        return self.look.font(self.rng, self.k * size, draw.is_cjk(text))

    def fitting(self, face: Face, texts: tuple[str, ...], room: float) -> Face:
        """The font, or smaller, so that every text is at most `room` px wide; never below LEAST."""
        size = round(face.size / self.k)
        while size > LEAST and max(draw.text_box(face, text)[2] for text in texts) > room:
            size -= 1
            face = draw.font(str(face.path).removeprefix(f"{draw.FONT_ROOT}/"), self.k * size)
        return face

    def fill(self, colour: int) -> draw.Colour:
        return draw.shade(self.rng, self.look.colours[colour], 8)

    def box(self, key: tuple[str, int, int], x: float, y: float, face: Face, anchor: str) -> tuple[float, float, float, float]:
        return self.d.textbbox((x, y), self.scene.texts[key], font=face, anchor=anchor)

    def write(self, key: tuple[str, int, int], x: float, y: float, face: Face, anchor: str, fill: draw.Colour | None = None) -> None:
        """Prints one of the scene's texts, once."""
        scene, text = self.scene, self.scene.texts[key]
        self.d.text((x, y), text, fill=fill or self.ink, font=face, anchor=anchor)
        x0, y0, x1, y1 = self.d.textbbox((x, y), text, font=face, anchor=anchor)
        what, row, index = key
        partner, rank = "", 0
        if what == "label":
            partner = scene.said(0, index)
        elif what == "value":
            partner = scene.labels[index]
        if what in ("label", "value"):
            value, values = scene.rows[row][index], scene.rows[row]
            rank = 1 if value == max(values) else 2 if value == min(values) else 3
        spans, y_middle, k = pieces(text), (y0 + y1) / 2, self.k
        alike = (0, 0, len(scene.labels))
        if len(spans) == 1:
            self.found[key] = [Mark((x0 + x1) / 2 / k, y_middle / k, text, partner=partner, rank=rank, alike=alike)]
            return
        each = (x1 - x0) / len(text) if not draw.is_cjk(text) else 0
        marks: list[Mark] = []
        for start, end in spans:
            middle = x0 + each * (start + end) / 2 if each else x0 + (face.getlength(text[:start]) + face.getlength(text[:end])) / 2
            marks.append(Mark(middle / k, y_middle / k, text[start:end], partner=partner, rank=rank, alike=alike))
        self.found[key] = marks

    def finish(self) -> tuple[NDArray[np.uint8], tuple[Mark, ...]]:
        """The picture at its final size, and its marks in the order that `ChartScene.marks` counts them in."""
        marks = [mark for key in self.scene.texts for mark in self.found[key]]
        return draw.shrink(self.rng, self.image, self.k), tuple(marks)


def fonts(pen: Pen, room: float, tallest: int = 22) -> tuple[Face, Face]:
    """Fonts for labels and values, as large as chance says and `room` px per label allow."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    longest = int(min(tallest, max(13, room / k / 2.6)))
    size = rng.randint(LEAST, longest)
    label_face = pen.fitting(pen.face(size, "".join(scene.labels)), scene.labels, room - 6 * k)
    said = tuple(scene.said(r, i) for r in range(len(scene.rows)) for i in range(len(scene.labels)))
    value_face = pen.fitting(pen.face(max(LEAST, min(longest, size + rng.randint(-1, 2)))), said, room - 3 * k)
    return label_face, value_face


def frame(pen: Pen) -> Area:
    """Draws title, unit, names of axes and legend, and gives back the room that is left."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    left, right = k * 2.0, k * (scene.width - 2.0)
    top, bottom = k * 3.0, k * (scene.height - 3.0)
    if scene.title:
        face = pen.fitting(pen.face(rng.randint(13, 17), scene.title), (scene.title,), right - left - 4 * k)
        if scene.held_out and rng.random() < 0.5:  # a title at the left: a layout that training has not
            pen.write(("title", 0, 0), left + 4 * k, top, face, "la")
        else:
            room = (right - left - draw.text_box(face, scene.title)[2]) / 2
            shift = min(k * 8, int(room) - k)
            pen.write(("title", 0, 0), (left + right) / 2 + (rng.randint(-shift, shift) if shift > 0 else 0), top, face, "ma")
        top += draw.text_box(face, scene.title)[3] + 3 * k
    if len(scene.names) and scene.form != "table":
        if rng.random() < 0.75:
            top = _legend(pen, left, right, top) + 2 * k
        else:
            bottom -= 17 * k
            _legend(pen, left, right, bottom)
            bottom -= 2 * k
    if ("unit", 0, 0) in scene.texts or scene.y_axis:
        face = pen.face(rng.randint(LEAST, 13), scene.unit + scene.y_axis)
        base = top + face.getmetrics()[0]
        x = left + 3 * k
        if scene.y_axis:
            pen.write(("y_axis", 0, 0), x, base, face, "ls")
            x += face.getlength(scene.y_axis) + 10 * k
        if ("unit", 0, 0) in scene.texts:
            before = pen.face(round(face.size / k), scene.before_unit)
            pen.d.text((x, base), scene.before_unit, fill=pen.ink, font=before, anchor="ls")
            pen.write(("unit", 0, 0), x + before.getlength(scene.before_unit), base, face, "ls")
        top += face.size + 4 * k
    if scene.x_axis and scene.form != "table":
        face = pen.face(rng.randint(LEAST, 13), scene.x_axis)
        pen.write(("x_axis", 0, 0), (left + right) / 2, bottom, face, "md")
        bottom -= face.size + 3 * k
    return Area(left, top, right, bottom)


def _legend(pen: Pen, left: float, right: float, top: float) -> float:
    """The names of the series in a row, each behind a plate of its colour; gives back the bottom."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    plate, gap = 11 * k, 4 * k
    face = pen.face(rng.randint(LEAST, 14), "".join(scene.names))
    wide = [draw.text_box(face, name)[2] for name in scene.names]
    between = min(20 * k, max(6 * k, (right - left - sum(wide) - len(wide) * (plate + gap)) / (len(wide) + 1)))
    x = left + max(0.0, (right - left - sum(wide) - len(wide) * (plate + gap) - between * (len(wide) - 1)) / 2)
    for row, width in enumerate(wide):
        colour = pen.look.colours[scene.colours[row]]
        pen.d.rectangle([x, top + 2 * k, x + plate, top + 2 * k + plate], fill=colour)
        pen.write(("name", row, 0), x + plate + gap, top + 1.5 * k + plate / 2, face, "lm")
        x += plate + gap + width + between
    return top + 15 * k


def height_of(face: Face, texts: tuple[str, ...]) -> int:
    """From the line that texts hang from to their lowest ink, px of the enlarged picture."""
    return max(draw.text_box(face, text)[3] for text in texts)


def axes(pen: Pen, area: Area) -> None:
    """Lines of a grid and the axes, by chance."""
    rng, k = pen.rng, pen.k
    if rng.random() < 0.3:
        pale: draw.Colour = (225, 225, 225)
        for step in range(1, 4):
            y = area.bottom - area.height * step / 4
            pen.d.line([area.left, y, area.right, y], fill=pale, width=k)
    if rng.random() < 0.8:
        pen.d.line([area.left, area.bottom, area.right, area.bottom], fill=pen.ink, width=k)
    if rng.random() < 0.6:
        pen.d.line([area.left, area.top, area.left, area.bottom], fill=pen.ink, width=k)


def _thickness(pen: Pen) -> float:
    """Of a bar's place, the share that the bar fills."""
    if pen.scene.held_out:
        return pen.rng.choice((pen.rng.uniform(0.3, 0.4), pen.rng.uniform(0.84, 0.95)))
    return pen.rng.uniform(0.42, 0.8)


def _upright(pen: Pen) -> None:
    """Bars beside each other; of several series in groups."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    room = frame(pen)
    left, right = room.left + k * rng.randint(4, 14), room.right - k * rng.randint(2, 8)
    slot = (right - left) / len(scene.labels)
    rows, count = len(scene.rows), len(scene.labels)
    label_face, value_face = fonts(pen, slot) if rows == 1 else _group_fonts(pen, slot)
    bottom = room.bottom - height_of(label_face, scene.labels) - 4 * k
    area = Area(left, room.top + value_face.size + 5 * k, right, bottom)
    axes(pen, area)
    highest = max(max(row) for row in scene.rows)
    scale = area.height / (highest * rng.uniform(1.0, 1.3)) if highest else 0.0
    thick = slot * _thickness(pen) / 2 if rows == 1 else slot * 0.92 / rows / 2
    fills = [pen.fill(colour) for colour in scene.colours]
    # The value stands above its bar, or inside it in white when every bar is dark.
    dark = all(sum(pen.look.colours[c]) < 400 for c in scene.colours)
    inside = dark and rows == 1 and rng.random() < 0.25 and thick > 13 * k
    for index in range(count):
        middle = left + slot * (index + 0.5)
        for row in range(rows):
            x = middle if rows == 1 else middle + (row - (rows - 1) / 2) * 2 * thick
            tall = max(1.0, scale * scene.rows[row][index])
            gap = 0 if rows == 1 else k
            fill = fills[index if rows == 1 else row]
            pen.d.rectangle([x - thick + gap, area.bottom - tall, x + thick - gap, area.bottom - 1], fill=fill)
            if inside and tall > value_face.size + 8 * k:
                pen.write(("value", row, index), x, area.bottom - tall + 3 * k, value_face, "ma", _WHITE)
            else:
                pen.write(("value", row, index), x, area.bottom - tall - 3 * k, value_face, "mb")
        pen.write(("label", 0, index), middle, area.bottom + 3 * k, label_face, "ma")


def _group_fonts(pen: Pen, slot: float) -> tuple[Face, Face]:
    rng, scene, k = pen.rng, pen.scene, pen.k
    said = tuple(scene.said(r, i) for r in range(len(scene.rows)) for i in range(len(scene.labels)))
    room = slot * 0.92 / len(scene.rows) - 2 * k
    label_face = pen.fitting(pen.face(rng.randint(LEAST, 16), "".join(scene.labels)), scene.labels, slot - 3 * k)
    return label_face, pen.fitting(pen.face(rng.randint(LEAST, 15)), said, room)


def _lying(pen: Pen) -> None:
    """Bars below each other: the label at the left, the value at the end of its bar."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    room = frame(pen)
    count = len(scene.labels)
    slot = room.height / count
    tallest = max(LEAST, min(20, int(slot / k) - 8))
    label_face, value_face = fonts(pen, 0.34 * room.width, tallest)
    said = tuple(scene.said(0, i) for i in range(count))
    start = room.left + 4 * k + max(draw.text_box(label_face, text)[2] for text in scene.labels) + 4 * k
    longest = room.right - start - max(draw.text_box(value_face, text)[2] for text in said) - 8 * k
    highest = max(scene.values)
    scale = longest / (highest * rng.uniform(1.0, 1.25)) if highest else 0.0
    thick = slot * _thickness(pen) / 2
    if rng.random() < 0.7:
        pen.d.line([start - 2 * k, room.top, start - 2 * k, room.bottom], fill=pen.ink, width=k)
    for index in range(count):
        middle = room.top + slot * (index + 0.5)
        long = max(1.0, scale * scene.values[index])
        pen.d.rectangle([start, middle - thick, start + long, middle + thick], fill=pen.fill(scene.colours[index]))
        pen.write(("label", 0, index), start - 6 * k, middle, label_face, "rm")
        pen.write(("value", 0, index), start + long + 4 * k, middle, value_face, "lm")


def render(rng: Random, scene: ChartScene, drawn: Callable[[Pen], None]) -> tuple[NDArray[np.uint8], tuple[Mark, ...]]:
    pen = Pen(rng, scene)
    drawn(pen)
    return pen.finish()


def draw_bars(pen: Pen) -> None:
    (_lying if pen.scene.horizontal else _upright)(pen)
