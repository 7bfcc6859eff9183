"""Which values a calculation takes: the labels and series that a question names, or all of them where it names none."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.tasks.charts.chart import Step
from sightline.tasks.charts.questions import Question, Row


def only(rows: Sequence[Row]) -> Row | None:
    return rows[0] if len(rows) == 1 else None


def step_at(row: Row, index: int) -> Step:
    point = row.series.points[index]
    return Step(row.chart.image_index, row.series.name, point.label, point.value or 0, point.confidence)


def every(rows: Sequence[Row]) -> tuple[Step, ...]:
    return tuple(step_at(row, index) for row in rows for index, point in enumerate(row.series.points) if point.value is not None)


def chosen(question: Question) -> tuple[Step, ...]:
    """The values under the labels that are named, or all where none is."""
    steps = every(question.rows)
    return tuple(step for step in steps if step.label in question.labels) if question.labels else steps


def ends_of(row: Row, labels: Sequence[str]) -> tuple[int, int] | None:
    """From where to where a row is looked at: between two named labels, in the order of the text; else from its first to its last."""
    if len(labels) >= 2:
        first, last = row.find(labels[0]), row.find(labels[1])
        return None if first is None or last is None or len(labels) > 2 else (first, last)
    known = [index for index, point in enumerate(row.series.points) if point.value is not None]
    return (known[0], known[-1]) if len(known) >= 2 and not labels else None


def two(question: Question) -> tuple[Step, Step] | None:
    """Two values: two labels of one row, or one label in two rows."""
    row = only(question.rows)
    if row is not None and len(question.labels) == 2:
        first, second = row.find(question.labels[0]), row.find(question.labels[1])
        return None if first is None or second is None else (step_at(row, first), step_at(row, second))
    if len(question.rows) == 2 and len(question.labels) == 1:
        found = [(row, row.find(question.labels[0])) for row in question.rows]
        steps = [step_at(row, index) for row, index in found if index is not None]
        return (steps[0], steps[1]) if len(steps) == 2 else None
    return None


def extremes(question: Question) -> tuple[Step, Step] | None:
    """The highest and the lowest value, for a question about the difference that names none."""
    steps = every(question.rows)
    if question.labels or len(steps) < 2 or not question.spread:
        return None
    return max(steps, key=lambda step: step.value), min(steps, key=lambda step: step.value)
