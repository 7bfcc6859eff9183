"""Traces, with the extra `sightline[otel]`: every call as one span, under the trace that its caller sent (`traceparent`).

A call's span is made when the call is over, from the line that the log has of it: nothing stays open while it runs, and a span says
what the line says and no more. Where spans go is told by OpenTelemetry's own environment variables (`OTEL_EXPORTER_OTLP_ENDPOINT`).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from sightline.server.logs import fields_of

TRACE_PARENT: ContextVar[str | None] = ContextVar("trace_parent", default=None)
"""The W3C `traceparent` of the request that is being answered; the gate sets it."""
_NAMES = {
    "model": "gen_ai.response.model",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
}
"""Where the semantic conventions have a name, it is used; everything else is `sightline.*`."""


class Spans(logging.Handler):
    """Makes a span of every record of `sightline.calls`. `provider` is an OpenTelemetry `TracerProvider`."""

    def __init__(self, provider: Any, wall_ns: Callable[[], int] = time.time_ns) -> None:
        super().__init__(logging.INFO)
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer: Any = provider.get_tracer("sightline")
        self._propagator: Any = TraceContextTextMapPropagator()
        self._wall_ns = wall_ns

    def emit(self, record: logging.LogRecord) -> None:
        """Called by the logger, in the context of the call."""
        from opentelemetry.trace import SpanKind, StatusCode

        fields = fields_of(record)
        ended = self._wall_ns()
        started = ended - int(float(fields.get("ms", 0)) * 1e6)
        parent = TRACE_PARENT.get()
        span: Any = self._tracer.start_span(
            f"{fields.get('task', 'call')}",
            context=self._propagator.extract({"traceparent": parent}) if parent else None,
            kind=SpanKind.SERVER,
            start_time=started,
            attributes={_NAMES.get(name, f"sightline.{name}"): value for name, value in fields.items() if name not in ("ms", "cause")},
        )
        first = fields.get("first_token_ms")
        if first is not None:
            span.add_event("first_token", timestamp=started + int(first) * 1_000_000)
        if fields.get("code", 0) not in (0, 2001):
            span.set_status(StatusCode.ERROR, f"{fields.get('code')}")
        span.end(end_time=ended)

    def close(self) -> None:
        """Sends what has not been sent."""
        self._provider.shutdown()
        super().close()


def configure() -> None:
    """Sends spans where the environment says; nothing where it says nothing, or the extra is not installed."""
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        logging.getLogger(__name__).warning("no traces: they need the extra sightline[otel]")
        return
    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "sightline")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logging.getLogger("sightline.calls").addHandler(Spans(provider))
