"""The kind "plot": charts that are not simple bars. Lying bars, groups of bars with a legend, lines, pies and small tables."""

from __future__ import annotations

from random import Random

from training.scenes import draw, vocabulary
from training.scenes.charts import ChartScene, caption, has_ticks, longest_label, numbers, unit_of

_KINDS = (("lying", 1.0), ("grouped", 1.2), ("line", 1.0), ("pie", 1.0), ("table", 1.1))
_HEADS = ("Item", "Name", "Day", "Team", "Type")
_AXES = ("Day", "Team", "Week", "Size", "Type")


def plot_scene(rng: Random, width: int, height: int, drill: bool = False, held_out: bool = False, level: int = 0) -> ChartScene:
    """A chart for `width` x `height` px. `level` 0 is what a small model learns soon; 1 adds second lines, three series, names of axes
    and more of everything."""
    kinds = [(name, share) for name, share in _KINDS if (name != "pie" or width >= 160) and (name != "grouped" or width >= 128)]
    kind = rng.choices([name for name, _ in kinds], [share for _, share in kinds])[0]
    make = {"lying": _lying, "grouped": _grouped, "line": _line, "pie": _pie, "table": _table}[kind]
    return make(rng, width, height, 0.25 if drill else 0.12, held_out, level)


def _values(rng: Random, count: int, room: float, close: float, held_out: bool) -> list[int | float]:
    """Different numbers whose digits have room in `room` px."""
    roll = rng.random()
    if room >= 44 and roll < 0.08:
        return numbers(rng, count, 99, held_out, True, close)
    top = 9999 if roll < 0.12 and room >= 50 else 999 if roll < 0.3 and room >= 34 else 99
    return numbers(rng, count, top, held_out, False, close)


def _colours(rng: Random, count: int) -> tuple[int, ...]:
    return tuple(rng.sample(range(len(draw.COLOURS)), count))


def _lying(rng: Random, width: int, height: int, close: float, held_out: bool, level: int) -> ChartScene:
    title = caption(rng, width, height)
    ticks = has_ticks(rng, width)
    count = rng.randint(2, max(2, min(6, (height - (22 if title else 4) - (20 if ticks else 0)) // 26)))
    labels = vocabulary.labels(rng, count, *longest_label(0.34 * width))
    values = _values(rng, count, 0.3 * width, close, held_out)
    unit, suffix = unit_of(rng, 0, False) if max(values) <= 99 else ("", "")
    colours = _colours(rng, count) if rng.random() < 0.4 else (rng.randrange(len(draw.COLOURS)),) * count
    return ChartScene(
        width,
        height,
        tuple(labels),
        tuple(values),
        colours,
        title,
        horizontal=True,
        unit=unit,
        suffix=suffix,
        ticks=ticks,
        held_out=held_out,
    )


def _grouped(rng: Random, width: int, height: int, close: float, held_out: bool, level: int) -> ChartScene:
    title = caption(rng, width, height, 0.3)
    ticks = has_ticks(rng, width)
    bars = min(12, (width - (46 if ticks else 18)) // 29)
    series = 3 if level and bars >= 6 and rng.random() < 0.4 else 2
    count = rng.randint(2, max(2, min(4 + level, bars // series)))
    slot = (width - (48 if ticks else 20)) / count
    labels = vocabulary.labels(rng, count, *longest_label(slot))
    names = vocabulary.series(rng, series, labels)
    values = numbers(rng, count * series, 999 if slot / series >= 42 and rng.random() < 0.15 else 99, held_out, False, close / 2)
    rows = [tuple(values[row * count : (row + 1) * count]) for row in range(series)]
    y_axis = rng.choice(vocabulary.TITLES) if level and not title and height >= 160 and rng.random() < 0.3 else ""
    x_axis = rng.choice(_AXES) if level and height >= 192 and rng.random() < 0.2 else ""
    return ChartScene(
        width,
        height,
        tuple(labels),
        rows[0],
        _colours(rng, series),
        title,
        "grouped_bar",
        names=tuple(names),
        more=tuple(rows[1:]),
        x_axis=x_axis,
        y_axis=y_axis,
        ticks=ticks,
        held_out=held_out,
    )


def _line(rng: Random, width: int, height: int, close: float, held_out: bool, level: int) -> ChartScene:
    title = caption(rng, width, height)
    ticks = has_ticks(rng, width)
    room = width - (52 if ticks else 18)
    most = max(2, min(6, room // 40))
    count = rng.randint(min(3, most), most)
    labels = vocabulary.labels(rng, count, *longest_label(room / count))
    series = 2 if level and height >= 160 and rng.random() < 0.3 else 1
    values = _values(rng, count * series, room / count, close, held_out)
    rows = [tuple(values[row * count : (row + 1) * count]) for row in range(series)]
    names = tuple(vocabulary.series(rng, series, labels)) if series > 1 else ()
    unit, suffix = unit_of(rng, height, draw.is_cjk(labels[0])) if max(values) <= 99 and series == 1 else ("", "")
    return ChartScene(
        width,
        height,
        tuple(labels),
        rows[0],
        _colours(rng, series),
        title,
        "line",
        names=names,
        more=tuple(rows[1:]),
        unit=unit,
        suffix=suffix,
        ticks=ticks,
        held_out=held_out,
    )


def _pie(rng: Random, width: int, height: int, close: float, held_out: bool, level: int) -> ChartScene:
    title = caption(rng, width, height)
    count = rng.randint(2, 4 + level + (width >= 288))
    while count * 22 > height - 24:
        count -= 1
    labels = vocabulary.labels(rng, count, *longest_label(0.24 * width))
    percent = rng.random() < 0.5
    while True:
        if percent:
            cuts = sorted(rng.sample(range(1, 100), count - 1))
            values = [after - before for before, after in zip([0, *cuts], [*cuts, 100], strict=True)]
        else:
            values = [int(number) for number in numbers(rng, count, 99, held_out, False, close)]
        # Slices that can be told apart, all different.
        if len(set(values)) == count and min(values) >= (0.07 if count < 5 else 0.05) * sum(values):
            break
    return ChartScene(
        width,
        height,
        tuple(labels),
        tuple(values),
        _colours(rng, count),
        title,
        "pie",
        unit="%" if percent else "",
        suffix="%" if percent else "",
        held_out=held_out,
    )


def _table(rng: Random, width: int, height: int, close: float, held_out: bool, level: int) -> ChartScene:
    title = caption(rng, width, height, 0.25)
    columns = rng.randint(1, 2 if width >= 160 else 1) if not level else rng.randint(1, max(1, min(3, width // 80)))
    count = rng.randint(2, max(2, min(4 + level, (height - (22 if title else 4)) // 24 - 1)))
    room = 0.9 * width / (columns + 1)
    labels = vocabulary.labels(rng, count, *longest_label(room))
    values: list[int | float] = []
    for _ in range(columns):
        values += _values(rng, count, room, close, held_out)
    rows = [tuple(values[row * count : (row + 1) * count]) for row in range(columns)]
    names = vocabulary.series(rng, columns, labels)
    head = rng.choice([name for name in _HEADS if name not in labels]) if rng.random() < 0.4 else ""
    return ChartScene(
        width,
        height,
        tuple(labels),
        rows[0],
        (0,) * columns,
        title,
        "table",
        names=tuple(names),
        more=tuple(rows[1:]),
        x_axis=head,
        held_out=held_out,
    )
