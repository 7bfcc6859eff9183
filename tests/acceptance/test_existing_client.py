"""An existing client: `requests` alone, the request that it has always sent, `response.json()` whatever the status."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.harness import FAKE, Running, lanes, serving
from tests.pictures import RED


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("service"), FAKE + lanes(), 'root_path = "/qwen-vl"') as running:
        yield running


def body(**changes: Any) -> dict[str, Any]:
    options = {"max_tokens": 512, "temperature": 0.7, "top_p": 0.9, "stream": False}
    return {"task": "vqa", "images": [RED, RED], "text": "Which one is larger?", "options": options, **changes}


def post(service: Running, path: str, content: Any, **more: Any) -> requests.Response:
    headers = {"Authorization": "Bearer sk-anything", "Content-Type": "application/json"}
    return requests.post(f"{service.url}{path}", json=content, headers=headers, timeout=30, **more)


def test_infer_is_read_with_json_whatever_the_status(service: Running) -> None:
    told = post(service, "/infer", body()).json()
    assert told["code"] == 0
    assert told["msg"] == "success"
    assert isinstance(told["result"]["answer"], str)
    assert isinstance(told["result"]["confidence"], float)
    metadata = told["result"]["metadata"]
    assert {"processing_time_ms", "activated_experts", "input_tokens", "output_tokens"} <= set(metadata)
    refused = post(service, "/infer", body(task="paint"))
    assert refused.json()["code"] == 1006
    assert "result" not in refused.json()


def test_the_lines_of_a_stream_are_printed_as_they_come(service: Running) -> None:
    response = post(service, "/infer_stream", body(), stream=True)
    lines = [line.decode() for line in response.iter_lines() if line]
    assert lines[0] == "event: accepted"
    tokens = [json.loads(line.removeprefix("data: ")) for name, line in itertools.pairwise(lines) if name == "event: token"]
    assert tokens[0]["index"] == 0
    final = json.loads(lines[lines.index("event: final") + 1].removeprefix("data: "))
    assert final["answer"] == "".join(token["token"] for token in tokens)
    assert final["metadata"]["output_tokens"] > 0


def test_a_hundred_megabytes_sent_to_the_end_still_get_an_answer_that_can_be_read(service: Running) -> None:
    told = post(service, "/infer", body(text="x" * 100_000_000)).json()
    assert told["code"] == 1004
    assert told["error"]["details"]["limit"] == 32 * 2**20
