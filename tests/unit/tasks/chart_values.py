"""Charts for tests: a shorthand, hypothesis strategies, and a backend that writes what it is told token by token."""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncGenerator, Callable, Sequence

from hypothesis import strategies as st

from sightline.prompt import Delta, Prompt, TokenLogprob, Usage
from sightline.tasks.charts.chart import Chart, Number, Point, Series
from sightline.tasks.charts.grammar import CHART_TYPES
from tests.doubles import Bench, ScriptedBackend

Values = Sequence[tuple[str, Number | None]]


def chart(values: Values | dict[str, Values], *, kind: str = "bar", index: int = 0, confidence: float | None = 0.9, **facts: str) -> Chart:
    """A chart of one series without a name, or of the named ones."""
    rows = values if isinstance(values, dict) else {"": values}
    series = tuple(Series(name, tuple(Point(label, value, confidence) for label, value in row)) for name, row in rows.items())
    return Chart(image_index=index, chart_type=kind, series=series, **facts)


def written(values: Values, **facts: str) -> str:
    """The chart as a model writes it."""
    head = {"chart_type": "bar", "title": "", "x_axis": "", "y_axis": "", "unit": "", **facts}
    points = [{"label": label, "value": value} for label, value in values]
    return json.dumps({**head, "series": [{"name": "", "points": points}]}, ensure_ascii=False, separators=(",", ":"))


_TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_NUMBERS = st.one_of(st.none(), st.integers(-(10**12), 10**12), st.decimals(-(10**6), 10**6, places=3, allow_nan=False).map(float))
_POINTS = st.lists(st.tuples(_TEXTS, _NUMBERS), min_size=1, max_size=5)
_SERIES = st.lists(
    st.builds(lambda name, points: Series(name, tuple(Point(*point) for point in points)), _TEXTS, _POINTS), min_size=1, max_size=3
)


def charts(index: int = 0) -> st.SearchStrategy[Chart]:
    """Any chart that can be read, as a table gives it back: without confidences."""
    return st.builds(
        Chart,
        image_index=st.just(index),
        chart_type=st.sampled_from(CHART_TYPES),
        title=_TEXTS,
        x_axis=_TEXTS,
        y_axis=_TEXTS,
        unit=_TEXTS,
        series=_SERIES.map(tuple),
    )


class Writer(ScriptedBackend):
    """Writes the text that `say` gives for each prompt, a token for every digit and for every few other characters, as sure of each
    as `sure` says; a text longer than the prompt's max_tokens is cut."""

    def __init__(self, bench: Bench, say: Callable[[Prompt], str], sure: Callable[[str], float] = lambda token: 0.99) -> None:
        super().__init__(journal=bench.journal)
        self.say = say
        self.sure = sure

    async def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        self.prompts.append(prompt)
        text = self.say(prompt)
        tokens = re.findall(r"\d|[^\d]{1,3}", text)
        kept = tokens[: prompt.sampling.max_tokens]
        for token in kept:
            yield Delta(token, (TokenLogprob(token, math.log(self.sure(token))),))
        yield Delta(finish="length" if len(kept) < len(tokens) else "stop", usage=Usage(10, len(kept)))


def writing(say: Callable[[Prompt], str], sure: Callable[[str], float] = lambda token: 0.99) -> Bench:
    """A service whose model writes what `say` gives."""
    bench = Bench()
    bench.backend = Writer(bench, say, sure)
    bench.pool.backends = (bench.backend,)
    return bench


def said(prompt: Prompt) -> str:
    """All words of a prompt."""
    return "\n".join(part for message in prompt.messages for part in message.parts if isinstance(part, str))
