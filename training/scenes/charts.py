"""Charts as facts: what is printed in one, and where each printed text is found among the picture's marks.

The kind "chart" is bars with a label under and a value on every bar; `chart_kinds` has the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Literal

from training.scenes import draw, vocabulary

Form = Literal["bar", "grouped_bar", "line", "pie", "table"]
Number = int | float
Span = tuple[int, int]
# Numbers whose whole part lies here are never printed on charts for training.
HELD_OUT_RANGES: tuple[tuple[int, int], ...] = ((36, 39), (71, 74), (300, 349), (640, 719), (2000, 2999))
_CAPTIONED = 0.07  # of charts with room for it: the unit has a line of its own


def pieces(text: str) -> list[Span]:
    """The text in pieces of up to four letters (or two Chinese characters), each a mark of its own; words stay apart."""
    spans: list[Span] = []
    start = 0
    for word in text.split(" "):
        spans += _cut(word, start)
        start += len(word) + 1
    return spans


def _cut(word: str, start: int) -> list[Span]:
    wide = [2 if ord(char) > 0x2E80 else 1 for char in word]
    parts = -(-sum(wide) // 4)
    share, spans, begin, used = sum(wide) / max(1, parts), [], 0, 0
    for place, width in enumerate(wide):
        used += width
        if used >= share * (len(spans) + 1) or place == len(word) - 1:
            spans.append((start + begin, start + place + 1))
            begin = place + 1
    return spans


@dataclass(frozen=True)
class ChartScene:
    """One chart. `values` are those of the first series, `more` those of further ones, all in the order of `labels`.

    `names` are the series' names, empty where there is one that has none; `colours` index draw.COLOURS: one per bar or slice, or one
    per series where there are several, or lines. `title`, `unit` and the axes are empty when not drawn. `suffix` is printed after
    every value. `ticks` puts numbers beside the axis of the values.
    """

    width: int
    height: int
    labels: tuple[str, ...]
    values: tuple[Number, ...]
    colours: tuple[int, ...]
    title: str
    form: Form = "bar"
    horizontal: bool = False
    names: tuple[str, ...] = ()
    more: tuple[tuple[Number, ...], ...] = ()
    unit: str = ""
    suffix: str = ""
    x_axis: str = ""
    y_axis: str = ""
    ticks: bool = False
    held_out: bool = False

    @property
    def rows(self) -> tuple[tuple[Number, ...], ...]:
        return (self.values, *self.more)

    def said(self, row: int, index: int) -> str:
        """A value as it is printed."""
        return f"{self.rows[row][index]}{self.suffix}"

    @property
    def before_unit(self) -> str:
        """What is printed before the unit."""
        return "单位：" if draw.is_cjk(self.labels[0]) else "Unit: "

    @cached_property
    def texts(self) -> dict[tuple[str, int, int], str]:
        """Everything printed that has marks, in the order of the marks: (what, row, index)."""
        found = {("label", 0, i): label for i, label in enumerate(self.labels)}
        found |= {("value", r, i): self.said(r, i) for r, row in enumerate(self.rows) for i in range(len(row))}
        found |= {("name", r, 0): name for r, name in enumerate(self.names)}
        return found | {(what, 0, 0): text for what, text in self.captions if text}

    @property
    def captions(self) -> tuple[tuple[str, str], ...]:
        unit = "" if self.suffix else self.unit
        return (("title", self.title), ("x_axis", self.x_axis), ("y_axis", self.y_axis), ("unit", unit))

    @cached_property
    def marks(self) -> dict[tuple[str, int, int], tuple[int, ...]]:
        """The numbers of the marks of every printed text, piece by piece."""
        found: dict[tuple[str, int, int], tuple[int, ...]] = {}
        used = 0
        for key, text in self.texts.items():
            count = len(pieces(text))
            found[key] = tuple(range(used, used + count))
            used += count
        return found


def _held(number: Number) -> bool:
    return any(low <= number < high + 1 for low, high in HELD_OUT_RANGES)


_TENTHS = 0  # the pool of numbers with one decimal, beside those of whole numbers up to a number
_EVERY: dict[int, list[Number]] = {_TENTHS: [n / 10 for n in range(1, 1000)], **{top: list(range(top + 1)) for top in (99, 999, 9999)}}
_POOLS = {top: [n for n in pool if not _held(n)] for top, pool in _EVERY.items()}
_HELD_POOLS = {top: [n for n in pool if _held(n)] for top, pool in _EVERY.items()}


def numbers(rng: Random, count: int, top: int, held_out: bool = False, tenths: bool = False, close: float = 0.0) -> list[Number]:
    """`count` different numbers up to `top` (99, 999 or 9999), or to 99.9 with one decimal; a share `close` of the calls gives numbers
    that lie close together."""
    kind = _TENTHS if tenths else top
    pool = _POOLS[kind]
    if held_out:
        rare = _HELD_POOLS[kind]
        most = min(len(rare), -(-count // 2))
        found = rng.sample(rare, most)
        rest = [n for n in rng.sample(pool, 2 * count) if n not in found]
        found += rest[: count - most]
        rng.shuffle(found)
        return found
    if rng.random() < close:
        wide = min(len(pool), max(count, rng.randint(count, 4 * count)))
        start = rng.randint(0, len(pool) - wide)
        return rng.sample(pool[start : start + wide], count)
    found = rng.sample(pool, count)
    if kind > 99:  # as many small ones as large ones: their length tells nothing
        for place in range(count):
            small = rng.choice(_POOLS[99])
            if rng.random() < 0.2 and small not in found:
                found[place] = small
    return found


def longest_label(slot: float) -> tuple[int, int]:
    """How many Latin letters, and how many Chinese characters, have room in a place of `slot` px."""
    return max(2, int((slot - 6) // 8.2)), max(1, int((slot - 6) // 13))


def caption(rng: Random, width: int, height: int, share: float = 0.4) -> str:
    """A title where there is room for one, or none."""
    return vocabulary.title(rng, min(16, (width - 16) // 8)) if height >= 128 and rng.random() < share else ""


def has_ticks(rng: Random, width: int) -> bool:
    """Whether numbers stand beside the axis: they take room from the labels."""
    return width >= 160 and rng.random() < 0.4


def unit_of(rng: Random, height: int, cjk: bool) -> tuple[str, str]:
    """The unit, and what is printed after every value."""
    roll = rng.random()
    if roll < 0.06:
        return "%", "%"
    if roll < 0.06 + _CAPTIONED and height >= 160:
        return rng.choice(vocabulary.UNITS_ZH if cjk else vocabulary.UNITS), ""
    return "", ""


def chart_scene(rng: Random, width: int, height: int, drill: bool = False, held_out: bool = False) -> ChartScene:
    # A bar needs room for its label: about 44 px.
    most = max(2, min(6, (width - 24) // 44))
    count = rng.randint(2, most)
    if count > 4 and rng.random() < 0.5:
        count = rng.randint(2, 4)
    ticks = has_ticks(rng, width)
    slot = (width - (58 if ticks else 24)) / count
    labels = vocabulary.labels(rng, count, *longest_label(slot))
    tenths = slot >= 44 and rng.random() < 0.06
    roll = rng.random()
    top = 9999 if roll < 0.04 and slot >= 50 else 999 if roll < 0.2 and slot >= 40 else 99
    values = numbers(rng, count, top, held_out, tenths, 0.25 if drill else 0.12)  # all different: one highest, one lowest
    one_colour = rng.random() < 0.6
    colours = [rng.randrange(len(draw.COLOURS))] * count if one_colour else rng.sample(range(len(draw.COLOURS)), count)
    title = caption(rng, width, height)
    unit, suffix = unit_of(rng, height, draw.is_cjk(labels[0])) if top == 99 and not tenths else ("", "")
    return ChartScene(
        width, height, tuple(labels), tuple(values), tuple(colours), title, unit=unit, suffix=suffix, ticks=ticks, held_out=held_out
    )
