"""LangChain's `ChatOpenAI`, with nothing changed but its address."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from tests.acceptance.crowded import Crowded
from tests.harness import Running
from tests.pictures import RED

langchain_openai = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed: pip install 'sightline[dev]'")
messages = pytest.importorskip("langchain_core.messages")

SHOWN = [{"type": "text", "text": "What is shown?"}, {"type": "image_url", "image_url": {"url": RED}}]


def chat(base_url: str, key: str = "none", **more: Any) -> Any:
    return langchain_openai.ChatOpenAI(base_url=base_url, api_key=key, model="default", timeout=20, **{"max_retries": 0, **more})


@pytest.fixture
def model(door: Running) -> Any:
    return chat(f"{door.url}/v1")


def test_text_alone_and_several_turns(model: Any) -> None:
    first = model.invoke("Hello")
    said = [messages.SystemMessage("Be short."), messages.HumanMessage("Hello"), first, messages.HumanMessage("And now?")]
    second = model.invoke(said, seed=1, stop=["zzz"], max_tokens=20)
    assert second.content
    assert second.usage_metadata["total_tokens"] > first.usage_metadata["input_tokens"] > 0


def test_a_picture_is_seen(model: Any) -> None:
    without = model.invoke([messages.HumanMessage(SHOWN[:1])])
    seen = model.invoke([messages.HumanMessage(SHOWN)])
    assert seen.usage_metadata["input_tokens"] > without.usage_metadata["input_tokens"]


def test_a_stream_adds_up(model: Any) -> None:
    pieces = list(model.stream([messages.HumanMessage(SHOWN)]))
    assert len(pieces) > 3
    assert "".join(piece.content for piece in pieces) == model.invoke([messages.HumanMessage(SHOWN)]).content


async def test_from_asyncio(model: Any) -> None:
    assert (await model.ainvoke("Hello")).content == "".join([piece.content async for piece in model.astream("Hello")])


class Count(BaseModel):
    """How many there are."""

    count: int
    colours: list[str]


def test_an_answer_is_an_object_of_a_class(model: Any) -> None:
    told = model.with_structured_output(Count, method="json_schema").invoke([messages.HumanMessage(SHOWN)])
    assert isinstance(told, Count)


def test_log_probabilities(model: Any) -> None:
    told = model.bind(logprobs=True).invoke("Hello")
    assert "".join(token["token"] for token in told.response_metadata["logprobs"]["content"]) == told.content


def test_errors_are_the_clients_own(model: Any) -> None:
    with pytest.raises(openai.BadRequestError) as tools:
        model.bind_tools([Count]).invoke("Hello")
    assert tools.value.param == "tools"
    with pytest.raises(openai.NotFoundError):
        model.bind(model="gpt-9").invoke("Hello")


@pytest.mark.parametrize("status", [503, 429])
def test_it_comes_back_after_a_refusal_that_passes(crowded: Crowded, status: int) -> None:
    statuses: list[int] = []
    watching = {"response": [lambda response: statuses.append(response.status_code)]}
    with httpx.Client(event_hooks=watching, trust_env=False) as http, crowded.occupied(status) as key:
        told = chat(crowded.base_url, key, max_retries=4, http_client=http).invoke("Hello", max_tokens=3)
    assert statuses == [status, 200]
    assert told.content
