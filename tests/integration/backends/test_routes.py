"""A task whose settings give it an engine of its own, over HTTP with two servers in processes of their own."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import Running, serving
from tests.pictures import RED
from tests.replica import Started, replicas

ENGINES = """
[trust]
shipped_rules = false

[backends.general]
kind = "openai"
dialect = "vllm"
url = "{general}"
probe_s = 0.2

[backends.charts]
kind = "openai"
dialect = "vllm"
url = "{charts}"
probe_s = 0.2
max_pixels = 65536

[lanes.A]
backends = ["general"]
{lighter}

[lanes.B]
backends = ["general"]

[lanes.C]
backends = ["general"]

[routes.vqa]
backends = ["charts"]
"""


@pytest.fixture(params=["", 'lighter = ["general"]'], ids=["no lighter model", "a lighter model"])
def routed(tmp_path: Path, request: pytest.FixtureRequest) -> Generator[tuple[Running, Started]]:
    with replicas(("--model", "big", "--speed", "20"), ("--model", "tuned", "--speed", "20", "--context", "2048")) as started:
        config = ENGINES.format(general=started[0][1], charts=started[1][1], lighter=request.param)
        with serving(tmp_path, config) as running:
            yield running, started


def ask(running: Running, task: str, **options: Any) -> dict[str, Any]:
    body = {"task": task, "text": "What is it?", "images": [RED], "options": options}
    return httpx.post(f"{running.url}/infer", json=body, timeout=60).json()


def asked(started: Started) -> list[int]:
    return [httpx.get(f"{url}/asked", timeout=20).json()["asked"] for _, url in started]


def test_a_task_is_answered_by_its_own_engine_and_says_so(routed: tuple[Running, Started], request: pytest.FixtureRequest) -> None:
    running, started = routed
    own, other = ask(running, "vqa"), ask(running, "chat")
    assert (own["result"]["answer"], own["result"]["metadata"]["model"]) == ("I am tuned.", "tuned")
    assert (other["result"]["answer"], other["result"]["metadata"]["model"]) == ("I am big.", "big")
    assert own["result"]["metadata"].get("degraded") is None
    assert asked(started) == [1, 1]
    # Its limits are those of its own model, unless the caller asks for another by name.
    assert ask(running, "vqa", max_tokens=4000)["error"]["details"]["allowed"] == "1..2047"
    assert ask(running, "vqa", max_tokens=4000, model="big")["result"]["metadata"]["model"] == "big"
    told = {task["name"]: task.get("model") for task in httpx.get(f"{running.url}/tasks").json()["tasks"]}
    assert (told["vqa"], told["chat"]) == ("tuned", None)
    assert httpx.get(f"{running.url}/ready").json()["routes"] == {"vqa": True}

    started[1][0].kill()
    until = time.monotonic() + 20
    while httpx.get(f"{running.url}/ready").json()["routes"]["vqa"] and time.monotonic() < until:
        time.sleep(0.05)
    page = httpx.get(f"{running.url}/ready").json()
    assert (page["ready"], page["lanes"]["A"], page["routes"], page["away"]) == (
        True,
        True,
        {"vqa": False},
        {"charts": "it cannot be reached"},
    )
    without = ask(running, "vqa", timeout_ms=1500)
    if "a lighter model" in request.node.name:
        assert without["result"]["metadata"]["model"] == "big"
        assert without["result"]["metadata"]["degraded"] == {"requested": "tuned", "served": "big", "reason": "unavailable"}
    else:
        # The engine is away; or the caller's time was over while it was waited for.
        assert without["code"] in (5001, 2002)
    assert ask(running, "vqa", timeout_ms=1500, allow_degraded=False)["code"] in (5001, 2002)
    assert ask(running, "chat")["result"]["metadata"]["model"] == "big"
