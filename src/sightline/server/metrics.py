"""What Prometheus scrapes: counts, times and the state of lanes and engines. One registry a service, so that two fit in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
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
        self._children: dict[tuple[Any, tuple[str, ...]], Any] = {}
        self._registry.register(_State(lanes, lighter or {}, engines))
        counter = partial(Counter, namespace="sightline", registry=self._registry)
        times = partial(Histogram, namespace="sightline", registry=self._registry, buckets=_SECONDS)
        short = partial(Histogram, namespace="sightline", registry=self._registry, buckets=_SHORT)
        self._calls = counter("calls", "Calls that ended, by task and code.", ("task", "code"))
        self._refused = counter("refused", "Calls that ended with an error, by lane (- before it was known) and code.", ("lane", "code"))
        self._left = counter("left", "Calls whose caller went away.", ("task", "lane"))
        self._degraded = counter("degraded", "Calls that a lighter model answered.", ("lane", "reason"))
        self._cache = counter("cache", "Calls whose answer may be remembered: hit, shared, miss.", ("task", "outcome"))
        self._tokens = counter("tokens", "Tokens read and written by models.", ("direction", "model"))
        self._seconds = times("call_seconds", "Arrival to final event.", ("task", "lane"))
        self._first = times("first_token_seconds", "Arrival to first token sent.", ("lane",))
        self._queue = times("queue_seconds", "A generation's wait for its slot.", ("lane",))
        self._generation = times("generation_seconds", "A generation's time in its slot.", ("lane",))
        self._between = short("inter_token_seconds", "Mean time between two tokens of a generation.", ("lane",))
        self._media = short("media_seconds", "Reading the headers of a call's inputs (probe); decoding and fitting one (load).", ("stage",))

    def _of(self, metric: Any, *labels: str) -> Any:
        """The metric with these labels. Looked up here, where it costs a tenth of asking for it by name each time."""
        key = (metric, labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def prepared(self, stage: Literal["probe", "load"], seconds: float) -> None:
        """See the port."""
        self._of(self._media, stage).observe(seconds)

    def generated(self, lane: LaneName, waited: float, held: float, between: float | None) -> None:
        """See the port."""
        self._of(self._queue, lane).observe(waited)
        self._of(self._generation, lane).observe(held)
        if between is not None:
            self._of(self._between, lane).observe(between)

    def first_token(self, lane: LaneName, seconds: float) -> None:
        """See the port."""
        self._of(self._first, lane).observe(seconds)
        self.history.first_token(lane, seconds)

    def answered(self, final: Final, seconds: float) -> None:
        """See the port."""
        told = final.metadata
        if lane := _LANES.get(told.lane):
            self.history.answered(lane)
        self._of(self._calls, told.task, str(final.code)).inc()
        self._of(self._seconds, told.task, told.lane).observe(seconds)
        if isinstance(told.degraded, Degraded):
            self._of(self._degraded, told.lane, told.degraded.reason).inc()
        if isinstance(told.cache, str):
            self._of(self._cache, told.task, told.cache).inc()
        if told.cache not in ("hit", "shared"):  # those were counted for the call that paid for them
            self._of(self._tokens, "input", told.model).inc(told.input_tokens or 0)
            self._of(self._tokens, "output", told.model).inc(told.output_tokens or 0)

    def refused(self, task: str, lane: LaneName | None, code: int) -> None:
        """See the port."""
        self._of(self._calls, task, str(code)).inc()
        self._of(self._refused, lane or "-", str(code)).inc()
        self.history.refused(lane)

    def left(self, task: str, lane: LaneName | None) -> None:
        """See the port."""
        self._of(self._left, task, lane or "-").inc()
        self.history.left(lane)

    def expose(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)

    def totals(self, name: Literal["calls", "refused", "degraded", "cache", "tokens"]) -> list[tuple[dict[str, str], int]]:
        """One counter since the service started: the labels of each of its counts, and the count."""
        counter = {"calls": self._calls, "refused": self._refused, "degraded": self._degraded, "cache": self._cache, "tokens": self._tokens}
        samples = [sample for family in counter[name].collect() for sample in family.samples if sample.name.endswith("_total")]
        return [(sample.labels, int(sample.value)) for sample in samples]


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
