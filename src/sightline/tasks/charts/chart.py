"""A chart as it was read: what `chart_parse` gives back as `structured`. Sizes and boxes are pixels of the original, upright."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sightline.tasks.charts.grammar import CHART_TYPES
from sightline.tasks.charts.spans import Node

Number = int | float


class SecondLook(msgspec.Struct, frozen=True):
    """A value read once more from an enlarged part of the original picture. `value` is null where nothing was read there."""

    value: Number | None
    agrees: bool
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of the part, in pixels of the original."""
    confidence: float | None = None


class Point(msgspec.Struct, frozen=True):
    """One value of a series. `value` is null where there is none to be read."""

    label: str
    value: Number | None
    confidence: float | None = None
    second_look: SecondLook | msgspec.UnsetType = msgspec.UNSET


class Series(msgspec.Struct, frozen=True):
    """One row of values; `name` is empty where the chart does not name it."""

    name: str
    points: tuple[Point, ...]


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that holds of every chart of its kind. `type` names it for programs; `msg` says what is wrong where it failed."""

    type: str
    passed: bool
    msg: str = ""


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What one picture shows. Texts are empty where the picture has none."""

    image_index: int
    chart_type: str
    title: str = ""
    x_axis: str = ""
    y_axis: str = ""
    unit: str = ""
    series: tuple[Series, ...]
    confidence: float | None = None
    """That of its values: the mean of theirs."""
    checks: tuple[Check, ...] = ()
    complete: bool = True
    """False where the answer was cut; the whole part of it is here."""

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(point for series in self.series for point in series.points)


class Step(msgspec.Struct, frozen=True):
    """One value that a calculation took: where it stands and what it is."""

    image_index: int
    series: str
    label: str
    value: Number
    confidence: float | None = None


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """A number that was computed from the values and not read by the model."""

    operation: str
    formula: str
    """With the values in it: `(62 - 39) / 39 = 0.59`."""
    result: Number | None
    text: str
    """The answer as a sentence."""
    answer: str
    """The answer alone: a number with its unit, or the name of what was asked for."""
    unit: str = ""
    inputs: tuple[Step, ...] = ()
    confidence: float | None = None
    """The joint confidence of the values that it was made from."""


class Charts(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `chart_parse`: every picture's chart, and the answer to the question on top if there was one."""

    charts: tuple[Chart, ...]
    question: str | None = None
    derived: Derived | None = None
    looked_again: int = 0
    """Values that were read a second time."""
    agreed: int = 0
    """Of these, how many were the same again."""


def understand(node: Node | None, image_index: int = 0) -> Chart:
    """The chart that a model wrote; members that are missing or of the wrong kind are left out. Without series where it is none."""
    members: Mapping[str, Node] = node.members if node else {}
    series: list[Series] = []
    for entry in members["series"].elements if "series" in members else ():
        points = entry.members["points"].elements if "points" in entry.members else ()
        read = tuple(point for point in map(_point, points) if point is not None)
        if read:
            series.append(Series(_text(entry.members.get("name")), read))
    kind = _text(members.get("chart_type"))
    return Chart(
        image_index=image_index,
        chart_type=kind if kind in CHART_TYPES else "other",
        title=_text(members.get("title")),
        x_axis=_text(members.get("x_axis")),
        y_axis=_text(members.get("y_axis")),
        unit=_text(members.get("unit")),
        series=tuple(series),
        complete=node is not None and node.whole,
    )


def values_of(node: Node) -> list[Node]:
    """The nodes of all values that `understand` keeps, in the same order."""
    entries = node.members["series"].elements if "series" in node.members else ()
    points = [point for entry in entries if "points" in entry.members for point in entry.members["points"].elements]
    return [point.members["value"] for point in points if _point(point) is not None]


def _text(node: Node | None) -> str:
    return node.value if node is not None and isinstance(node.value, str) else ""


def _point(node: Node) -> Point | None:
    """A point with both its members; of half a point the value may belong to anything."""
    if "label" not in node.members or "value" not in node.members:
        return None
    value = node.members["value"].value
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        return None
    return Point(_text(node.members["label"]), value)


def plain(chart: Chart) -> dict[str, object]:
    """The chart as the model writes it, in the same order: nothing that was added to it."""
    return {
        "chart_type": chart.chart_type,
        "title": chart.title,
        "x_axis": chart.x_axis,
        "y_axis": chart.y_axis,
        "unit": chart.unit,
        "series": [
            {"name": series.name, "points": [{"label": point.label, "value": point.value} for point in series.points]}
            for series in chart.series
        ],
    }
