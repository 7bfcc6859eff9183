"""What a question about charts asks to be computed, and of what: zh and en, by words and by the names that the charts hold.

Only questions that are understood whole are answered by arithmetic; where it stays open which of several values is meant,
nothing is computed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sightline.tasks.charts.chart import Chart, Series

Operation = Literal[
    "compare_growth", "growth_rate", "share", "ratio", "difference", "mean", "sum", "comparison", "maximum", "minimum", "value"
]

_MOVED = r"(?:gr[eo]w|increas|ris|rose|fall|fell|dropp?|declin|decreas|chang|gain|climb|shr[aiu]nk)\w*"
_MOVES = "(?:增长|增加|上升|上涨|涨|提升|下降|下跌|减少|变化)"
_WORDS: dict[Operation, tuple[str, ...]] = {
    "compare_growth": (
        rf"\b(?:which|who|what)\b.*\b{_MOVED}\b.*\b(?:faster|fastest|slower|slowest|quicker|quickest|more|most|less|least)\b",
        r"\b(?:fast|slow|high|larg|great|low|strong)\w*\s+(?:rate\s+of\s+)?(?:growth|increase|rise|decline)\b",
        rf"(?:哪|谁|何者).*(?:{_MOVES}|增速|[增涨降]幅|增长率).*[快慢多少高低大小]",
        rf"{_MOVES}得?[更最][快慢多少]的?是?(?:哪|谁)",
    ),
    "growth_rate": (
        r"\b(?:growth|increase|decrease|decline|change)\s+(?:rate|percent\w*)",
        r"\brate\s+of\s+(?:growth|change|increase|decline)|\bgrowth\b",
        r"\bpercent\w*\s+(?:growth|increase|decrease|decline|change|drop|rise)",
        rf"\b(?:what|how many|how much)\b.*(?:percent|%).*\b(?:{_MOVED}|up|down)\b|\b{_MOVED}\b.*(?:percent|%)",
        rf"增长率|增速|[增涨跌降]幅|变化率|下降率|同比|环比|{_MOVES}了?(?:百分之[几多]|多少个?百分)",
    ),
    "share": (r"\b(?:share|proportion|fraction)\b|\bpercent(?:age)?\s+of\b|%\s+of\b", r"占比|百分比|占.*(?:百分之|比例|多少)|所占|比重"),
    "ratio": (r"\bratio\b|\bhow many times\b|\btimes (?:as|more|larger|higher|bigger)\b", r"倍|之比|比值|比率"),
    "difference": (
        r"\bdifference\b|\bgap\b|\bby how (?:much|many)\b",
        r"\bhow (?:much|many)\b.*\b(?:more|less|fewer|higher|lower|larger|greater|bigger|smaller)\b",
        rf"\bhow (?:much|many)\b.*\b{_MOVED}\b",
        rf"相差|差值|差多少|差距|之差|的差|[多少高低大小]了?多少|高出|多出|{_MOVES}了?多少",
    ),
    "mean": (r"\b(?:average|mean)\b|平均|均值",),
    "sum": (
        r"\b(?:sum|total|altogether|combined|add(?:ed)?\s+up|in all|together)\b",
        r"总和|合计|总计|总共|之和|加起来|一共|总数|总量|总额",
    ),
    "comparison": (
        r"\bwhich\b.*\b(?:larger|higher|bigger|greater|more|taller|smaller|lower|less|fewer|shorter)\b",
        r"哪.*更|谁更|[大高多小低少]还是",
    ),
    "maximum": (r"\b(?:highest|largest|biggest|greatest|maximum|max|most|tallest|peak|top)\b|最[高大多]",),
    "minimum": (r"\b(?:lowest|smallest|least|minimum|min|fewest|shortest|bottom)\b|最[低小少矮]",),
    "value": (r"\b(?:value|how (?:much|many)|what (?:is|was|are|were)|number)\b|多少|数值|值是|是几",),
}
"""The words of each operation. The first whose words a question has is the one: `which grew faster` is no comparison of sizes."""
_FORMS: dict[Operation, re.Pattern[str]] = {operation: re.compile("|".join(forms), re.I) for operation, forms in _WORDS.items()}
_DOWN = re.compile(r"\b(?:less|fewer|lower|smaller|slow\w*|least|shorter|lowest)\b|少|低|慢|小|矮", re.I)
_FALL = re.compile(r"declin|decreas|\bfell\b|\bfall|dropp?|shr[aiu]nk|下降|下跌|减少|跌", re.I)
_THAN = re.compile(r"\bthan\b|比", re.I)
_HOW_MUCH = re.compile("多少|至少|不少")
_IMAGE = re.compile(
    r"(?:image|picture|chart|figure|graph)\s*#?\s*(\d+)"
    r"|(first|second|third|1st|2nd|3rd)\s+(?:image|picture|chart|figure|graph)"
    r"|图\s*([一二三\d])|第\s*([一二三\d])\s*[张个幅]图?",
    re.I,
)
_PAIR = re.compile(
    r"\bfrom\b.+\bto\b|\bbetween\b.+\band\b|\b(?:sum|total|average|mean|difference|ratio)\s+of\b.+\b(?:and|to)\b|从.+到|自.+至|.与.+(?:之和|的和|相差|之差)",
    re.I,
)
"""Words that name two things."""
_CHART = re.compile(
    r"\b(?:chart|graph|plot|diagram|bars?|pie|column|axis|axes|series|table|values?|sales|profit|revenue|costs?)\b"
    r"|图表|柱|条形|饼图|折线|曲线|坐标|系列|表格|数值|数据|销量|销售|利润|营收|收入|成本",
    re.I,
)
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "一": 1, "二": 2, "三": 3}


@dataclass(frozen=True, slots=True)
class Row:
    """One series and the chart that it is in."""

    chart: Chart
    series: Series

    def find(self, label: str) -> int | None:
        """The index of the only point with that label and a value."""
        found = [index for index, point in enumerate(self.series.points) if point.label == label and point.value is not None]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Question:
    """A question understood: what to compute, of which rows, and of which of their labels, in the order of the text.

    `down` asks for the less of two things, `than` compares the first named with the second, `falling` speaks of a decline.
    """

    operation: Operation
    rows: tuple[Row, ...]
    labels: tuple[str, ...]
    down: bool = False
    than: bool = False
    falling: bool = False
    spread: bool = False
    """It names both ends: the highest and the lowest."""


def operation_of(text: str) -> Operation | None:
    """What a question asks to be computed; None where it asks for nothing of the kind."""
    return next((operation for operation, form in _FORMS.items() if form.search(text)), None)


def interpret(text: str, charts: Sequence[Chart]) -> Question | None:
    """The question, with the values that it is about; None where it asks for no calculation, or for nothing that is there."""
    # What is a name does not say what to do: the value of `Q1 total` is no sum.
    own = {name for chart in charts for series in chart.series for name in (series.name, *(point.label for point in series.points))}
    words = _without(text, own)
    operation = operation_of(words) or operation_of(text)
    if operation is None:
        return None
    rows = [Row(chart, series) for chart in charts for series in chart.series]
    numbers = _images(text)
    if numbers:
        rows = [row for row in rows if row.chart.image_index + 1 in numbers]
    labels = {point.label for row in rows for point in row.series.points}
    names = {row.series.name for row in rows} | {row.chart.title for row in rows}
    named = _mentions(text, labels | names)
    asked = [name for name in named if name in names and name not in labels]
    if asked:
        by_series = [row for row in rows if row.series.name in asked]
        by_title = [row for row in rows if row.chart.title in asked]
        # A title that all share tells nothing apart.
        rows = by_series or by_title or rows
    found = tuple(name for name in named if name in labels)
    ends = bool(_FORMS["maximum"].search(text) and _FORMS["minimum"].search(text))
    if _PAIR.search(text) and len(named) < 2 and len(numbers) < 2 and not ends:
        return None  # it names two things, and they are not there: misread, or of another picture
    return Question(
        operation,
        tuple(rows),
        found,
        down=bool(_DOWN.search(_HOW_MUCH.sub("", words))),
        than=bool(_THAN.search(text)),
        falling=bool(_FALL.search(words)),
        spread=ends,
    )


def _images(text: str) -> set[int]:
    numbers: set[int] = set()
    for found in _IMAGE.finditer(text):
        said = next(group for group in found.groups() if group)
        numbers.add(_ORDINALS.get(said.casefold()) or (int(said) if said.isdigit() else 0))
    return numbers - {0}


def _without(text: str, names: set[str]) -> str:
    for name in sorted((name for name in names if len(name.strip()) > 1), key=len, reverse=True):
        text = re.sub(_bounded(name), " ", text, flags=re.I)
    return text


def _mentions(text: str, names: set[str]) -> list[str]:
    """The names that stand in the text, in its order; the longest first, so that `Q1 total` is not `Q1`."""
    taken = [False] * len(text)
    found: list[tuple[int, str]] = []
    for name in sorted((name for name in names if name.strip()), key=len, reverse=True):
        # A single letter is a label only as it is written: `a` is an article.
        flags = 0 if len(name) == 1 else re.I
        for match in re.finditer(_bounded(name), text, flags):
            if not any(taken[match.start() : match.end()]):
                taken[match.start() : match.end()] = [True] * (match.end() - match.start())
                found.append((match.start(), name))
    return list(dict.fromkeys(name for _, name in sorted(found)))


def _bounded(name: str) -> str:
    """The name where it is no part of a longer word; Chinese stands without blanks."""
    before = r"(?<![A-Za-z0-9])" if name[0].isascii() and name[0].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if name[-1].isascii() and name[-1].isalnum() else ""
    return before + re.escape(name) + after


def speaks_of_charts(text: str) -> bool:
    """Whether a question is about a chart by its own words: the chart's parts, or growth."""
    return bool(_CHART.search(text)) or operation_of(text) in {"growth_rate", "compare_growth"}
