"""`chart_parse`: the values of a chart as data, each with a confidence, checked, and looked at again where it is doubtful.

each picture    one greedy generation under a grammar         -> JSON with the place of every value
                tokens of each value -> its confidence        -> checks that hold of every chart of the kind
                doubtful values -> an enlarged part each, in the same call while there is time
the question    computed from the values (`charts.arithmetic`), never by the model
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any, Literal

import msgspec

from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.protocol.requests import Options, option
from sightline.tasks.base import Answer, Context, Example, Given, Look, MediaRule, Said, Task
from sightline.tasks.charts.arithmetic import derive
from sightline.tasks.charts.chart import Chart, Charts, plain
from sightline.tasks.charts.reading import Reading, counts, look_again, read_chart
from sightline.tasks.charts.tables import to_csv, to_markdown

Format = Literal["json", "csv", "markdown"]


_OPEN = Bilingual("无法由图表数值算出该问题的答案。", "The question could not be answered by a calculation on the chart's values.")
_OPEN_HINT = Bilingual(
    "可问增长率、总和、差、比值、平均、最大最小或比较，并写出图中的标签；其他问题请用 vqa。",
    "Ask for a growth rate, sum, difference, ratio, mean, extreme or comparison, with the chart's own labels; for the rest use vqa.",
)


class ChartOptions(Options, frozen=True, kw_only=True):
    """`format` sets what `answer` is; `structured` is the same for all."""

    format: Annotated[
        Format | None,
        option(
            "answer 的形式：CSV 每行一个数值（RFC 4180）。默认为对 text 的回答，或 JSON。",
            "What `answer` holds: CSV has one row a value (RFC 4180). By default the answer to `text`, or JSON.",
        ),
    ] = None
    second_look: Annotated[
        bool, option("对没有把握的数值，放大图片局部再读一次。", "Doubtful values are read once more from an enlarged part of the picture.")
    ] = True


class ChartParse(Task):
    name = "chart_parse"
    version = "1"
    title = Bilingual("图表解析", "Chart to data")
    summary = Bilingual(
        "把图表读成数据：JSON、CSV 或 Markdown，每个数值带置信度；text 可提出计算问题。",
        "Reads charts as data: JSON, CSV or Markdown, a confidence for every value; `text` may ask for a calculation.",
    )
    Options = ChartOptions
    media = MediaRule(kinds=frozenset({"image"}), most=8)
    examples = (
        Example(Bilingual("", ""), {"format": "csv"}),
        Example(Bilingual("从 2021 到 2022 增长了百分之几？", "By how many percent did it grow from 2021 to 2022?")),
    )
    timeout_ms = 60_000
    prose = False
    max_tokens = 2048
    temperature = 0.0

    def looks(self, options: Any, given: Sequence[Given]) -> tuple[Look, ...] | None:
        return tuple(Look(index) for index in range(len(given)))

    async def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        sampling = self.sampling(ctx.options)
        readings: list[Reading] = []
        for index in range(len(ctx.given)):
            yield Progress(stage="charts", done=index, total=len(ctx.given))
            readings.append(await read_chart(ctx, index, sampling))
        notices: list[Notice] = [notice for reading in readings for notice in reading.notices]
        charts = [reading.chart for reading in readings]
        finish = "length" if any(reading.cut for reading in readings) else "stop"
        if ctx.options.second_look:
            charts, differing = await look_again(ctx, charts, sampling)
            notices += differing
        looked, agreed = counts(charts)
        question = ctx.text.strip()
        derived = derive(question, charts, ctx.language) if question else None
        if question and derived is None:
            notices.append(Notice("not_computed", _OPEN, _OPEN_HINT))
        result = Charts(charts=tuple(charts), question=question or None, derived=derived, looked_again=looked, agreed=agreed)
        scores = [chart.confidence for chart in charts if chart.confidence is not None]
        confidence = round(sum(scores) / len(scores), 4) if len(scores) == len(charts) else None
        text = write(charts, ctx.options.format or "json")
        if derived is not None:
            confidence = derived.confidence
            text = derived.text if ctx.options.format is None else f"{derived.text}\n\n{text}" if ctx.options.format == "markdown" else text
        yield Answer(text, confidence, finish, result, tuple(notices), calibrated=ctx.calibrator("value", "chart_parse") is not None)


def write(charts: Sequence[Chart], form: Format) -> str:
    """The charts as text; one alone as JSON is an object, several are a list."""
    match form:
        case "csv":
            return to_csv(charts)
        case "markdown":
            return to_markdown(charts)
        case "json":
            values = [plain(chart) for chart in charts]
            return msgspec.json.encode(values[0] if len(values) == 1 else values).decode()
