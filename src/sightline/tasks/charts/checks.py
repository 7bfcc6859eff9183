"""What holds of every chart of its kind, checked on the values that were read: a reading that breaks it is wrong somewhere."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from sightline.protocol.language import Bilingual
from sightline.tasks.charts.chart import Chart, Number, Series

Finding = tuple[str, Bilingual | None]
"""The check's type, and what is wrong; None where it passed."""

_PERCENT = re.compile(r"%|％|percent|百分", re.I)
_TOTAL = re.compile(r"total|sum|overall|合计|总计|总和|总数|总量", re.I)
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:-|–|—|~|to|至|到)\s*(-?\d+(?:\.\d+)?)")
_NUMBERED = re.compile(r"(?:q|fy|第)?\s*(\d{1,4}(?:\.\d+)?)\s*(?:年|月|日|季度)?")
_ORDERED = frozenset({"line", "area", "scatter"})
_MANY, _FEW = 5, 2
"""Labels that are many, and breaks of an order that are few."""
_ORDERS: tuple[tuple[str, ...], ...] = (
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    ("一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月"),
    ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
)


def check(chart: Chart) -> Iterator[Finding]:
    """Every check that applies to a chart, passed or not."""
    for series in chart.series:
        yield "duplicate_labels", _duplicates(series)
    if chart.chart_type == "pie":
        yield from _pie(chart)
    elif chart.chart_type == "stacked_bar":
        yield from _stacked(chart)
    if chart.chart_type in {"grouped_bar", "stacked_bar"} and len(chart.series) > 1:
        yield "same_labels", _same_labels(chart.series)
    if (bounds := axis_range(chart)) is not None:
        yield "axis_range", _outside(chart, *bounds)
    for series in chart.series:
        if (breaks := _breaks(series)) is not None and ((line := chart.chart_type in _ORDERED) or len(series.points) >= _MANY):
            # Lines run along an ordered axis. Bars may stand in any order; but where nearly all of many follow one, the odd one is misread.
            odd = breaks > 0 if line else 0 < breaks <= _FEW
            yield "ordered_categories", Bilingual("类别的顺序不连贯", "the categories are not in their order") if odd else None


def axis_range(chart: Chart) -> tuple[float, float] | None:
    """The range of the value axis, where the axis says it (`Share (0-100)`) or the unit does: parts of a whole in per cent."""
    if found := _RANGE.search(chart.y_axis):
        low, high = float(found[1]), float(found[2])
        if low < high:
            return low, high
    if _is_percent(chart) and chart.chart_type in {"pie", "stacked_bar"}:
        return 0.0, 100.0
    return None


def _is_percent(chart: Chart) -> bool:
    return bool(_PERCENT.search(chart.unit) or _PERCENT.search(chart.y_axis))


def _values(series: Series) -> list[Number]:
    return [point.value for point in series.points if point.value is not None]


def _about(total: float, whole: float, count: int) -> bool:
    """Whether `count` rounded parts may add up to this."""
    return abs(total - whole) <= max(0.01 * abs(whole), 0.006 * abs(whole) * count)


def _pie(chart: Chart) -> Iterator[Finding]:
    values = [value for series in chart.series for value in _values(series)]
    negative = [value for value in values if value < 0]
    wrong = Bilingual(f"饼图不应有负值：{negative[0]:g}", f"a pie has no negative parts: {negative[0]:g}") if negative else None
    yield "pie_parts", wrong
    if _is_percent(chart) and values:
        total = sum(values)
        yield (
            "pie_total",
            None
            if _about(total, 100, len(values))
            else Bilingual(f"饼图各部分之和为 {total:g} %，应约为 100 %", f"the parts of the pie add up to {total:g} %, not to 100 %"),
        )


def _stacked(chart: Chart) -> Iterator[Finding]:
    whole = next((series for series in chart.series if _TOTAL.search(series.name)), None)
    parts = [series for series in chart.series if series is not whole]
    if len(parts) < 2 or (whole is None and not _is_percent(chart)):
        return
    wanted = {point.label: point.value for point in whole.points} if whole else {}
    wrong: Bilingual | None = None
    for label, value in _sums(parts).items():
        aim = wanted.get(label) if whole else 100
        if aim is not None and not _about(value, aim, len(parts)):
            wrong = Bilingual(
                f"“{label}”各部分之和为 {value:g}，应为 {aim:g}", f"the parts of '{label}' add up to {value:g}, not to {aim:g}"
            )
            break
    yield "stacked_total", wrong


def _sums(parts: Sequence[Series]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for series in parts:
        for point in series.points:
            sums[point.label] = sums.get(point.label, 0) + (point.value or 0)
    return sums


def _outside(chart: Chart, low: float, high: float) -> Bilingual | None:
    for point in chart.points:
        if point.value is not None and not low <= point.value <= high:
            return Bilingual(
                f"“{point.label}”的值 {point.value:g} 超出坐标轴范围 {low:g} 至 {high:g}",
                f"{point.value:g} at '{point.label}' is outside the axis, which goes from {low:g} to {high:g}",
            )
    return None


def _duplicates(series: Series) -> Bilingual | None:
    label, count = Counter(point.label for point in series.points).most_common(1)[0]
    if count == 1:
        return None
    return Bilingual(f"标签“{label}”出现了 {count} 次", f"the label '{label}' is there {count} times")


def _same_labels(series: Sequence[Series]) -> Bilingual | None:
    first = {point.label for point in series[0].points}
    for other in series[1:]:
        odd = first ^ {point.label for point in other.points}
        if odd:
            name = min(odd)
            return Bilingual(f"并非每个系列都有“{name}”", f"not every series has a value at '{name}'")
    return None


def _breaks(series: Series) -> int | None:
    """How often the labels leave the order that they have: of numbers, months or days. None where they have none."""
    labels = [point.label.strip().casefold() for point in series.points]
    if len(set(labels)) < 3:
        return None
    for order in _ORDERS:
        places = [next((place for place, name in enumerate(order) if _is(label, name)), None) for label in labels]
        if None not in places:
            return _count_breaks([float(place) for place in places if place is not None], round_trip=True)
    numbers = [_NUMBERED.fullmatch(label) for label in labels]
    return _count_breaks([float(number[1]) for number in numbers if number]) if all(numbers) else None


def _is(label: str, name: str) -> bool:
    """`January` and `Jan.` are `jan`; Chinese names are whole."""
    return label.startswith(name) and (name.isascii() or label == name)


def _count_breaks(places: Sequence[float], *, round_trip: bool = False) -> int:
    """Steps against the order, rising or falling, whichever has fewer; what goes round (months) may begin anywhere."""
    counts: list[int] = []
    for sign in (1, -1):
        breaks = sum(sign * after <= sign * before for before, after in itertools.pairwise(places))
        goes_round = round_trip and sign == 1 and breaks == 1 and places[-1] < places[0]
        counts.append(0 if goes_round else breaks)
    return min(counts)
