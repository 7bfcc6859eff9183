"""What is recorded of a server beside the contract itself: the ways in which it says no, and answers in one piece.

Each case runs twice: against the real server, to be recorded, and against its recording. What it asserts is what our client makes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from sightline.backends.asked import Features
from sightline.backends.dialects import DIALECTS, Dialect
from sightline.backends.openai import OpenAIClient
from sightline.prompt import Delta, Frame, Message, Prompt, Sampling
from sightline.protocol.errors import BackendUnavailable, Error, MalformedRequest, Overloaded
from tests.contract.backends.test_backend import frame


@dataclass(frozen=True)
class Place:
    """A server to ask. `crowd` is how many requests it takes to fill its queue: one, where the answer is a recording."""

    url: str
    dialect: Dialect
    model: str
    key: str | None = None
    crowd: int = 1

    def client(self, *, model: str | None = None, key: str | None = None) -> OpenAIClient:
        return OpenAIClient(
            self.url,
            dialect=self.dialect,
            model=model or self.model,
            key=key or self.key,
            features=Features(experts=self.dialect.routed_experts, total_experts=8),
        )


Case = Callable[[Place], Awaitable[None]]


def question(*parts: str | Frame, tokens: int = 8, seed: int | None = None) -> Prompt:
    return Prompt((Message("user", parts or (frame(3), "What is it?")),), Sampling(tokens, temperature=0.0, seed=seed))


async def ask(client: OpenAIClient, prompt: Prompt) -> list[Delta]:
    try:
        async with asyncio.timeout(120):
            return [delta async for delta in client.generate(prompt, tenant="t")]
    finally:
        await client.close()


async def refusal(client: OpenAIClient, prompt: Prompt) -> Error:
    with pytest.raises(Error) as caught:
        await ask(client, prompt)
    return caught.value


async def a_model_that_is_not_there(place: Place) -> None:
    error = await refusal(place.client(model="nobody"), question("Hello"))
    assert type(error) is BackendUnavailable
    assert (error.cause or "").startswith(("HTTP 404", "HTTP 400"))


async def an_answer_in_one_piece(place: Place) -> None:
    """Asked for where the server can tell which experts were at work."""
    prompt = question()
    prompt = Prompt(prompt.messages, prompt.sampling, whole=True)
    deltas = await ask(place.client(), prompt)
    assert len(deltas) == 1
    last = deltas[-1]
    assert last.finish in ("stop", "length")
    assert last.text
    assert last.usage is not None
    assert last.usage.output_tokens >= 1
    assert last.logprobs is not None
    assert "".join(token.token for token in last.logprobs) == last.text


async def a_schema_that_cannot_be_kept(place: Place) -> None:
    prompt = question("Hello")
    error = await refusal(place.client(), Prompt(prompt.messages, prompt.sampling, {"type": "nonsense"}))
    assert type(error) is MalformedRequest
    assert error.details["field"] == "response_format"


async def a_picture_that_it_has_forgotten(place: Place) -> None:
    client = place.client()
    client.remember_picture(frame(6), "t")
    assert "".join(delta.text for delta in await ask(client, question(frame(6), "What is it?")))


async def a_picture_that_is_none(place: Place) -> None:
    error = await refusal(place.client(), question(Frame(b"no picture", "image/png", 64, 64, 4, digest="no"), "What is it?"))
    assert type(error) is BackendUnavailable


async def a_prompt_over_its_context(place: Place) -> None:
    error = await refusal(place.client(), question("word " * 40_000))
    assert type(error) is MalformedRequest
    assert "token" in error.say("en")
    assert error.advise("en").startswith("Allowed: at most ")


async def a_full_queue(place: Place) -> None:
    crowd = [asyncio.create_task(ask(place.client(), question("Count to a thousand.", tokens=400, seed=1))) for _ in range(place.crowd)]
    found: BaseException | None = None
    for task in asyncio.as_completed(crowd):
        try:
            await task
        except Error as error:
            found = error
            break
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    assert type(found) is Overloaded


async def a_key_that_it_refuses(place: Place) -> None:
    error = await refusal(place.client(key="not the key"), question("Hello"))
    assert type(error) is BackendUnavailable
    assert (error.cause or "").startswith("HTTP 401")


COMMON: tuple[Case, ...] = (
    a_model_that_is_not_there,
    a_schema_that_cannot_be_kept,
    a_picture_that_is_none,
    a_prompt_over_its_context,
    a_key_that_it_refuses,
)


async def a_page_instead_of_an_answer(place: Place) -> None:
    """What a proxy says of a server that is not there."""
    error = await refusal(place.client(), question("Hello"))
    assert type(error) is BackendUnavailable
    assert (error.cause or "").startswith("HTTP 50")
    client = place.client()
    with pytest.raises(BackendUnavailable):
        await client.models()
    await client.close()


def cases_of(server: str) -> tuple[Case, ...]:
    """What a server of that kind is asked; whatever is no dialect is a proxy without a server behind it."""
    match server:
        case "vllm":
            return (*COMMON, an_answer_in_one_piece, a_picture_that_it_has_forgotten, a_full_queue)
        case "llama.cpp":
            return tuple(case for case in COMMON if case is not a_model_that_is_not_there)  # one model, under any name
        case _:
            return COMMON if server in DIALECTS else (a_page_instead_of_an_answer,)
