"""The official `openai` client, with nothing changed but its address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.acceptance.crowded import Crowded
from tests.harness import Running
from tests.pictures import RED


@pytest.fixture
def client(door: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key="none", max_retries=0, timeout=20) as made:
        yield made


PICTURE: list[dict[str, Any]] = [
    {"type": "text", "text": "What is shown?"},
    {"type": "image_url", "image_url": {"url": RED, "detail": "low"}},
]


def ask(client: openai.OpenAI, content: Any = "Hello", **more: Any) -> Any:
    return client.chat.completions.create(model="default", messages=[{"role": "user", "content": content}], **more)


def test_text_alone_and_several_turns(client: openai.OpenAI) -> None:
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "And now?"},
    ]
    completion = client.chat.completions.create(model="fake", messages=messages, max_tokens=50, temperature=0, seed=1, stop=["zzz"])  # type: ignore[arg-type]
    choice = completion.choices[0]
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert choice.message.content
    assert completion.usage
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    assert completion.model == "fake"


def test_a_picture_is_seen_and_its_receipt_is_there(client: openai.OpenAI) -> None:
    completion = ask(client, PICTURE)
    ours = completion.model_extra["sightline"]
    assert ours["metadata"]["receipts"][0]["visual_tokens"] > 0
    assert 0 < ours["confidence"] <= 1


def test_a_stream_adds_up_and_tells_its_usage_when_asked(client: openai.OpenAI) -> None:
    chunks = list(ask(client, PICTURE, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == ask(client, PICTURE).choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    without = list(ask(client, PICTURE, stream=True))
    assert all(chunk.usage is None for chunk in without)


def test_an_answer_follows_a_schema(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"], "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    completion = ask(client, PICTURE, response_format=wanted)
    assert isinstance(json.loads(completion.choices[0].message.content)["count"], int)


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_cover_the_answer(client: openai.OpenAI, stream: bool) -> None:
    told = ask(client, PICTURE, logprobs=True, stream=stream)
    choices = [chunk.choices[0] for chunk in told if chunk.choices] if stream else [told.choices[0]]
    tokens = [token for choice in choices if choice.logprobs for token in choice.logprobs.content]
    text = "".join(choice.delta.content or "" for choice in choices) if stream else choices[0].message.content
    assert "".join(token.token for token in tokens) == text
    assert all(token.logprob <= 0 for token in tokens)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 3}, "n"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"temperature": 5}, "temperature"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"logprobs": True, "top_logprobs": 5}, "top_logprobs"),
        ({"user": "me"}, "user"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"extra_body": {"min_p": 0.1}}, "min_p"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(client: openai.OpenAI, more: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client, **more)
    assert raised.value.param == param
    assert param in raised.value.message


def test_errors_are_the_clients_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "x"}])
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        ask(client, [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}])
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="default", messages=[{"role": "assistant", "content": "x"}])
    with pytest.raises(openai.APIStatusError) as media:
        ask(client, [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/a.png"}}])
    assert (media.value.status_code, media.value.code) == (422, "media_unreachable")


def test_values_that_change_nothing_may_be_sent(client: openai.OpenAI) -> None:
    """Many programs always send these."""
    told = ask(client, n=1, frequency_penalty=0, presence_penalty=0.0, response_format={"type": "text"})
    assert told.choices[0].message.content


def test_an_answer_is_sent_back_as_it_came(client: openai.OpenAI) -> None:
    first = ask(client).choices[0].message
    messages = [{"role": "user", "content": "Hello"}, first, {"role": "user", "content": "And now?"}]
    assert client.chat.completions.create(model="default", messages=messages).choices[0].message.content  # type: ignore[arg-type]


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["fake", "default"]
    assert client.models.retrieve("default").id == "default"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.models.retrieve("gpt-9")
    assert unknown.value.code == "model_not_found"


def test_what_is_not_served_is_said_in_openais_shape(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as nothing:
        client.embeddings.create(model="default", input="x")
    assert "/v1/embeddings" in nothing.value.message
    assert nothing.value.type == "not_found_error"
    with pytest.raises(openai.APIStatusError) as method:
        client.get("/chat/completions", cast_to=object)
    assert method.value.status_code == 405


@pytest.mark.parametrize("status", [503, 429])
def test_it_comes_back_after_a_refusal_that_passes(crowded: Crowded, status: int) -> None:
    with crowded.occupied(status) as key, openai.OpenAI(base_url=crowded.base_url, api_key=key, max_retries=4) as client:
        told = client.chat.completions.with_raw_response.create(
            model="default", messages=[{"role": "user", "content": "Hello"}], max_tokens=3
        )
    assert told.retries_taken == 1
    assert told.parse().choices[0].message.content


@pytest.mark.parametrize(("status", "kind"), [(503, openai.InternalServerError), (429, openai.RateLimitError)])
def test_without_retries_the_refusal_is_told_with_its_time(crowded: Crowded, status: int, kind: type[openai.APIStatusError]) -> None:
    with (
        crowded.occupied(status) as key,
        openai.OpenAI(base_url=crowded.base_url, api_key=key, max_retries=0) as client,
        pytest.raises(kind) as refused,
    ):
        ask(client)
    assert refused.value.status_code == status
    assert int(refused.value.response.headers["retry-after"]) >= 1


async def test_the_asynchronous_client_too(door: Running) -> None:
    async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="none", max_retries=0) as client:
        stream = await client.chat.completions.create(model="default", messages=[{"role": "user", "content": "Hi"}], stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert text
