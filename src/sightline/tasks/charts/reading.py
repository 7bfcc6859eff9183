"""One picture to one chart: the generation, the confidence of its values, its checks, and the second look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from sightline.prompt import Prompt, Sampling, text_of
from sightline.protocol.language import Bilingual, Language
from sightline.protocol.receipts import Notice
from sightline.tasks.aligned import Transcript
from sightline.tasks.base import Context, Look, Utterance, converse, instruct
from sightline.tasks.charts.again import doubtful, number_in, place_of, question, same
from sightline.tasks.charts.chart import Chart, Check, Point, SecondLook, Series, understand, values_of
from sightline.tasks.charts.checks import check
from sightline.tasks.charts.grammar import GRAMMAR, SCHEMA
from sightline.tasks.charts.spans import Node, read
from sightline.tasks.confidence import Calibrator
from sightline.tasks.transcribe import transcribe

_DOUBTFUL = 0.8
"""Values below this confidence are looked at again."""
_MOST_LOOKS = 6
"""Values of one call that are looked at again."""
_SCALE = 2.0
_FEW_TOKENS = 24
_PATIENCE = 3.0
"""A further look is taken only while there is time for so many of them."""

_CUT = Bilingual(
    "图{number}的图表未读完，只返回已读出的部分。", "The chart of image {number} was not read to its end; the part that was read is here."
)
_CUT_HINT = Bilingual("可提高 options.max_tokens。", "Raise options.max_tokens.")
_NONE = Bilingual("图{number}中没有读出图表。", "No chart could be read from image {number}.")
_NONE_HINT = Bilingual("该任务用于图表和表格；其他图片请用 vqa。", "This task is for charts and tables; for other pictures use vqa.")
_FAILED = Bilingual("图{number}的校验未通过：{reason}。", "Image {number} did not pass a check: {reason}.")
_FAILED_HINT = Bilingual("请核对相关数值。", "Compare the values with the picture.")
_DIFFERS = Bilingual(
    "图{number}中“{label}”两次读数不同：{first} 与 {second}。",
    "'{label}' in image {number} was read twice and differently: {first} and {second}.",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one picture. `chart` has no series where none could be read."""

    chart: Chart
    notices: tuple[Notice, ...] = ()
    cut: bool = False


async def read_chart(ctx: Context, index: int, sampling: Sampling) -> Reading:
    """Reads the picture of that index. Raises what the context's `generate` raises."""

    def render(turns: Sequence[Utterance]) -> Prompt:
        asked = [*turns[:-1], _with_text(turns[-1], text_of("chart_parse", ctx.language))]
        return Prompt(converse(asked, ctx.language, instruct(ctx, None)), sampling, SCHEMA, GRAMMAR)

    written = await transcribe(ctx, render, Look(index))
    node = read(written.text)
    chart = understand(node, index)
    if node is None or not chart.series:
        notice = Notice("no_chart", _NONE.fill(number=index + 1), _NONE_HINT, input=index)
        return Reading(chart, (notice, *written.notices), written.cut)
    scored = _score(chart, node, written.transcript, ctx.calibrator("value", "chart_parse"))
    notices = list(written.notices)
    if not chart.complete:
        notices.append(Notice("truncated", _CUT.fill(number=index + 1), _CUT_HINT, input=index))
    findings = list(check(scored))
    for kind, wrong in findings:
        if wrong is not None:
            notices.append(Notice(kind, _FAILED.fill(number=index + 1, reason=wrong), _FAILED_HINT, input=index))
    checks = tuple(Check(kind, wrong is None, "" if wrong is None else wrong.pick(ctx.language)) for kind, wrong in findings)
    return Reading(replace(scored, checks=checks), tuple(notices), written.cut)


def _with_text(turn: Utterance, text: str) -> Utterance:
    return Utterance(turn.role, text, turn.shown)


def _score(chart: Chart, node: Node, transcript: Transcript, calibrator: Calibrator | None) -> Chart:
    """The chart with the confidence of each value: the joint probability of the tokens that its own characters are made of."""
    scores = iter([transcript.joint(value.start, value.end) for value in values_of(node)])
    series = tuple(
        Series(entry.name, tuple(replace(point, confidence=_share(next(scores), calibrator)) for point in entry.points))
        for entry in chart.series
    )
    return replace(chart, series=series, confidence=_mean([point.confidence for entry in series for point in entry.points]))


def _share(score: float | None, calibrator: Calibrator | None) -> float | None:
    if score is None:
        return None
    return calibrator.share(score) if calibrator else round(score, 4)


def _mean(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return round(math.fsum(known) / len(known), 4) if len(known) == len(scores) > 0 else None


async def look_again(ctx: Context, charts: Sequence[Chart], sampling: Sampling) -> tuple[list[Chart], list[Notice]]:
    """The charts with their doubtful values read once more, as far as the call's time allows, and what came out differently."""
    looked = list(charts)
    notices: list[Notice] = []
    left, slowest = _MOST_LOOKS, 0.0
    for position, chart in enumerate(charts):
        for number, index in doubtful(chart, _DOUBTFUL, left):
            before = ctx.seconds_left
            if before < _PATIENCE * max(slowest, 0.2):
                return looked, notices
            second = await _look(ctx, chart, number, index, sampling)
            slowest = max(slowest, before - ctx.seconds_left)
            left -= 1
            looked[position] = _with_look(looked[position], number, index, second)
            point = chart.series[number].points[index]
            if second.value is not None and not second.agrees:
                told = _DIFFERS.fill(number=chart.image_index + 1, label=point.label, first=point.value, second=second.value)
                notices.append(Notice("readings_differ", told, _FAILED_HINT, input=chart.image_index))
    return looked, notices


async def _look(ctx: Context, chart: Chart, number: int, index: int, sampling: Sampling) -> SecondLook:
    crop = place_of(chart, number, index, ctx.given[chart.image_index])
    language: Language = ctx.language
    asked = question(chart, number, index, (text_of("chart_value", language), text_of("chart_value-series", language)))

    def render(turns: Sequence[Utterance]) -> Prompt:
        short = Sampling(max_tokens=_FEW_TOKENS, temperature=0.0, seed=sampling.seed)
        return Prompt(converse([_with_text(turns[-1], asked)], language, instruct(ctx, None)), short)

    written = await transcribe(ctx, render, Look(chart.image_index, crop, _SCALE))
    found = number_in(written.text)
    box = (crop.left, crop.top, crop.right, crop.bottom)
    if found is None:
        return SecondLook(None, False, box)
    value, start, end = found
    score = written.transcript.joint(start, end)
    first = chart.series[number].points[index].value
    return SecondLook(value, same(first, value), box, None if score is None else round(score, 4))


def _with_look(chart: Chart, number: int, index: int, second: SecondLook) -> Chart:
    def changed(point: Point, place: int) -> Point:
        return replace(point, second_look=second) if place == index else point

    series = list(chart.series)
    series[number] = Series(series[number].name, tuple(changed(point, place) for place, point in enumerate(series[number].points)))
    return replace(chart, series=tuple(series))


def counts(charts: Sequence[Chart]) -> tuple[int, int]:
    """How many values were looked at again, and how many of them were the same."""
    looks = [point.second_look for chart in charts for point in chart.points if isinstance(point.second_look, SecondLook)]
    return len(looks), sum(look.agrees for look in looks)
