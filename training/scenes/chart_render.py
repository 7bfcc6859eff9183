"""Draws what all charts share: texts with their marks, captions, the legend, axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.scenes import draw
from training.scenes.charts import ChartScene, pieces
from training.scenes.extents import Extent
from training.scenes.qa import Mark

Face = ImageFont.FreeTypeFont
LEAST = 12  # px, of letters
SMALL_SHARE = 0.25  # of pictures at least 192 px wide: letters as small as programs draw them
_SMALL = (9, 11)  # px


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
        self.boxes: dict[tuple[str, int, int], tuple[float, float, float, float]] = {}  # of texts and bars, in px of the final picture

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
        self.boxes[key] = (x0 / self.k, y0 / self.k, x1 / self.k, y1 / self.k)
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

    def bar(self, row: int, index: int, box: tuple[float, float, float, float], fill: draw.Colour) -> None:
        """A filled bar: left, top, right, bottom."""
        self.d.rectangle(box, fill=fill)
        left, top, right, bottom = box
        self.boxes["bar", row, index] = (left / self.k, top / self.k, (right + 1) / self.k, (bottom + 1) / self.k)

    def _extent(self, key: tuple[str, int, int]) -> Extent | None:
        """The box that a text's dense labels tell: of its bar, or of a title its own."""
        what, row, index = key
        if what in ("label", "value"):
            return self.boxes.get(("bar", row, index))
        return self.boxes[key] if what == "title" else None

    def finish(self) -> tuple[NDArray[np.uint8], tuple[Mark, ...]]:
        """The picture at its final size, and its marks in the order that `ChartScene.marks` counts them in."""
        marks = [replace(mark, extent=self._extent(key)) for key in self.scene.texts for mark in self.found[key]]
        return draw.shrink(self.rng, self.image, self.k), tuple(marks)


def fonts(pen: Pen, room: float, tallest: int = 22) -> tuple[Face, Face]:
    """Fonts for labels and values, as large as chance says and `room` px per label allow."""
    rng, scene, k = pen.rng, pen.scene, pen.k
    longest = int(min(tallest, max(13, room / k / 2.6)))
    size = rng.randint(LEAST, longest)
    if scene.width >= 192 and rng.random() < SMALL_SHARE:
        size = longest = rng.randint(*_SMALL)
    label_face = pen.fitting(pen.face(size, "".join(scene.labels)), scene.labels, room - 6 * k)
    said = tuple(scene.said(r, i) for r in range(len(scene.rows)) for i in range(len(scene.labels)))
    value_face = pen.fitting(pen.face(max(min(size, LEAST), min(longest, size + rng.randint(-1, 2)))), said, room - 3 * k)
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


def scale_marks(highest: float) -> list[int]:
    """Round numbers for an axis from 0 to `highest`."""
    step = next(step for power in (1, 10, 100, 1000, 10000) for unit in (1, 2, 5) if (step := unit * power) * 4.5 >= highest)
    return list(range(0, int(highest) + 1, step))


def room_for_scale(pen: Pen, highest: float, face: Face) -> float:
    """The width of the numbers beside an upright axis; 0 where there are none."""
    return draw.text_box(face, str(scale_marks(highest)[-1]))[2] + 6 * pen.k if pen.scene.ticks else 0.0


def axes(pen: Pen, area: Area, at: Callable[[float], float], highest: float, face: Face) -> None:
    """The axes and lines of a grid, by chance; with numbers beside the upright one where the scene has them. `at` gives a value's place."""
    rng, k = pen.rng, pen.k
    pale: draw.Colour = (225, 225, 225)
    if pen.scene.ticks:
        grid = rng.random() < 0.3
        for number in scale_marks(highest):
            y = at(number)
            if area.top - 4 * k <= y <= area.bottom:
                if grid:
                    pen.d.line([area.left, y, area.right, y], fill=pale, width=k)
                pen.d.line([area.left - 3 * k, y, area.left, y], fill=pen.ink, width=k)
                pen.d.text((area.left - 5 * k, y), str(number), fill=pen.ink, font=face, anchor="rm")
        if rng.random() < 0.5:
            pen.d.rectangle([area.left, area.top - face.size - 4 * k, area.right, area.bottom], outline=pen.ink, width=k)
        else:
            pen.d.line([area.left, area.top - 4 * k, area.left, area.bottom, area.right, area.bottom], fill=pen.ink, width=k)
        return
    if rng.random() < 0.3:
        for step in range(1, 4):
            y = area.bottom - area.height * step / 4
            pen.d.line([area.left, y, area.right, y], fill=pale, width=k)
    if rng.random() < 0.8:
        pen.d.line([area.left, area.bottom, area.right, area.bottom], fill=pen.ink, width=k)
    if rng.random() < 0.6:
        pen.d.line([area.left, area.top, area.left, area.bottom], fill=pen.ink, width=k)


def render(rng: Random, scene: ChartScene, drawn: Callable[[Pen], None]) -> tuple[NDArray[np.uint8], tuple[Mark, ...]]:
    pen = Pen(rng, scene)
    drawn(pen)
    return pen.finish()
