"""The second look: which values are worth it, where in the picture each should stand, and what was read there.

A model says nothing about places. Where a value stands follows from its index: the points of a bar or line chart divide the
picture's width, the rows of a table its height; what is cut out holds the nearer half of each neighbour too, so that an error in
the place does no harm (with a neighbour in sight, models also read right more often). Elsewhere (a pie, a scatter) it is the whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sightline.tasks.base import Crop, Given
from sightline.tasks.charts.chart import Chart, Number

_ALONG = frozenset({"bar", "grouped_bar", "stacked_bar", "line", "area"})
_MARGIN = 0.75
"""Steps to either side of a value's own middle that are cut out with it."""
_LEAST = 0.34
"""Of the picture's side: what is cut out is no narrower."""
_NUMBER = re.compile(r"[-−]?\d{1,3}(?:[,，]\d{3})+(?:\.\d+)?|[-−]?\d+(?:\.\d+)?")


def doubtful(chart: Chart, threshold: float, most: int) -> list[tuple[int, int]]:
    """The (series, point) of the values below a confidence, the least certain first, at most so many."""
    places = [
        (point.confidence, number, index)
        for number, series in enumerate(chart.series)
        for index, point in enumerate(series.points)
        if point.confidence is not None and point.confidence < threshold
    ]
    return [(number, index) for _, number, index in sorted(places)[:most]]


def place_of(chart: Chart, series: int, index: int, given: Given) -> Crop:
    """The part of the original that should hold the value."""
    count = len(chart.series[series].points)
    width, height = given.width, given.height
    if chart.chart_type in _ALONG and count > 1:
        left, right = _band(index, count, width)
        return Crop(left, 0, right, height)
    if chart.chart_type == "table" and count > 1:
        top, bottom = _band(index + 1, count + 1, height)  # the first row is the header
        return Crop(0, top, width, bottom)
    return Crop(0, 0, width, height)


def _band(index: int, count: int, side: int) -> tuple[int, int]:
    half = max((0.5 + _MARGIN) / count, _LEAST / 2)
    middle = (index + 0.5) / count
    # At an edge the band keeps its size, and shows more of the inside.
    low = min(max(0.0, middle - half), max(0.0, 1 - 2 * half))
    return int(low * side), max(int(low * side) + 1, round(min(1.0, low + 2 * half) * side))


def number_in(text: str) -> tuple[Number, int, int] | None:
    """The first number of a sentence and where it stands; None where there is none."""
    found = _NUMBER.search(text)
    if not found:
        return None
    digits = re.sub("[,，]", "", found[0]).replace("−", "-")
    return (float(digits) if "." in digits else int(digits[:300]), found.start(), found.end())


def same(first: Number | None, second: Number | None) -> bool:
    """Whether two readings are one number."""
    return first is not None and second is not None and float(first) == float(second)


def question(chart: Chart, series: int, index: int, forms: Sequence[str]) -> str:
    """What to ask of the part: `forms` are the question for a label, and for a label in a named series."""
    name, label = chart.series[series].name, chart.series[series].points[index].label
    return forms[1].format(label=label, series=name) if name else forms[0].format(label=label)
