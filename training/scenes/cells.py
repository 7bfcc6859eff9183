"""Dense pictures for teaching the eyes: every 32 px cell (one visual token) has something to name.

Five layouts are mixed: text inside its own cell; text anywhere, named by the cell that holds its middle; small numbers as charts print
them, drawn and worn as charts are; one shape per cell; one larger shape per 64 px block, named by the cell that holds its middle. Slots
are the characters of the text, left to right (three), the shape, the colour, and a fourth character; 0 means "nothing here". Pictures
made for questions carry the same labels (`label_marks`).
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.scenes import degrade, draw
from training.scenes.charts import HELD_OUT_RANGES
from training.scenes.extents import STEP, STEPS, thousandths
from training.scenes.qa import Mark

CELL = 32
CHARS = string.digits + string.ascii_letters + ":%-.甲乙丙丁一二三四五六七八九十月季度东西南北年日茶米鱼书"
CJK_CHARS = "甲乙丙丁一二三四五六七八九十月季度东西南北年日茶米鱼书"
TEXT_SLOTS = 3
_SMALL = (8, 15)  # px, of small letters
_TEXT = len(CHARS) + 1
NAMES = (*[_TEXT] * TEXT_SLOTS, len(draw.SHAPES) + 1, len(draw.COLOURS) + 1, _TEXT)
PLACES = (12, 12)  # column and row of every cell: nothing else would teach the tower where it looks
# Of cells with a mark only: ninth of the picture, size, equal shapes, equal colours, all, rank, edges, partner's characters.
RELATIONS = (9, 3, 8, 8, 8, 4, 16, *[_TEXT] * 4)
EXTENTS = (STEPS + 1,) * 4  # left, top, right, bottom of what a mark is about, in steps
SLOT_SIZES = NAMES + PLACES + RELATIONS + EXTENTS
_RELATIONS = slice(len(NAMES + PLACES), len(NAMES + PLACES + RELATIONS))
UNKNOWN = -100  # no label: not part of the loss
_CHARACTERS = (*range(TEXT_SLOTS), len(NAMES) - 1)  # slots of a text's characters
_CODE = {char: index + 1 for index, char in enumerate(CHARS)}


def _word(rng: Random, longest: int) -> str:
    kind = rng.random()
    if kind < 0.45:
        return str(rng.randint(0, 99))
    if kind < 0.5 and longest > 2:
        return str(rng.randint(100, 999))
    if kind < 0.62:
        return "".join(rng.choice(CJK_CHARS) for _ in range(rng.choice((1, 1, 2))))
    length = rng.randint(1, longest)
    if kind < 0.85 and length > 1:  # the usual look of labels: capital first, or a letter and a digit
        tail = string.ascii_lowercase if rng.random() < 0.7 else string.digits
        return rng.choice(string.ascii_uppercase) + "".join(rng.choice(tail) for _ in range(length - 1))
    return "".join(rng.choice(CHARS[:66]) for _ in range(length))


def _number(rng: Random) -> str:
    """A number as charts for training print them, of up to four characters."""
    least, most = rng.choice(((0, 9), (10, 99), (10, 99), (100, 999), (1000, 9999)))
    while any(low <= (whole := rng.randint(least, most)) <= high for low, high in HELD_OUT_RANGES):
        pass
    if whole < 100 and rng.random() < 0.45:
        return f"{whole}.{rng.randint(0, 9)}" if rng.random() < 0.7 else f"{whole}%"
    return str(whole)


def _put(label: NDArray[np.int64], text: str) -> None:
    for slot, char in zip(_CHARACTERS, text, strict=False):
        label[slot] = _CODE.get(char, 0)


def _aligned(rng: Random, d: ImageDraw.ImageDraw, labels: NDArray[np.int64], top_size: int) -> None:
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if rng.random() < 0.08:
                continue
            text = _word(rng, 2)
            face = draw.pick_font(rng, rng.randint(12, top_size), draw.is_cjk(text))
            left, top, right, bottom = draw.text_box(face, text)
            width, height = right - left, bottom - top
            if width > CELL:
                continue
            ink = rng.choice(draw.INKS)
            if rng.random() < 0.12:  # white on a coloured plate, as inside bars
                plate = draw.shade(rng, rng.choice(draw.COLOURS)[1])
                if sum(plate) < 420:
                    d.rectangle([x * CELL, y * CELL, x * CELL + CELL - 1, y * CELL + CELL - 1], fill=plate)
                    ink = (255, 255, 255)
            at = (x * CELL + rng.randint(0, CELL - width) - left, y * CELL + rng.randint(0, max(0, CELL - height)) - top)
            d.text(at, text, fill=ink, font=face)
            _put(labels[y, x], text)


def _scattered(rng: Random, d: ImageDraw.ImageDraw, labels: NDArray[np.int64], top_size: int) -> None:
    rows, cols = labels.shape[:2]
    taken: list[tuple[int, int, int, int]] = []
    for _ in range(int(rows * cols * 1.6)):
        text = _word(rng, 3)
        face = draw.pick_font(rng, rng.randint(12, top_size), draw.is_cjk(text))
        left, top, right, bottom = draw.text_box(face, text)
        width, height = right - left, bottom - top
        x, y = rng.randint(0, cols * CELL - width), rng.randint(0, rows * CELL - height)
        cell = labels[(y + height // 2) // CELL, (x + width // 2) // CELL]
        box = (x - 4, y - 3, x + width + 4, y + height + 3)
        clash = any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in taken)
        if clash or cell[: len(NAMES)].any():
            continue
        taken.append(box)
        d.text((x - left, y - top), text, fill=rng.choice(draw.INKS), font=face)
        _put(cell, text)


def _printed(rng: Random, labels: NDArray[np.int64], k: int) -> Image.Image:
    """Numbers and short words, small, many of them above a bar or inside one; a picture `k` times the final size."""
    rows, cols = labels.shape[:2]
    width, height = k * cols * CELL, k * rows * CELL
    image = Image.new("RGB", (width, height), rng.choice(draw.BACKGROUNDS))
    d = ImageDraw.Draw(image)
    taken: list[tuple[int, int, int, int]] = []
    for _ in range(int(rows * cols * 2.2)):
        text = _number(rng) if rng.random() < 0.75 else _word(rng, 3)
        face = draw.pick_font(rng, k * rng.randint(*_SMALL), draw.is_cjk(text))
        left, top, right, bottom = draw.text_box(face, text)
        wide, high = right - left, bottom - top
        bar = k * rng.randint(4, 30) if rng.random() < 0.35 else 0
        if wide > width or high + bar > height:
            continue
        x, y = rng.randint(0, width - wide), rng.randint(0, height - high - bar)
        cell = labels[(y + high // 2) // (k * CELL), (x + wide // 2) // (k * CELL)]
        box = (x - 3 * k, y - 3 * k, x + wide + 3 * k, y + high + bar + 3 * k)
        if cell[: len(NAMES)].any() or any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in taken):
            continue
        taken.append(box)
        fill, ink = draw.shade(rng, rng.choice(draw.COLOURS)[1]), rng.choice(draw.INKS)
        if bar:
            d.rectangle([x - 2 * k, y + high + 2 * k, x + wide + 2 * k, y + high + bar], fill=fill)
        elif rng.random() < 0.3:
            d.rectangle(box, fill=fill)
            ink = (255, 255, 255) if sum(fill) < 200 or (sum(fill) < 420 and rng.random() < 0.6) else (0, 0, 0)
        d.text((x - left, y - top), text, fill=ink, font=face)
        _put(cell, text)
    return image


def _shapes(rng: Random, d: ImageDraw.ImageDraw, labels: NDArray[np.int64], block: int) -> None:
    span = block // CELL
    for y in range(0, labels.shape[0] - span + 1, span):
        for x in range(0, labels.shape[1] - span + 1, span):
            if rng.random() < 0.12:
                continue
            shape, colour = rng.randrange(len(draw.SHAPES)), rng.randrange(len(draw.COLOURS))
            radius = rng.uniform(8, 13) if span == 1 else rng.uniform(10, 27)
            room = block / 2 - radius * 1.15
            cx, cy = (x * CELL + block / 2 + rng.uniform(-room, room), y * CELL + block / 2 + rng.uniform(-room, room))
            fill = draw.shade(rng, draw.COLOURS[colour][1])
            draw.draw_shape(d, draw.SHAPES[shape].en, cx, cy, radius, fill)
            labels[int(cy) // CELL, int(cx) // CELL, TEXT_SLOTS : TEXT_SLOTS + 2] = (shape + 1, colour + 1)


def _blank(width: int, height: int) -> NDArray[np.int64]:
    rows, cols = height // CELL, width // CELL
    labels = np.full((rows, cols, len(SLOT_SIZES)), UNKNOWN, np.int64)
    labels[..., : len(NAMES)] = 0
    labels[..., len(NAMES)] = np.arange(cols)[None, :]
    labels[..., len(NAMES) + 1] = np.arange(rows)[:, None]
    return labels


def label_marks(marks: Sequence[Mark], width: int, height: int) -> NDArray[np.int64]:
    """Labels [height/32, width/32, slots]: the cell that holds the middle of a mark names it, the others are empty."""
    labels = _blank(width, height)
    for mark in marks:
        cell = labels[min(int(mark.y) // CELL, labels.shape[0] - 1), min(int(mark.x) // CELL, labels.shape[1] - 1)]
        _put(cell, mark.text)
        if mark.shape >= 0:
            cell[TEXT_SLOTS : TEXT_SLOTS + 2] = (mark.shape + 1, mark.colour + 1)
        ninth = min(2, int(3 * mark.y / height)) * 3 + min(2, int(3 * mark.x / width))
        partner = [_CODE.get(char, 0) for char in mark.partner[:4]]
        relations = (ninth, mark.size, *mark.alike, mark.rank, mark.edge, *partner, *[0] * (4 - len(partner)))
        cell[_RELATIONS] = relations
        if mark.extent:
            cell[-len(EXTENTS) :] = [place // STEP for place in thousandths(mark.extent, width, height)]
    return labels


def cells(seed: int, width: int, height: int, top_size: int = 18) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A picture [height, width, 3] and its labels [height/32, width/32, slots]."""
    rng = Random(seed)
    labels = _blank(width, height)
    kind = rng.random()
    if kind < 0.45:
        k = draw.pick_scale(rng)
        return degrade.worn(rng, draw.shrink(rng, _printed(rng, labels, k), k)), labels
    image = Image.new("RGB", (width, height), rng.choice(draw.BACKGROUNDS))
    d = ImageDraw.Draw(image)
    if kind < 0.7:
        _aligned(rng, d, labels, top_size)
    elif kind < 0.85:
        _scattered(rng, d, labels, top_size)
    else:
        _shapes(rng, d, labels, CELL if kind < 0.91 else 2 * CELL)
    return np.asarray(image), labels
