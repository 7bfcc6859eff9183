"""Draws lines, pies and tables, and chooses for every scene who draws it."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from numpy.typing import NDArray

from training.scenes import draw
from training.scenes.boxes import Boxes
from training.scenes.chart_bars import draw_bars
from training.scenes.chart_render import LEAST, Area, Pen, axes, fonts, frame, height_of, render, room_for_scale
from training.scenes.charts import ChartScene
from training.scenes.qa import Mark

_WHITE: draw.Colour = (255, 255, 255)
_BLACK: draw.Colour = (0, 0, 0)
_TURNS = 12  # beginnings of a pie that are tried until no text meets another


def _line(pen: Pen) -> None:
    """Points joined by lines, the value at every point, the labels below."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    room = frame(pen)
    every = [value for row in scene.rows for value in row]
    low, high = min(every), max(every)
    small = pen.face(rng.randint(10, 13))
    left = room.left + k * rng.randint(4, 10) + room_for_scale(pen, high, small)
    right = room.right - k * rng.randint(2, 6)
    slot = (right - left) / len(scene.labels)
    label_face, value_face = fonts(pen, slot, 18)
    area = Area(left, room.top + value_face.size + 6 * k, right, room.bottom - height_of(label_face, scene.labels) - 4 * k)
    # Room below the lowest point for a value under it.
    base = area.bottom - value_face.size - 7 * k
    scale = (base - area.top) / (high - low) if high > low else 0.0
    axes(pen, area, lambda value: base - scale * (value - low), high, small)
    radius, width = k * rng.choice((2, 3, 3, 4)), k * rng.choice((1, 2, 2, 3))
    columns = [left + slot * (index + 0.5) for index in range(len(scene.labels))]
    for row, values in enumerate(scene.rows):
        fill = pen.fill(scene.colours[row])
        heights = [base - scale * (value - low) for value in values]
        pen.d.line(list(zip(columns, heights, strict=True)), fill=fill, width=width)
        for index, (x, y) in enumerate(zip(columns, heights, strict=True)):
            pen.d.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)
            beside = [heights[other] for other in (index - 1, index + 1) if 0 <= other < len(heights)]
            above = y <= sum(beside) / len(beside) if len(scene.rows) == 1 else y <= min(_heights(scene, index, base, scale, low))
            at, anchor = (y - radius - 2 * k, "mb") if above else (y + radius + 2 * k, "mt")
            key = ("value", row, index)
            x0, y0, x1, y1 = pen.box(key, x, at, value_face, anchor)
            pen.d.rectangle([x0 - k, y0, x1 + k, y1], fill=pen.paper)  # the line does not go through the number
            pen.write(key, x, at, value_face, anchor)
    for index, x in enumerate(columns):
        pen.write(("label", 0, index), x, area.bottom + 3 * k, label_face, "ma")


def _heights(scene: ChartScene, index: int, base: float, scale: float, low: float) -> list[float]:
    return [base - scale * (values[index] - low) for values in scene.rows]


def _pie(pen: Pen) -> None:
    room = frame(pen)
    if pen.scene.width < 192 or pen.rng.random() < 0.35 or not _pie_around(pen, room):
        _pie_listed(pen, room)


def _slices(pen: Pen, cx: float, cy: float, radius: float, turn: float) -> list[float]:
    """Draws the slices, and gives back the angle of the middle of each in degrees from the right, clockwise."""
    values = pen.scene.values
    total, at, middles = sum(values), turn, []
    edge = pen.paper if pen.rng.random() < 0.6 else None
    for value, colour in zip(values, pen.scene.colours, strict=True):
        share = 360 * value / total
        box = [cx - radius, cy - radius, cx + radius, cy + radius]
        pen.d.pieslice(box, at, at + share, fill=pen.fill(colour), outline=edge, width=pen.k)
        middles.append(at + share / 2)
        at += share
    return middles


def _pie_around(pen: Pen, room: Area) -> bool:
    """Labels and values beside their slices; False, and nothing is drawn, where they would meet."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    label_face, value_face = fonts(pen, 0.3 * room.width, 15)
    count, total = len(scene.labels), sum(scene.values)
    inside = min(scene.values) > 0.13 * total and rng.random() < 0.5
    wide = [float(draw.text_box(label_face, label)[2]) for label in scene.labels]
    tall = label_face.size + 2.0 * k
    if not inside:
        wide = [max(width, draw.text_box(value_face, scene.said(0, i))[2]) for i, width in enumerate(wide)]
        tall += value_face.size + k
    radius = min(room.width / 2 - max(wide) - 8 * k, room.height / 2 - tall - 6 * k)
    # Beside it only, the circle may be higher.
    radius = max(radius, min(room.width / 2 - max(wide) - 8 * k, room.height / 2 - 0.6 * tall - 4 * k))
    if radius < (44 if inside else 22) * k:
        return False
    cx, cy = (room.left + room.right) / 2, (room.top + room.bottom) / 2
    shares = [360 * value / total for value in scene.values]
    for _ in range(_TURNS):
        turn = rng.uniform(0, 360)
        middles = [turn + sum(shares[:i]) + shares[i] / 2 for i in range(count)]
        boxes = [_beside(cx, cy, radius + 5 * k, angle, width, tall) for angle, width in zip(middles, wide, strict=True)]
        fits = all(b.left >= room.left and b.right <= room.right and b.top >= room.top and b.bottom <= room.bottom for b in boxes)
        if fits and not any(_meet(boxes[i], boxes[j], 3 * k) for i in range(count) for j in range(i)):
            break
    else:
        return False
    _slices(pen, cx, cy, radius, turn)
    for index, (box, angle) in enumerate(zip(boxes, middles, strict=True)):
        x = (box.left + box.right) / 2
        if not inside:
            pen.write(("label", 0, index), x, box.top + label_face.size / 2, label_face, "mm")
            pen.write(("value", 0, index), x, box.bottom - value_face.size / 2, value_face, "mm")
            continue
        pen.write(("label", 0, index), x, (box.top + box.bottom) / 2, label_face, "mm")
        at = (cx + 0.62 * radius * math.cos(math.radians(angle)), cy + 0.62 * radius * math.sin(math.radians(angle)))
        dark = sum(pen.look.colours[scene.colours[index]]) < 340
        pen.write(("value", 0, index), *at, value_face, "mm", _WHITE if dark else _BLACK)
    return True


def _beside(cx: float, cy: float, far: float, angle: float, width: float, height: float) -> Area:
    """The place of a text of that size just outside of the circle, in the direction of `angle` (degrees)."""
    dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = cx + far * dx + dx * width / 2, cy + far * dy + dy * height / 2
    return Area(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _meet(a: Area, b: Area, gap: float) -> bool:
    return a.left < b.right + gap and b.left < a.right + gap and a.top < b.bottom + gap and b.top < a.bottom + gap


def _pie_listed(pen: Pen, room: Area) -> None:
    """The pie, and beside it a list: colour, label, value."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    count = len(scene.labels)
    slot = min(30 * k, room.height / count)
    label_face, value_face = fonts(pen, 0.26 * room.width, max(LEAST, min(17, int(slot / k) - 6)))
    said = tuple(scene.said(0, i) for i in range(count))
    labels_wide = max(draw.text_box(label_face, text)[2] for text in scene.labels)
    values_wide = max(draw.text_box(value_face, text)[2] for text in said)
    plate, gap = 10 * k, 5 * k
    listed = plate + gap + labels_wide + 2 * gap + values_wide
    radius = min((room.width - listed - 16 * k) / 2, room.height / 2 - 2 * k)
    left_pie = scene.held_out or rng.random() < 0.75
    cx = room.left + radius + 4 * k if left_pie else room.right - radius - 4 * k
    _slices(pen, cx, (room.top + room.bottom) / 2, radius, rng.choice((-90.0, rng.uniform(0, 360))))
    x = room.right - listed - 4 * k if left_pie else room.left + 4 * k
    top = (room.top + room.bottom) / 2 - slot * count / 2
    for index in range(count):
        y = top + slot * (index + 0.5)
        pen.d.rectangle([x, y - plate / 2, x + plate, y + plate / 2], fill=pen.look.colours[scene.colours[index]])
        pen.write(("label", 0, index), x + plate + gap, y, label_face, "lm")
        pen.write(("value", 0, index), x + listed, y, value_face, "rm")


def _table(pen: Pen) -> None:
    """Rows with a label and its values; the heads are the names of the series."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    room = frame(pen)
    count, columns = len(scene.labels), len(scene.rows)
    slot = min(34 * k, room.height / (count + 1))
    label_face, value_face = fonts(pen, 0.9 * room.width / (columns + 1), max(LEAST, min(18, int(slot / k) - 6)))
    head_face = pen.fitting(pen.face(rng.randint(LEAST, 14), "".join(scene.names) + scene.x_axis), scene.names, room.width / (columns + 1))
    left, right = room.left + k * rng.randint(4, 12), room.right - k * rng.randint(4, 12)
    top = room.top + k + (room.height - slot * (count + 1)) * rng.choice((0, 0.5))
    first = max(0.34, 1 / (columns + 1)) * (right - left)
    wide = (right - left - first) / columns
    lines, pale = rng.random() < 0.7, tuple(int(0.92 * part) for part in pen.paper)
    if rng.random() < 0.5:
        pen.d.rectangle([left, top, right, top + slot], fill=pale)
    for row in range(count + 2):
        if lines or row in (0, 1, count + 1):
            pen.d.line([left, top + slot * row, right, top + slot * row], fill=pen.ink if row < 2 else (170, 170, 170), width=k)
    if lines and rng.random() < 0.5:
        for column in range(columns + 2):
            x = left + (first + wide * (column - 1) if column else 0)
            pen.d.line([x, top, x, top + slot * (count + 1)], fill=(170, 170, 170), width=k)
    anchor = rng.choice(("mm", "rm"))

    def place(column: int) -> float:
        return left + first + wide * (column + (0.5 if anchor == "mm" else 1)) - (0 if anchor == "mm" else 6 * k)

    if scene.x_axis:
        pen.write(("x_axis", 0, 0), left + 6 * k, top + slot / 2, head_face, "lm")
    for column in range(len(scene.names)):
        pen.write(("name", column, 0), place(column), top + slot / 2, head_face, anchor)
    for row in range(count):
        y = top + slot * (row + 1.5)
        pen.write(("label", 0, row), left + 6 * k, y, label_face, "lm")
        for column in range(columns):
            pen.write(("value", column, row), place(column), y, value_face, anchor)


_DRAWN = {"bar": draw_bars, "grouped_bar": draw_bars, "line": _line, "pie": _pie, "table": _table}


def render_chart(rng: Random, scene: ChartScene) -> tuple[NDArray[np.uint8], tuple[Mark, ...]]:
    """The picture [H, W, 3] and where its texts stand, in the order of `ChartScene.texts`."""
    return render(rng, scene, _DRAWN[scene.form])


def render_boxed(rng: Random, scene: ChartScene) -> tuple[NDArray[np.uint8], tuple[Mark, ...], Boxes]:
    """The same, and the boxes of its texts and bars."""
    pen = Pen(rng, scene)
    _DRAWN[scene.form](pen)
    return *pen.finish(), pen.boxes
