"""A call as a span: its times, its place in the caller's trace, and nothing that was said."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from sightline.protocol.errors import BackendUnavailable
from sightline.protocol.requests import InferRequest
from sightline.server.tracing import TRACE_PARENT, Spans
from tests.doubles import Bench
from tests.unit.service.test_infer import gather

pytest.importorskip("opentelemetry.sdk", reason="traces need the extra: pip install 'sightline[otel]'")


@pytest.fixture
def exported() -> Iterator[Any]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    calls = logging.getLogger("sightline.calls")
    level, handler = calls.level, Spans(provider)
    calls.setLevel(logging.INFO)
    calls.addHandler(handler)
    yield exporter
    calls.removeHandler(handler)
    calls.setLevel(level)
    handler.close()


async def test_a_call_is_a_span_under_the_callers_trace(exported: Any) -> None:
    bench = Bench(words=["a secret answer", "and more"])
    bench.backend.pause = 0.01
    token = TRACE_PARENT.set("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    await gather(bench, bench.call(InferRequest(task="vqa", images=["a"], text="a secret question"), request_id="req_5"))
    TRACE_PARENT.reset(token)
    (span,) = exported.get_finished_spans()
    assert (span.name, format(span.context.trace_id, "032x")) == ("vqa", "0af7651916cd43dd8448eb211c80319c")
    assert format(span.parent.span_id, "016x") == "b7ad6b7169203331"
    assert span.attributes["sightline.request_id"] == "req_5"
    assert span.attributes["gen_ai.usage.output_tokens"] == 2
    assert span.start_time < span.events[0].timestamp <= span.end_time
    assert "secret" not in span.to_json()


async def test_a_failure_is_marked_as_one_and_a_trace_that_is_none_is_ignored(exported: Any) -> None:
    bench = Bench()
    bench.backend.failures = [BackendUnavailable(cause="the engine at /secret/path")] * 2
    token = TRACE_PARENT.set("nonsense")
    with pytest.raises(BackendUnavailable):
        await gather(bench, bench.call())
    TRACE_PARENT.reset(token)
    (span,) = exported.get_finished_spans()
    assert (span.status.is_ok, span.status.description, span.parent) == (False, "5001", None)
    assert "secret" not in span.to_json()
