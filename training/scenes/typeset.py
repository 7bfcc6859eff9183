"""Lines of text on paper, with a mark for every piece of them.

Text is laid out first, so that questions know where every character stands, and drawn afterwards: at its final size or larger
and scaled down. The pieces follow the 32 px cells of the eyes: what one cell names are the characters whose middles it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.scenes import draw
from training.scenes.cells import CELL
from training.scenes.qa import NOTHING, Groups, Mark

# Letters, or twice the number of Chinese characters: a text so short is one piece, named by the cell that holds its middle, as the
# labels of charts are.
SHORT = 4
_MIDDLE = 0.36  # of the size: how far the middle of a line stands above its baseline
_ASCENT = 0.8
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Run:
    """A text in one font on one line, from `x` on over the baseline `y`, in px. `at` numbers the mark of every character."""

    text: str
    x: float
    y: float
    font: str
    size: int
    width: float
    at: tuple[int, ...]


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a run."""

    run: Run
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.run.text[self.start : self.end]

    @property
    def pieces(self) -> list[tuple[str, int]]:
        """The text cut where its marks change, each piece with its mark."""
        return [
            ("".join(c for c, _ in g), m)
            for m, g in groupby(zip(self.text, self.run.at[self.start : self.end], strict=True), lambda p: p[1])
        ]

    @property
    def first(self) -> int:
        return self.run.at[self.start]


def whole(run: Run) -> Span:
    return Span(run, 0, len(run.text))


@lru_cache(maxsize=65536)
def _advance(face: ImageFont.FreeTypeFont, char: str) -> float:
    return float(face.getlength(char))


def measure(font: str, size: int, text: str) -> float:
    """Width in px."""
    face = draw.font(font, size)
    return sum(_advance(face, char) for char in text)


class Sheet:
    """Paper of `width` x `height` px that is written on: collects runs, their marks, and filled boxes (rules, bands)."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.runs: list[Run] = []
        self.marks: list[Mark] = []
        self.boxes: list[tuple[Box, draw.Colour]] = []

    def write(self, x: float, middle: float, text: str, font: str, size: int) -> Run:
        """Lays out `text` from `x` on, in a line whose middle is at `middle`."""
        face = draw.font(font, size)
        place, ends = x, list[float]()
        for char in text:
            place += _advance(face, char)
            ends.append(place)
        centres = [(a + b) / 2 for a, b in zip([x, *ends[:-1]], ends, strict=True)]
        if sum(2 if draw.is_cjk(char) else 1 for char in text) <= SHORT:
            pieces = [list(range(len(text)))]
        else:
            pieces = [list(group) for _, group in groupby(range(len(text)), lambda i: int(centres[i]) // CELL)]
        at: list[int] = []
        for piece in pieces:
            at += [len(self.marks)] * len(piece)
            self.marks.append(Mark((centres[piece[0]] + centres[piece[-1]]) / 2, middle, text[piece[0] : piece[-1] + 1].strip()))
        run = Run(text, x, middle + _MIDDLE * size, font, size, place - x, tuple(at))
        self.runs.append(run)
        return run

    def partner(self, a: Span, b: Span) -> None:
        """Names each of two texts as what belongs to the other."""
        for one, other in ((a, b), (b, a)):
            for number in {mark for _, mark in one.pieces}:
                mark = self.marks[number]
                self.marks[number] = Mark(mark.x, mark.y, mark.text, partner=other.text[:4])


def _pixels(box: Box) -> tuple[int, int, int, int]:
    """The first and last pixels of a box, at least one."""
    x0, y0, x1, y1 = (round(side) for side in box)
    return x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)


def print_sheet(
    rng: Random,
    width: int,
    height: int,
    runs: Sequence[Run],
    boxes: Sequence[tuple[Box, draw.Colour]] = (),
    look: draw.Setting = draw.TRAINED,
) -> NDArray[np.uint8]:
    """The sheet as a picture [H, W, 3], in one ink."""
    k = draw.pick_scale(rng)
    ink, paper = rng.choice(look.inks), rng.choice(look.backgrounds)
    mask = Image.new("L", (k * width, k * height), 0)
    d = ImageDraw.Draw(mask)
    for run in runs:
        d.text((round(k * run.x), round(k * run.y)), run.text, fill=255, font=draw.font(run.font, k * run.size), anchor="ls")
    if k > 1:
        how = rng.choice((Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR))
        mask = mask.resize((width, height), how)
    image = Image.new("RGB", (width, height), paper)
    under = ImageDraw.Draw(image)
    for box, fill in boxes:
        under.rectangle(_pixels(box), fill=fill)
    image.paste(ink, (0, 0), mask)
    return np.asarray(image)


def looking(span: Span, key: int | None = None) -> list[tuple[str, Groups]]:
    """The text in pieces, each with what it is about: where it stands, and the mark `key` that tells what it is."""
    return [(text, ((mark,), (mark,)) if key is None else ((mark,), (key,), (key, NOTHING))) for text, mark in span.pieces]
