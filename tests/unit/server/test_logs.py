"""The log: one line a record, the request's id on it, and nothing that a caller said."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from sightline.protocol.requests import InferRequest
from sightline.server.logs import REQUEST_ID, configure
from tests.doubles import Bench
from tests.unit.service.test_infer import gather


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    root, calls = logging.getLogger(), logging.getLogger("sightline.calls")
    handlers, levels = root.handlers[:], (root.level, calls.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    calls.setLevel(levels[1])


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_every_call_is_one_line_without_what_was_said() -> None:
    configure(stream := io.StringIO(), as_json=True)
    bench = Bench(words=["a secret answer"])
    asked = InferRequest(task="vqa", images=["a"], text="a secret question", options=msgspec.Raw(b'{"system":"a secret role"}'))
    await gather(bench, bench.call(asked, request_id="req_7"))
    (line,) = lines(stream)
    assert {name: line[name] for name in ("request_id", "task", "lane", "code", "tenant", "model", "output_tokens")} == {
        "request_id": "req_7",
        "task": "vqa",
        "lane": "A",
        "code": 0,
        "tenant": "local",
        "model": "scripted",
        "output_tokens": 1,
    }
    assert line["ms"] >= 0
    assert "secret" not in stream.getvalue()


async def test_a_caller_who_left_is_told_from_a_failure() -> None:
    configure(stream := io.StringIO(), as_json=True)
    bench = Bench()
    events = bench.inference.stream(bench.call())
    await anext(events)
    await events.aclose()
    assert lines(stream)[-1]["code"] == 499


def test_what_is_logged_for_a_request_carries_its_id_and_a_line_is_a_line() -> None:
    configure(stream := io.StringIO(), as_json=True)
    token = REQUEST_ID.set("req_9")
    try:
        logging.getLogger("sightline.x").warning("one\ntwo %s", "three")
        try:
            raise RuntimeError("inside")
        except RuntimeError:
            logging.getLogger("sightline.x").exception("failed")
    finally:
        REQUEST_ID.reset(token)
    first, second = lines(stream)
    assert (first["request_id"], first["message"], first["level"]) == ("req_9", "one\ntwo three", "warning")
    assert "RuntimeError: inside" in second["traceback"]


async def test_a_terminal_gets_short_lines_that_nothing_can_break() -> None:
    configure(stream := io.StringIO(), as_json=False)
    bench = Bench()
    await gather(bench, bench.call(request_id="req_1"))
    logging.getLogger("sightline.x").warning("forged\n12:00:00 vqa on A: 0 in 1 ms")
    first, second = stream.getvalue().splitlines()
    assert "vqa on A: 0 in " in first
    assert first.endswith("(req_1)")
    assert "warning sightline.x: forged 12:00:00" in second


def test_below_a_warning_only_calls_are_told_unless_asked_for() -> None:
    configure(stream := io.StringIO(), as_json=True)
    logging.getLogger("sightline.engine").info("loading")
    assert not stream.getvalue()
    configure(stream, as_json=True, debug=True)
    logging.getLogger("sightline.engine").info("loading")
    assert lines(stream)[0]["message"] == "loading"
