"""What Prometheus scrapes: counts, times and the state of the lanes. One registry a service, so that two fit in one process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sightline.protocol.events import Final
from sightline.service.lanes import Lane
from sightline.tasks.base import Lane as LaneName

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Implements `ports.Meter`."""

    def __init__(self, lanes: Mapping[LaneName, Lane]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_LaneState(lanes))
        self._calls = self._counter("calls", "Calls that ended, by task and code.", "task", "code")
        self._tokens = self._counter("tokens", "Tokens read and written by models.", "direction", "model")
        self._seconds = self._times("call_seconds", "Arrival to final event.", "task", "lane")
        self._first = self._times("first_token_seconds", "Arrival to first token sent.", "lane")
        self._queue = self._times("queue_seconds", "Time spent waiting for slots.", "lane")

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, namespace="sightline", registry=self._registry)

    def _times(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, namespace="sightline", registry=self._registry, buckets=_SECONDS)

    def first_token(self, lane: LaneName, seconds: float) -> None:
        self._first.labels(lane).observe(seconds)

    def answered(self, final: Final, seconds: float) -> None:
        told = final.metadata
        self._calls.labels(told.task, str(final.code)).inc()
        self._seconds.labels(told.task, told.lane).observe(seconds)
        self._queue.labels(told.lane).observe(told.queue_ms / 1000)
        self._tokens.labels("input", told.model).inc(told.input_tokens or 0)
        self._tokens.labels("output", told.model).inc(told.output_tokens or 0)

    def refused(self, task: str, code: int) -> None:
        self._calls.labels(task, str(code)).inc()

    def expose(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)


class _LaneState(Collector):
    """The lanes as they are at the moment of the scrape."""

    def __init__(self, lanes: Mapping[LaneName, Lane]) -> None:
        self._lanes = lanes

    def collect(self) -> Iterable[Metric]:
        running = GaugeMetricFamily("sightline_lane_running", "Generations that hold a slot.", labels=["lane"])
        waiting = GaugeMetricFamily("sightline_lane_waiting", "Calls admitted that cannot start yet.", labels=["lane"])
        wait = GaugeMetricFamily("sightline_lane_predicted_wait_seconds", "Wait of a call that came now.", labels=["lane"])
        for name, lane in self._lanes.items():
            running.add_metric([name], lane.running)
            waiting.add_metric([name], lane.waiting)
            wait.add_metric([name], lane.predicted_wait())
        return [running, waiting, wait]
