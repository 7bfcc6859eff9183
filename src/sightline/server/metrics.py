"""What Prometheus scrapes: counts, times and the state of lanes and engines. One registry a service, so that two fit in one process."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sightline.protocol.events import Degraded, Final
from sightline.server.history import History
from sightline.service.lanes import Lane
from sightline.tasks.base import Lane as LaneName

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300)
_SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_LANES: dict[str, LaneName] = {name: name for name in get_args(LaneName)}
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class EngineState:
    """One engine now: whether it can be asked, and how often it was started again."""

    name: str
    ready: bool
    restarts: int = 0


class Metrics:
    """Implements `ports.Meter`. `lighter` are the rooms of the lighter models; `engines` tells of every engine when it is called."""

    def __init__(
        self,
        lanes: Mapping[LaneName, Lane],
        lighter: Mapping[LaneName, Lane] | None = None,
        engines: Callable[[], Iterable[EngineState]] = tuple,
    ) -> None:
        self.history = History(lanes)
        self.engines = engines
        self._registry = CollectorRegistry()
        self._registry.register(_State(lanes, lighter or {}, engines))
        self._calls = _Count("calls", "Calls that ended, by task and code.", "task", "code")
        self._refused = _Count("refused", "Calls that ended with an error, by lane (- before it was known) and code.", "lane", "code")
        self._left = _Count("left", "Calls whose caller went away.", "task", "lane")
        self._degraded = _Count("degraded", "Calls that a lighter model answered.", "lane", "reason")
        self._cache = _Count("cache", "Calls whose answer may be remembered: hit, shared, miss.", "task", "outcome")
        self._tokens = _Count("tokens", "Tokens read and written by models.", "direction", "model")
        self._seconds = _Times("call_seconds", "Arrival to final event.", _SECONDS, "task", "lane")
        self._first = _Times("first_token_seconds", "Arrival to first token sent.", _SECONDS, "lane")
        self._queue = _Times("queue_seconds", "A generation's wait for its slot.", _SECONDS, "lane")
        self._generation = _Times("generation_seconds", "A generation's time in its slot.", _SECONDS, "lane")
        self._between = _Times("inter_token_seconds", "Mean time between two tokens of a generation.", _SHORT, "lane")
        media = "Reading the headers of a call's inputs (probe); decoding and fitting one (load)."
        self._media = _Times("media_seconds", media, _SHORT, "stage")
        counts = (self._calls, self._refused, self._left, self._degraded, self._cache, self._tokens)
        for each in (*counts, self._seconds, self._first, self._queue, self._generation, self._between, self._media):
            self._registry.register(each)

    def prepared(self, stage: Literal["probe", "load"], seconds: float) -> None:
        """See the port."""
        self._media.note(seconds, stage)

    def generated(self, lane: LaneName, waited: float, held: float, between: float | None) -> None:
        """See the port."""
        self._queue.note(waited, lane)
        self._generation.note(held, lane)
        if between is not None:
            self._between.note(between, lane)

    def first_token(self, lane: LaneName, seconds: float) -> None:
        """See the port."""
        self._first.note(seconds, lane)
        self.history.first_token(lane, seconds)

    def answered(self, final: Final, seconds: float) -> None:
        """See the port."""
        told = final.metadata
        if lane := _LANES.get(told.lane):
            self.history.answered(lane)
        self._calls.add(1, told.task, str(final.code))
        self._seconds.note(seconds, told.task, told.lane)
        if isinstance(told.degraded, Degraded):
            self._degraded.add(1, told.lane, told.degraded.reason)
        if isinstance(told.cache, str):
            self._cache.add(1, told.task, told.cache)
        if told.cache not in ("hit", "shared"):  # those were counted for the call that paid for them
            self._tokens.add(told.input_tokens or 0, "input", told.model)
            self._tokens.add(told.output_tokens or 0, "output", told.model)

    def refused(self, task: str, lane: LaneName | None, code: int) -> None:
        """See the port."""
        self._calls.add(1, task, str(code))
        self._refused.add(1, lane or "-", str(code))
        self.history.refused(lane)

    def left(self, task: str, lane: LaneName | None) -> None:
        """See the port."""
        self._left.add(1, task, lane or "-")
        self.history.left(lane)

    def expose(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)

    def totals(self, name: Literal["calls", "refused", "degraded", "cache", "tokens"]) -> list[tuple[dict[str, str], int]]:
        """One counter since the service started: the labels of each of its counts, and the count."""
        counter = {"calls": self._calls, "refused": self._refused, "degraded": self._degraded, "cache": self._cache, "tokens": self._tokens}
        return counter[name].totals()


class _Count(Collector):
    """A counter by labels. Prometheus's own locks and checks for many threads; ours are noted by the event loop alone, in a tenth
    of the time (8 to 13 a call)."""

    def __init__(self, name: str, meaning: str, *labels: str) -> None:
        self._name, self._meaning, self._labels = f"sightline_{name}", meaning, labels
        self._values: dict[tuple[str, ...], int] = {}

    def add(self, count: int, *labels: str) -> None:
        self._values[labels] = self._values.get(labels, 0) + count

    def totals(self) -> list[tuple[dict[str, str], int]]:
        return [(dict(zip(self._labels, values, strict=True)), count) for values, count in self._values.items()]

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, count in self._values.items():
            family.add_metric(values, count)
        yield family


class _Times(Collector):
    """A histogram of seconds by labels, kept as `_Count` is."""

    def __init__(self, name: str, meaning: str, bounds: tuple[float, ...], *labels: str) -> None:
        self._name, self._meaning, self._labels = f"sightline_{name}", meaning, labels
        self._bounds = bounds
        self._ends = [*(str(float(bound)) for bound in bounds), "+Inf"]
        self._sums: dict[tuple[str, ...], float] = {}
        self._counts: dict[tuple[str, ...], list[int]] = {}

    def note(self, seconds: float, *labels: str) -> None:
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * len(self._ends)
            self._sums[labels] = 0.0
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[labels] += seconds

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, counts in self._counts.items():
            family.add_metric(values, list(zip(self._ends, accumulate(counts), strict=True)), self._sums[values])
        yield family


class _State(Collector):
    """Lanes and engines as they are at the moment of the scrape."""

    def __init__(
        self, lanes: Mapping[LaneName, Lane], lighter: Mapping[LaneName, Lane], engines: Callable[[], Iterable[EngineState]]
    ) -> None:
        self._lanes = lanes
        self._lighter = lighter
        self._engines = engines

    def collect(self) -> Iterable[Metric]:
        for name, meaning, read in _GAUGES:
            family = GaugeMetricFamily(f"sightline_lane_{name}", meaning, labels=["lane"])
            for lane, room in self._lanes.items():
                family.add_metric([lane], read(room))
            yield family
        lighter = GaugeMetricFamily("sightline_lane_lighter_running", "Generations of lighter models.", labels=["lane"])
        for lane, room in self._lighter.items():
            lighter.add_metric([lane], room.running)
        yield lighter
        ready = GaugeMetricFamily("sightline_engine_ready", "Whether the engine can be asked.", labels=["engine"])
        restarts = CounterMetricFamily("sightline_engine_restarts", "How often the engine was started again.", labels=["engine"])
        for engine in self._engines():
            ready.add_metric([engine.name], float(engine.ready))
            restarts.add_metric([engine.name], engine.restarts)
        yield ready
        yield restarts


_GAUGES: tuple[tuple[str, str, Callable[[Lane], float]], ...] = (
    ("slots", "Generations that it may run at a time.", lambda lane: lane.limits.slots),
    ("running", "Generations that hold a slot.", lambda lane: lane.running),
    ("running_tokens", "Their price in tokens.", lambda lane: lane.running_tokens),
    ("waiting", "Calls admitted that cannot start yet.", lambda lane: lane.waiting),
    ("waiting_tokens", "Price in tokens of admitted work that has not begun.", lambda lane: lane.expected_tokens),
    ("predicted_wait_seconds", "Wait of a call that came now.", lambda lane: lane.predicted_wait()),
)
