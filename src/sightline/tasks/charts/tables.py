"""Charts as tables that programs and people take: CSV (RFC 4180) with one row a value, and Markdown as a person would draw it.

Both say all that the JSON says, so that `from_csv` and `from_markdown` read the same chart back.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from sightline.tasks.charts.chart import Chart, Number, Point, Series

COLUMNS = ("image", "chart_type", "title", "x_axis", "y_axis", "unit", "series", "label", "value")


def to_csv(charts: Sequence[Chart]) -> str:
    """One header, then one row a value; `image` counts the pictures from 1, `series` is its name. Lines end with CRLF."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow((*COLUMNS[:6], "series_number", *COLUMNS[6:]))
    for chart in charts:
        about = (chart.image_index + 1, chart.chart_type, chart.title, chart.x_axis, chart.y_axis, chart.unit)
        for number, series in enumerate(chart.series, 1):
            for point in series.points:
                writer.writerow((*about, number, series.name, point.label, _say(point.value)))
    return out.getvalue()


def from_csv(text: str) -> list[Chart]:
    """The charts of a table that `to_csv` wrote. Raises `ValueError`."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    if next(rows, None) != [*COLUMNS[:6], "series_number", *COLUMNS[6:]]:
        raise ValueError("not a table of chart values")
    about: dict[int, tuple[str, ...]] = {}
    series: dict[int, dict[int, tuple[str, list[Point]]]] = {}
    for row in rows:
        image, number = int(row[0]) - 1, int(row[6])
        about[image] = tuple(row[1:6])
        _, points = series.setdefault(image, {}).setdefault(number, (row[7], []))
        points.append(Point(row[8], _number(row[9])))
    return [
        Chart(
            image_index=image,
            chart_type=kind,
            title=title,
            x_axis=x_axis,
            y_axis=y_axis,
            unit=unit,
            series=tuple(Series(name, tuple(points)) for name, points in series[image].values()),
        )
        for image, (kind, title, x_axis, y_axis, unit) in about.items()
    ]


def to_markdown(charts: Sequence[Chart]) -> str:
    """For each chart its facts as a list, and its values as a table: one row a label, one column a series where all series have
    the same labels, and one table a series where they do not."""
    return "\n\n".join(_block(chart) for chart in charts)


def _block(chart: Chart) -> str:
    facts = [
        f"- image: {chart.image_index + 1}",
        *(
            f"- {name}: {_cell(value)}"
            for name, value in (
                ("chart_type", chart.chart_type),
                ("title", chart.title),
                ("x_axis", chart.x_axis),
                ("y_axis", chart.y_axis),
                ("unit", chart.unit),
            )
        ),
    ]
    groups = [chart.series]
    if len({tuple(point.label for point in series.points) for series in chart.series}) > 1:
        groups = [(series,) for series in chart.series]
    return "\n\n".join(["\n".join(facts), *("\n".join(_table(group)) for group in groups if group)])


def _table(group: Sequence[Series]) -> Iterator[str]:
    yield _row(["label", *(series.name for series in group)])
    yield "| --- |" + " ---: |" * len(group)
    for points in zip(*(series.points for series in group), strict=True):
        yield _row([points[0].label, *(_say(point.value) for point in points)])


def from_markdown(text: str) -> list[Chart]:
    """The charts of a text that `to_markdown` wrote. Raises `ValueError`."""
    charts: list[Chart] = []
    for block in re.split(r"\n\n(?=- image: )", text) if text else []:
        head, *tables = block.split("\n\n")
        facts = dict(_fact(line) for line in head.split("\n"))
        charts.append(
            Chart(
                image_index=int(facts["image"]) - 1,
                chart_type=facts["chart_type"],
                title=facts["title"],
                x_axis=facts["x_axis"],
                y_axis=facts["y_axis"],
                unit=facts["unit"],
                series=tuple(series for table in tables for series in _read_table(table)),
            )
        )
    return charts


def _read_table(table: str) -> Iterator[Series]:
    header, _, *rows = [_cells(line) for line in table.split("\n")]
    for column, name in enumerate(header[1:], 1):
        yield Series(name, tuple(Point(row[0], _number(row[column])) for row in rows))


def _fact(line: str) -> tuple[str, str]:
    found = re.fullmatch(r"- (\w+): (.*)", line, re.S)
    if not found:
        raise ValueError("not a chart as Markdown")
    return found[1], _plain(found[2])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cells(line: str) -> list[str]:
    if not (line.startswith("| ") and line.endswith(" |")):
        raise ValueError("not a row of a table")
    return [_plain(cell) for cell in re.split(" [|] ", line[2:-2])]


_ESCAPES = {"\\": "\\\\", "|": "\\|", "\n": "\\n", "\r": "\\r", "\t": "\\t", "*": "\\*", "_": "\\_", "`": "\\`", "<": "\\<", "&": "\\&"}
_SPECIAL = re.compile("[" + re.escape("".join(_ESCAPES)) + "\x00-\x1f\x7f\x85\u2028\u2029]|^ | $|(?<= ) ")


def _cell(text: str) -> str:
    """One line, whatever is in it: signs that Markdown reads are escaped; blanks that it drops are written `&#32;`."""
    return _SPECIAL.sub(lambda found: _ESCAPES.get(found[0], f"&#{ord(found[0])};"), text)


def _plain(cell: str) -> str:
    letters = {"n": "\n", "r": "\r", "t": "\t"}
    return re.sub(r"\\(.)|&#(\d+);", lambda found: letters.get(found[1], found[1]) if found[1] else chr(int(found[2])), cell)


def _say(value: Number | None) -> str:
    """A number as JSON writes it, so that a whole one stays whole; nothing where there is none."""
    return "" if value is None else repr(value)


def _number(text: str) -> Number | None:
    if not text:
        return None
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
