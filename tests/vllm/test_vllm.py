"""What every backend promises, kept by a real vLLM; and the bundled model through the gateway, served by vLLM and by llama.cpp."""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import pytest

from sightline.backends.dialects import VLLM
from sightline.backends.openai import OpenAIClient
from sightline.backends.remote import RemoteBackend
from sightline.prompt import Message, Prompt, Sampling
from sightline.protocol.errors import Error, MalformedRequest, Overloaded
from tests.acceptance.test_model import BUNDLED, CASES, pictures
from tests.contract.backends.test_backend import (  # the contract itself, with this folder's engine
    frame,
    said,
    test_a_schema_is_kept,
    test_an_answer_ends_with_its_reason_and_its_cost,
    test_closing_the_generator_stops_the_decoding,
    test_it_says_what_it_is,
    test_more_questions_than_slots_are_all_answered,
    test_the_answer_is_no_longer_than_asked,
    test_the_same_question_has_the_same_answer,
    test_tokens_come_with_their_log_probabilities,
    test_what_is_waiting_can_be_given_up,
    whole,
)
from tests.harness import Running, serving
from tests.vllm.conftest import EXPERTS, connect
from tests.vllm.export import File, text_weights
from tests.vllm.server import KEY

__all__ = [
    "test_a_schema_is_kept",
    "test_an_answer_ends_with_its_reason_and_its_cost",
    "test_closing_the_generator_stops_the_decoding",
    "test_it_says_what_it_is",
    "test_more_questions_than_slots_are_all_answered",
    "test_the_answer_is_no_longer_than_asked",
    "test_the_same_question_has_the_same_answer",
    "test_tokens_come_with_their_log_probabilities",
    "test_what_is_waiting_can_be_given_up",
]
pytestmark = pytest.mark.timeout(900)
LEAST_AGREEMENT = 0.9


@pytest.fixture(scope="module")
def through_vllm(vllm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("vllm"), settings(vllm)) as running:
        yield running


@pytest.fixture(scope="module")
def telling_of_experts(telling_vllm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The gateway over a vLLM that tells which experts were at work."""
    with serving(tmp_path_factory.mktemp("experts"), settings(telling_vllm, f"routed_experts = true\nexperts = {EXPERTS}\n")) as running:
        yield running


def settings(url: str, more: str = "") -> str:
    os.environ["SIGHTLINE_TEST_KEY"] = KEY
    engine = f'[backends.own]\nkind = "openai"\nurl = "{url}"\ndialect = "vllm"\nkey_env = "SIGHTLINE_TEST_KEY"\n'
    pixels = "min_pixels = 4096\nmax_pixels = 65536\nmost_pixels = 65536\n"
    return engine + pixels + more + "".join(f'[lanes.{lane}]\nbackends = ["own"]\nslots = 16\n' for lane in "ABC")


@pytest.fixture(scope="module")
def through_llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("llama"), BUNDLED) as running:
        yield running


def ask(service: Running, case: dict[str, Any]) -> str:
    options = {"temperature": 0, "cache": "off", "timeout_ms": 240_000}
    body = {"task": case.get("task", "vqa"), "images": pictures(case), "text": case["text"], "options": options}
    told = httpx.post(f"{service.url}/infer", json=body, timeout=300, trust_env=False)
    assert told.status_code == 200, told.text
    return str(told.json()["result"]["answer"])


def test_both_engines_give_the_same_answers(through_vllm: Running, through_llama: Running, capsys: pytest.CaptureFixture[str]) -> None:
    cases = [case for case in CASES if isinstance(case["image"], str)]
    with ThreadPoolExecutor(2) as threads:
        ours, theirs = (
            list(threads.map(lambda case, running=running: ask(running, case), cases)) for running in (through_vllm, through_llama)
        )
    same = sum(one == other for one, other in zip(ours, theirs, strict=True))
    right = [sum(answer == case["answer"] for answer, case in zip(answers, cases, strict=True)) for answers in (ours, theirs)]
    with capsys.disabled():
        print(f"\nagreement {same} of {len(cases)}; right: vLLM {right[0]}, llama.cpp {right[1]}")  # noqa: T201 - the figure is what this run is for
    assert same / len(cases) >= LEAST_AGREEMENT


async def test_a_picture_is_sent_once_and_named_afterwards(engine: RemoteBackend) -> None:
    question = Prompt((Message("user", (frame(5), "What is it?")),), Sampling(8, temperature=0.0))
    assert said(await whole(engine, question)) == said(await whole(engine, question))


async def test_a_picture_that_the_server_has_forgotten_is_sent_again(vllm: str) -> None:
    client = OpenAIClient(vllm, dialect=VLLM, model="sight-nano", key=KEY)
    client.remember_picture(frame(6), "t")  # which it has never seen
    question = Prompt((Message("user", (frame(6), "What is it?")),), Sampling(8, temperature=0.0))
    assert "".join([delta.text async for delta in client.generate(question, tenant="t")])
    await client.close()


async def test_a_prompt_over_the_context_is_refused_with_the_numbers(engine: RemoteBackend) -> None:
    with pytest.raises(MalformedRequest) as refusal:
        await whole(engine, Prompt((Message("user", ("word " * 6000,)),), Sampling(8)))
    assert refusal.value.advise("en").startswith("Allowed: at most 4096")


async def test_a_full_queue_is_overload(engine: RemoteBackend) -> None:
    async def one(number: int) -> str:
        try:
            await whole(engine, Prompt((Message("user", (f"Count from {number}.",)),), Sampling(400, temperature=1.0, seed=number)))
        except Error as error:
            return type(error).__name__
        return "answered"

    outcomes = Counter(await asyncio.gather(*(one(number) for number in range(60))))
    assert outcomes["answered"] >= 8
    assert outcomes[Overloaded.__name__] >= 1
    assert set(outcomes) == {"answered", Overloaded.__name__}


def test_a_full_engine_is_the_gateways_overload(through_vllm: Running) -> None:
    body = {"task": "chat", "text": "Count.", "options": {"max_tokens": 400, "temperature": 1, "allow_degraded": False}}

    def post(number: int) -> tuple[int, int]:
        sent = {**body, "text": f"Count from {number}."}
        told = httpx.post(f"{through_vllm.url}/infer", json=sent, timeout=120, trust_env=False)
        return told.status_code, told.json()["code"]

    with ThreadPoolExecutor(60) as threads:
        outcomes = Counter(threads.map(post, range(60)))
    assert set(outcomes) <= {(200, 0), (503, 2001), (504, 2002)}
    assert outcomes[200, 0] >= 8


def metric(vllm: str, name: str) -> float:
    """As vLLM counts it."""
    page = httpx.get(f"{vllm}/metrics", timeout=60, trust_env=False).text
    return sum(float(line.rsplit(None, 1)[1]) for line in page.splitlines() if line.startswith((name + "{", name + " ")))


def test_a_caller_that_leaves_is_seen_in_its_metrics(through_vllm: Running, vllm: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What runs ends, long before the end of its answer. (vLLM 0.32 counts no abort among `request_success_total` for it.)"""
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 900, "maxItems": 900}
    form = {"type": "json_schema", "json_schema": {"name": "numbers", "schema": schema}}
    messages = [{"role": "user", "content": "Count."}]
    body = {"model": "default", "messages": messages, "stream": True, "max_tokens": 2000, "response_format": form}
    running, generated = "vllm:num_requests_running", "vllm:generation_tokens_total"
    before = metric(vllm, generated)
    with httpx.stream("POST", f"{through_vllm.url}/v1/chat/completions", json=body, timeout=120, trust_env=False) as answer:
        assert answer.status_code == 200, answer.read()
        events = (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {"))
        assert next(event for event in events if event["choices"][0]["delta"].get("content"))
        assert metric(vllm, running) == 1
    until = time.monotonic() + 60
    while metric(vllm, running) and time.monotonic() < until:
        time.sleep(0.05)
    assert metric(vllm, running) == 0
    made = metric(vllm, generated) - before
    with capsys.disabled():
        print(f"\nleft after {made:g} tokens of more than 1800; {running}: 1 -> 0")  # noqa: T201 - the figure is what this run is for
    assert made < 1800


def test_the_experts_at_work_are_told(telling_of_experts: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """Of an answer in one piece, in its metadata: of every token in every layer, counted by vLLM's own capture."""
    case = next(case for case in CASES if isinstance(case["image"], str))
    options = {"temperature": 0, "cache": "off", "max_tokens": 8, "timeout_ms": 240_000}
    body = {"task": "vqa", "images": pictures(case), "text": case["text"], "options": options}
    used: list[dict[str, Any]] = []
    for _ in range(2):
        told = httpx.post(f"{telling_of_experts.url}/infer", json=body, timeout=300, trust_env=False)
        assert told.status_code == 200, told.text
        used.append(told.json()["result"]["metadata"]["expert_usage"])
    with capsys.disabled():
        print(f"\nexperts at work: {used[0]}")  # noqa: T201 - the figure is what this run is for
    assert used[0]["total"] == EXPERTS * used[0]["layers"]
    assert used[0]["layers"] <= used[0]["distinct"] <= used[0]["total"]
    assert 0 < used[0]["entropy"] <= math.log2(EXPERTS)
    assert used[0] == used[1], "the same question takes the same way"


async def test_an_answer_that_streams_tells_no_experts(telling_vllm: str) -> None:
    backend = connect(telling_vllm, experts=True)
    await backend.start()
    question = Prompt((Message("user", ("What is a star?",)),), Sampling(4, temperature=0.0))
    streamed = await whole(backend, question)
    in_one_piece = await whole(backend, Prompt(question.messages, question.sampling, whole=True))
    await backend.close()
    assert said(streamed) == said(in_one_piece)
    assert [delta.experts for delta in streamed] == [None] * len(streamed)
    assert in_one_piece[-1].experts is not None


def test_the_layout_is_the_published_one() -> None:
    weights = text_weights(File(Path(str(resources.files("sightline.models"))) / "sight-nano.gguf"))
    up = next(weights[name] for name in weights if name.endswith("experts.gate_up_proj"))
    down = next(weights[name] for name in weights if name.endswith("experts.down_proj"))
    assert up.shape[0] == down.shape[0]
    assert up.shape[2] == 2 * down.shape[1]
    assert up.shape[1] == down.shape[2]
