"""The official `openai` client for JavaScript, with nothing changed but its address."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.crowded import Crowded
from tests.acceptance.javascript.run import packages, run
from tests.harness import Running
from tests.pictures import RED


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    packages()


@pytest.fixture(scope="module")
def came(door: Running) -> Any:
    return run("door.mjs", f"{door.url}/v1", RED)


def test_text_alone_several_turns_and_an_answer_sent_back(came: Any) -> None:
    told = came["conversation"]
    assert (told["role"], told["model"]) == ("assistant", "fake")
    assert told["text"]
    assert told["usage"]["total_tokens"] == told["usage"]["prompt_tokens"] + told["usage"]["completion_tokens"]


def test_a_picture_is_seen(came: Any) -> None:
    assert came["picture"] > 0


def test_a_stream_adds_up_and_tells_its_usage(came: Any) -> None:
    assert came["stream"]["text"] == came["whole"]
    assert came["stream"]["finish"] == "stop"
    assert came["stream"]["usage"]["completion_tokens"] > 0


def test_an_answer_follows_a_schema(came: Any) -> None:
    assert isinstance(came["schema"]["count"], int)


def test_log_probabilities_cover_the_answer(came: Any) -> None:
    assert came["logprobs"] == came["whole"]


def test_models_are_listed(came: Any) -> None:
    assert came["models"] == ["fake", "default"]


def test_errors_are_the_clients_own(came: Any) -> None:
    assert came["tools"]["kind"] == "BadRequestError"
    assert came["tools"]["param"] == "tools"
    assert "tools" in came["tools"]["message"]
    assert (came["unknown"]["kind"], came["unknown"]["code"]) == ("NotFoundError", "model_not_found")
    assert (came["media"]["status"], came["media"]["code"]) == (422, "media_unreachable")
    assert came["elsewhere"] == {"kind": "NotFoundError", "status": 404}


@pytest.mark.parametrize("status", [503, 429])
def test_it_comes_back_after_a_refusal_that_passes(crowded: Crowded, status: int) -> None:
    with crowded.occupied(status) as key:
        told = run("again.mjs", crowded.base_url, key)
    assert told["statuses"] == [status, 200]
    assert told["text"]
