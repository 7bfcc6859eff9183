"""Pages: forms of keys and values, bills with totals, tables, and headed text.

A page is laid out before it is drawn (`typeset`), so that its questions know where every character stands. `hard` pages hold more
and smaller text, and more columns, than the bundled model learns; `held_out` ones use fonts, names, numbers and layouts of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.scenes import draw, entries
from training.scenes.degrade import degrade
from training.scenes.entries import Key
from training.scenes.qa import Language, Mark
from training.scenes.typeset import Box, Run, Sheet, Span, measure, print_sheet, whole

Style = Literal["form", "bill", "table", "text"]
STYLES: tuple[tuple[Style, float], ...] = (("form", 0.4), ("bill", 0.22), ("table", 0.16), ("text", 0.22))
DEGRADED_SHARE = 0.4
_RULE = (150, 150, 150)
_BANDS = ((225, 232, 240), (232, 232, 232), (240, 232, 215))


@dataclass(frozen=True)
class Entry:
    """A value and what it belongs to: a key, or, where that is None, a thing in a list, `column` being the key of its column."""

    label: Span
    value: Span
    key: Key | None
    column: Key


@dataclass(frozen=True)
class PageScene:
    """A page laid out. `lines` hold the spans of every line in reading order; where there are several, a blank is between them."""

    width: int
    height: int
    language: Language
    style: Style
    heading: Span | None
    lines: tuple[tuple[Span, ...], ...]
    entries: tuple[Entry, ...]
    runs: tuple[Run, ...]
    marks: tuple[Mark, ...]
    boxes: tuple[tuple[Box, draw.Colour], ...]
    look: draw.Setting

    def text(self, line: int) -> str:
        return " ".join(span.text for span in self.lines[line])

    def value_of(self, field: str) -> Entry | None:
        return next((e for e in self.entries if e.key is not None and e.key.field == field), None)


@dataclass(frozen=True)
class _Row:
    """One line before it is laid out. A single cell with a key is `Key: value`; `rule` draws a line above it."""

    cells: tuple[str, ...]
    key: Key | None = None
    columns: tuple[Key, ...] = ()
    rule: bool = False


@dataclass(frozen=True)
class _Content:
    heading: str
    rows: tuple[_Row, ...]


@dataclass(frozen=True)
class _Wishes:
    """What every part of a page is made for."""

    language: Language
    hard: bool
    held_out: bool

    def value(self, rng: Random, key: Key) -> str:
        return entries.value(rng, key.kind, self.language, self.held_out, self.hard)


def colon(language: Language) -> str:
    return "：" if language == "zh" else ": "


def _keys(rng: Random, count: int, wishes: _Wishes) -> list[Key]:
    pool = list(entries.KEYS)
    if wishes.hard:
        pool += entries.HARD_KEYS
    if wishes.held_out:
        pool += entries.HELD_OUT_KEYS
    return rng.sample(pool, min(count, len(pool)))


def _form(rng: Random, count: int, wishes: _Wishes) -> tuple[_Row, ...]:
    """Keys and values, either with a colon between or in two columns."""
    columns = rng.random() < 0.35
    rows: list[_Row] = []
    for key in _keys(rng, count, wishes):
        label, value = key.printed(wishes.language), wishes.value(rng, key)
        rows.append(_Row((label, value) if columns else (f"{label}{colon(wishes.language)}{value}",), key))
    return tuple(rows)


def _bill(rng: Random, count: int, wishes: _Wishes) -> tuple[_Row, ...]:
    """Things with prices, and their total; above them, where there is room, whose bill it is."""
    heads = [k for k in entries.KEYS if k.field in ("seller", "number", "date", "buyer")]
    head = rng.sample(heads, min(len(heads), max(0, rng.randint(0, count - 3)))) if count > 3 else []
    rows = [_Row((f"{k.printed(wishes.language)}{colon(wishes.language)}{wishes.value(rng, k)}",), k) for k in head]
    whole_units = rng.random() < 0.6
    names = dict.fromkeys(entries.item(rng, wishes.language, wishes.held_out) for _ in range(max(2, count - 1 - len(head))))
    total = 0
    for name in names:
        cents = 100 * entries.number(rng, 99, wishes.held_out) + (0 if whole_units else rng.choice((50, rng.randint(0, 99))))
        total += cents
        rows.append(_Row((name, _amount(cents, whole_units)), columns=(entries.PRICE,)))
    return (*rows, _Row((entries.TOTAL.printed(wishes.language), _amount(total, whole_units)), entries.TOTAL, rule=True))


def _amount(cents: int, whole_units: bool) -> str:
    return str(cents // 100) if whole_units else f"{cents // 100}.{cents % 100:02}"


def _table(rng: Random, count: int, wishes: _Wishes, wide: bool) -> tuple[_Row, ...]:
    """A head of column names, and a row for each thing or person."""
    people = rng.random() < 0.4
    named = next(k for k in entries.KEYS if k.field == ("name" if people else "item"))
    fitting = ("age", "score") if people else ("price", "quantity", "weight")
    columns = rng.sample([k for k in entries.KEYS if k.field in fitting], 2 if wide else 1)
    make = entries.person if people else entries.item
    names = dict.fromkeys(make(rng, wishes.language, wishes.held_out).split()[0] for _ in range(max(2, count - 1)))
    head = _Row(tuple(k.printed(wishes.language) for k in (named, *columns)))
    body = [_Row((n, *(wishes.value(rng, k) for k in columns)), None, tuple(columns), rule=i == 0) for i, n in enumerate(names)]
    return (head, *body)


def _prose(rng: Random, count: int, wishes: _Wishes) -> tuple[_Row, ...]:
    most = 7 if wishes.hard else 3
    return tuple(_Row((entries.prose(rng, wishes.language, rng.randint(1, most), wishes.held_out),)) for _ in range(count))


def _content(rng: Random, style: Style, count: int, wishes: _Wishes, headed: bool, wide: bool) -> _Content:
    if style == "bill":
        heading = rng.choice(entries.BILLS_ZH if wishes.language == "zh" else entries.BILLS) if headed else ""
        return _Content(heading, _bill(rng, count, wishes))
    heading = entries.heading(rng, wishes.language, wishes.held_out) if headed else ""
    if style == "form":
        return _Content(heading, _form(rng, count, wishes))
    if style == "table":
        return _Content(heading, _table(rng, count, wishes, wide))
    return _Content(heading, _prose(rng, count, wishes))


@dataclass(frozen=True)
class _Type:
    """The letters of a page: fonts for Latin and for Chinese text, the size of the text, and font and size of the heading, in px."""

    latin: str
    cjk: str
    size: int
    heading: tuple[str, int]

    def of(self, text: str) -> str:
        return self.cjk if draw.is_cjk(text) else self.latin


def _widths(rows: Sequence[_Row], letters: _Type) -> list[float]:
    """Of every column, over the rows that have several."""
    several = [row.cells for row in rows if len(row.cells) > 1]
    count = max((len(cells) for cells in several), default=0)
    return [max(measure(letters.of(c[i]), letters.size, c[i]) for c in several if i < len(c)) for i in range(count)]


def _room(content: _Content, letters: _Type) -> float:
    """The width that the content needs, in px."""
    widths = _widths(content.rows, letters)
    single = [measure(letters.of(r.cells[0]), letters.size, r.cells[0]) for r in content.rows if len(r.cells) == 1]
    face, size = letters.heading
    return max(sum(widths) + 12 * max(0, len(widths) - 1), *single, measure(face, size, content.heading))


def _letters(rng: Random, language: Language, hard: bool, held_out: bool, heading: str) -> _Type:
    look = draw.setting(held_out)
    latin, cjk = rng.choice(look.latin), rng.choice(look.cjk)
    size = rng.randint(9, 12) if hard else rng.randint(13, 18)
    if language == "zh" and rng.random() < 0.6:
        latin = cjk
    return _Type(latin, cjk, size, (cjk if draw.is_cjk(heading) else latin, min(22, size + rng.choice((0, 1, 2, 4)))))


def page_scene(
    rng: Random, width: int, height: int, language: Language, hard: bool = False, held_out: bool = False, style: Style | None = None
) -> PageScene:
    """A page of `width` x `height` px. Easy ones have two to five lines under their heading, of letters of 12 to 18 px."""
    wishes = _Wishes(language, hard, held_out)
    most = (height - 6) // (16 if hard else 28)
    if style is None:
        possible = [(kind, share) for kind, share in STYLES if most >= 3 or kind in ("form", "text")]
        style = rng.choices([kind for kind, _ in possible], [share for _, share in possible])[0]
    count = rng.randint(min(6, most - 1), min(14, most)) if hard else rng.randint(3 if style in ("bill", "table") else 2, min(5, most))
    headed = count < most and rng.random() < (0.9 if style == "bill" else 0.6)
    smallest, margin = (8, 4) if hard else (12, 5)
    while True:
        content = _content(rng, style, max(1, count), wishes, headed, wide=hard or (width >= 192 and rng.random() < 0.3))
        letters = _letters(rng, language, hard, held_out, content.heading)
        while letters.size > smallest and _room(content, letters) > width - 2 * margin:
            letters = _Type(letters.latin, letters.cjk, letters.size - 1, (letters.heading[0], min(letters.heading[1], letters.size + 1)))
        if _room(content, letters) <= width - 2 * margin:
            return _lay_out(rng, width, height, style, content, letters, wishes)
        count -= rng.random() < 0.3


def _lay_out(rng: Random, width: int, height: int, style: Style, content: _Content, letters: _Type, wishes: _Wishes) -> PageScene:
    sheet = Sheet(width, height)
    need = _room(content, letters)
    left = rng.uniform(5, min(20.0, width - 5 - need)) if width - 5 - need > 5 else 5.0
    right = rng.uniform(max(left + need, 0.7 * (width - 5)), width - 5) if left + need < width - 5 else width - 5.0
    lines = len(content.rows) + bool(content.heading)
    free = height - 8
    widest = free / lines
    pitch = rng.uniform(min(letters.size + 4 if wishes.hard else 32, widest), min(24 if wishes.hard else 46, widest))
    middle = 4 + pitch / 2 + (rng.uniform(0, free - pitch * lines) if rng.random() < 0.6 else 0)
    out: list[tuple[Span, ...]] = []
    heading: Span | None = None
    if content.heading:
        face, size = letters.heading
        spare = right - left - measure(face, size, content.heading)
        if rng.random() < 0.2:
            sheet.boxes.append(((0, middle - 0.75 * size, width, middle + 0.75 * size), rng.choice(_BANDS)))
        place = 1.0 if wishes.held_out else rng.choice((0.0, 0.0, 0.5))
        heading = whole(sheet.write(left + place * max(0.0, spare), middle, content.heading, face, size))
        out.append((heading,))
        middle += pitch
    widths = _widths(content.rows, letters)
    gap = (right - left - sum(widths)) / max(1, len(widths) - 1)
    gap = gap if rng.random() < 0.6 else min(gap, rng.uniform(14, 30))
    aligned = rng.random() < 0.6  # values end below each other
    grid = rng.random() < 0.4
    found: list[Entry] = []
    for row in content.rows:
        if row.rule and (grid or style == "bill"):
            sheet.boxes.append(((left - 2, middle - pitch / 2, right, middle - pitch / 2 + 1), _RULE))
        runs: list[Run] = []
        x = left
        for index, cell in enumerate(row.cells):
            spare = widths[index] - measure(letters.of(cell), letters.size, cell) if aligned and index else 0.0
            runs.append(sheet.write(x + spare, middle, cell, letters.of(cell), letters.size))
            x += (widths[index] if len(row.cells) > 1 else 0) + gap
        if wishes.held_out and len(runs) > 1:
            _leader(sheet, runs[0], runs[1])
        out.append(tuple(whole(run) for run in runs))
        found += _entries(row, runs, wishes.language)
        middle += pitch
    for entry in found:
        sheet.partner(entry.label, entry.value)
    return PageScene(
        width,
        height,
        wishes.language,
        style,
        heading,
        tuple(out),
        tuple(found),
        tuple(sheet.runs),
        tuple(sheet.marks),
        tuple(sheet.boxes),
        draw.setting(wishes.held_out),
    )


def _leader(sheet: Sheet, a: Run, b: Run) -> None:
    """A dotted line from one column to the next."""
    x = a.x + a.width + 4
    while x < b.x - 5:
        sheet.boxes.append(((x, a.y - 1, x + 1, a.y), _RULE))
        x += 4


def _entries(row: _Row, runs: Sequence[Run], language: Language) -> list[Entry]:
    if len(runs) == 1:
        if row.key is None:
            return []
        end = len(row.key.printed(language))
        return [Entry(Span(runs[0], 0, end), Span(runs[0], end + len(colon(language)), len(runs[0].text)), row.key, row.key)]
    label = whole(runs[0])
    if row.key is not None:
        return [Entry(label, whole(runs[1]), row.key, row.key)]
    if row.columns:
        return [Entry(label, whole(run), None, column) for run, column in zip(runs[1:], row.columns, strict=True)]
    return []  # the head of a table


def render_page(rng: Random, scene: PageScene) -> NDArray[np.uint8]:
    """The page as a picture [H, W, 3], sometimes with what copying leaves."""
    return degrade(rng, print_sheet(rng, scene.width, scene.height, scene.runs, scene.boxes, scene.look), DEGRADED_SHARE)
