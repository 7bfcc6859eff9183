"""Draws bars: upright, in groups, lying."""

from __future__ import annotations

from training.scenes import draw
from training.scenes.chart_render import LEAST, Area, Face, Pen, axes, fonts, frame, height_of, room_for_scale, scale_marks

_WHITE: draw.Colour = (255, 255, 255)


def _thickness(pen: Pen) -> float:
    """Of a bar's place, the share that the bar fills."""
    if pen.scene.held_out:
        return pen.rng.choice((pen.rng.uniform(0.3, 0.4), pen.rng.uniform(0.84, 0.95)))
    return pen.rng.uniform(0.42, 0.8)


def _upright(pen: Pen) -> None:
    """Bars beside each other; of several series in groups."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    room = frame(pen)
    highest = max(max(row) for row in scene.rows)
    top_of_axis = highest * rng.uniform(1.0, 1.3)
    small = pen.face(rng.randint(10, 13))
    left = room.left + k * rng.randint(4, 14) + room_for_scale(pen, top_of_axis, small)
    right = room.right - k * rng.randint(2, 8)
    slot = (right - left) / len(scene.labels)
    rows, count = len(scene.rows), len(scene.labels)
    label_face, value_face = fonts(pen, slot) if rows == 1 else _group_fonts(pen, slot)
    bottom = room.bottom - height_of(label_face, scene.labels) - 4 * k
    area = Area(left, room.top + value_face.size + 5 * k, right, bottom)
    scale = area.height / top_of_axis if highest else 0.0
    axes(pen, area, lambda value: area.bottom - scale * value, top_of_axis, small)
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
            pen.bar(row, index, (x - thick + gap, area.bottom - tall, x + thick - gap, area.bottom - 1), fill)
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
    small = pen.face(rng.randint(10, 12))
    floor = room.bottom - (small.size + 7 * k if scene.ticks else 0)
    slot = (floor - room.top) / count
    tallest = max(LEAST, min(20, int(slot / k) - 8))
    label_face, value_face = fonts(pen, 0.34 * room.width, tallest)
    said = tuple(scene.said(0, i) for i in range(count))
    start = room.left + 4 * k + max(draw.text_box(label_face, text)[2] for text in scene.labels) + 4 * k
    longest = room.right - start - max(draw.text_box(value_face, text)[2] for text in said) - 8 * k
    highest = max(scene.values)
    scale = longest / (highest * rng.uniform(1.0, 1.25)) if highest else 0.0
    thick = slot * _thickness(pen) / 2
    if scene.ticks:
        _lying_scale(pen, Area(start, room.top, room.right - 2 * k, floor), scale, small)
    elif rng.random() < 0.7:
        pen.d.line([start - 2 * k, room.top, start - 2 * k, room.bottom], fill=pen.ink, width=k)
    for index in range(count):
        middle = room.top + slot * (index + 0.5)
        long = max(1.0, scale * scene.values[index])
        pen.bar(0, index, (start, middle - thick, start + long, middle + thick), pen.fill(scene.colours[index]))
        pen.write(("label", 0, index), start - 6 * k, middle, label_face, "rm")
        pen.write(("value", 0, index), start + long + 4 * k, middle, value_face, "lm")


def _lying_scale(pen: Pen, area: Area, scale: float, face: Face) -> None:
    """Numbers below the bars."""
    k, d = pen.k, pen.d
    for number in scale_marks(max(pen.scene.values)):
        x = area.left + scale * number
        d.line([x, area.bottom, x, area.bottom + 3 * k], fill=pen.ink, width=k)
        d.text((x, area.bottom + 5 * k), str(number), fill=pen.ink, font=face, anchor="mt")
    if pen.rng.random() < 0.5:
        d.rectangle([area.left, area.top, area.right, area.bottom], outline=pen.ink, width=k)
    else:
        d.line([area.left, area.top, area.left, area.bottom, area.right, area.bottom], fill=pen.ink, width=k)


def draw_bars(pen: Pen) -> None:
    (_lying if pen.scene.horizontal else _upright)(pen)
