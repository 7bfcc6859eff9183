"""`vqa`: a question about one or several images, answered in words.

A question about rates, sums or differences of charts is not left to the model: the charts are read (`charts.reading`), and the
answer is computed from their values. Where they cannot be read, or not surely, the model answers after all. `structured` says
which way it went.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Literal

import msgspec

from sightline.prompt import Prompt, Sampling
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.protocol.requests import Options, option
from sightline.tasks.base import Answer, Context, Example, MediaRule, Render, Said, Task, Utterance, converse, instruct
from sightline.tasks.boxes import FoundBox, locate
from sightline.tasks.charts.arithmetic import derive
from sightline.tasks.charts.chart import Chart, Derived
from sightline.tasks.charts.questions import operation_of, speaks_of_charts
from sightline.tasks.charts.reading import read_chart
from sightline.tasks.writing import Written

_COMPUTED = frozenset({"compare_growth", "growth_rate", "share", "ratio", "difference", "mean", "sum"})
"""What models get wrong in their heads; they read a single value off as well as a parse does."""
_SURE = 0.5
"""Charts whose values are less sure than this on average are left to the model's own answer."""
_PARSE_TOKENS = 2048
_MOST_SUBJECT = 60
_NO_SUBJECT = frozenset({"yes", "no", "是", "否", "有", "没有", "不是", "对", "不对"})


class VqaOptions(Options, frozen=True, kw_only=True):
    """`ground` adds boxes, `arithmetic` says whether sums are done by the model or by us."""

    ground: Annotated[
        bool,
        option("为回答所指的内容加框，单位为原图像素。", "Adds boxes around what the answer is about, in pixels of the original images."),
    ] = False
    arithmetic: Annotated[
        bool | None,
        option(
            "图表的增长率、合计与差值由数值计算；默认按服务配置。",
            "Compute rates, sums and differences of charts from their values. By default as the service is configured.",
        ),
    ] = None


class VqaDetails(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer was found: `method` is `arithmetic` or `model`; with the values it was computed from, and the boxes asked for."""

    method: Literal["arithmetic", "model"]
    derived: Derived | None = None
    charts: tuple[Chart, ...] = ()
    boxes: tuple[FoundBox, ...] = ()


class Vqa(Task):
    name = "vqa"
    version = "2"
    title = Bilingual("看图问答", "Visual Q&A")
    summary = Bilingual("就一张或多张图片提问，得到文字回答。", "Ask about one or several images and get an answer in words.")
    Options = VqaOptions
    media = MediaRule(kinds=frozenset({"image"}), most=16)
    examples = (
        Example(Bilingual("左侧柱状图中哪一年的数值最高？是多少？", "Which year is the highest in the chart on the left, and how high?")),
        Example(Bilingual("与第一张图相比，第二张图中的病灶变大了吗？", "Is the lesion in the second image larger than in the first?")),
        Example(Bilingual("哪个产品增长得更快？", "Which product grew faster?")),
    )
    needs_text = True

    async def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        wanted = ctx.policy.arithmetic if ctx.options.arithmetic is None else ctx.options.arithmetic
        answer: Answer | None = None
        if wanted and operation_of(ctx.text) in _COMPUTED:
            async with aclosing(_compute(ctx)) as happenings:
                async for happening in happenings:
                    answer = happening if isinstance(happening, Answer) else answer
                    if isinstance(happening, Progress):
                        yield happening
        if answer is not None:
            yield Said(answer.text)
        else:
            writing = Written()
            async with aclosing(writing.follow(ctx.generate(self._render(ctx)))) as pieces:
                async for piece in pieces:
                    yield Said(piece.text, piece.logprobs)
            answer = Answer(writing.told, writing.transcript.prose(), writing.finish, None, writing.notices)
        if ctx.options.ground:
            boxes: list[FoundBox] = []
            notices: list[Notice] = []
            for index in range(len(ctx.given)):
                yield Progress(stage="boxes", done=index, total=len(ctx.given))
                found, told, _ = await locate(ctx, _subject(ctx.text, answer.text), index, ctx.options.seed)
                boxes += found
                notices += told
            details = answer.structured or VqaDetails(method="model")
            answer = Answer(
                answer.text,
                answer.confidence,
                answer.finish,
                msgspec.structs.replace(details, boxes=tuple(boxes)),
                (*answer.notices, *notices),
                answer.calibrated,
            )
        yield answer

    def _render(self, ctx: Context) -> Render:
        def render(turns: Sequence[Utterance]) -> Prompt:
            return Prompt(converse(turns, ctx.language, instruct(ctx, "vqa")), self.sampling(ctx.options))

        return render


async def _compute(ctx: Context) -> AsyncGenerator[Progress | Answer]:
    """The answer by arithmetic; ends without one where the pictures are no charts that can be read surely enough."""
    sampling = Sampling(max_tokens=min(_PARSE_TOKENS, ctx.options.max_tokens or _PARSE_TOKENS), temperature=0.0, seed=ctx.options.seed)
    charts: list[Chart] = []
    notices: list[Notice] = []
    for index in range(len(ctx.given)):
        yield Progress(stage="charts", done=index, total=len(ctx.given))
        reading = await read_chart(ctx, index, sampling)
        chart = reading.chart
        if not chart.complete or not chart.points or (chart.confidence is not None and chart.confidence < _SURE):
            return
        charts.append(chart)
        notices += reading.notices
    derived = derive(ctx.text, charts, ctx.language)
    # Words such as "total" stand in questions about any picture: without a word of charts, or a name out of one, it is none.
    named = derived is not None and any(step.label in ctx.text for step in derived.inputs if step.label)
    if derived is None or derived.result is None or not (named or speaks_of_charts(ctx.text)):
        return
    details = VqaDetails(method="arithmetic", derived=derived, charts=tuple(charts))
    yield Answer(
        derived.text, derived.confidence, "stop", details, tuple(notices), calibrated=ctx.calibrator("value", "chart_parse") is not None
    )


def _subject(question: str, answer: str) -> str:
    """What to look for in the pictures: the answer where it names something, else what was asked about."""
    said = answer.strip().rstrip("。.!")
    plain = said.casefold()
    if said and len(said) <= _MOST_SUBJECT and plain not in _NO_SUBJECT and not plain.replace(".", "").isdigit():
        return said
    return question.strip().rstrip("?？")
