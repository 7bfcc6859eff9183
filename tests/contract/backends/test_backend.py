"""What the service may expect of every `Backend`, whatever stands behind it."""

from __future__ import annotations

import asyncio
import json

import cv2
import numpy as np
import pytest

from sightline.prompt import Delta, Frame, Message, Prompt, Sampling
from sightline.protocol.errors import MalformedRequest
from tests.contract.backends.conftest import SLOTS, Engine

SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 0, "maximum": 9}, "colour": {"enum": ["red", "blue"]}},
    "required": ["count", "colour"],
    "additionalProperties": False,
}


def frame(seed: int = 0) -> Frame:
    pixels = cv2.resize(np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8), (256, 256))
    return Frame(cv2.imencode(".png", pixels)[1].tobytes(), "image/png", 256, 256, 64, digest=f"{seed:064x}")


def question(text: str = "How many shapes are there?", tokens: int = 24, **sampling: object) -> Prompt:
    return Prompt((Message("user", (frame(), text)),), Sampling(tokens, temperature=0.0, **sampling))  # pyright: ignore[reportArgumentType] - fields of Sampling


async def whole(engine: Engine, prompt: Prompt) -> list[Delta]:
    return [delta async for delta in engine.generate(prompt, tenant="t")]


def said(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


async def test_an_answer_ends_with_its_reason_and_its_cost(engine: Engine) -> None:
    deltas = await whole(engine, question())
    assert [delta.finish for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].finish in ("stop", "length")
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.input_tokens > 1
    assert 1 <= deltas[-1].usage.output_tokens <= 24
    assert said(deltas)


async def test_the_answer_is_no_longer_than_asked(engine: Engine) -> None:
    deltas = await whole(engine, Prompt(question().messages, Sampling(1, temperature=0.0)))
    assert deltas[-1].finish == "length"
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.output_tokens == 1


async def test_tokens_come_with_their_log_probabilities(engine: Engine) -> None:
    deltas = await whole(engine, question())
    tokens = [token for delta in deltas for token in delta.logprobs or ()]
    assert tokens
    assert all(token.logprob <= 0 for token in tokens)
    assert all(delta.logprobs is not None for delta in deltas if delta.text)


async def test_the_same_question_has_the_same_answer(engine: Engine) -> None:
    first, second = await whole(engine, question()), await whole(engine, question())
    assert said(first) == said(second)


async def test_a_schema_is_kept(engine: Engine) -> None:
    prompt = question(tokens=200)
    answer = json.loads(said(await whole(engine, Prompt(prompt.messages, prompt.sampling, SCHEMA))))
    assert set(answer) == {"count", "colour"}
    assert answer["colour"] in ("red", "blue")


async def test_closing_the_generator_stops_the_decoding(engine: Engine) -> None:
    prompt = question("Describe everything in great detail, word by word.", tokens=2000)
    prompt = Prompt(prompt.messages, prompt.sampling, {"type": "array", "items": {"type": "integer"}, "minItems": 900, "maxItems": 900})
    before = await engine.decoded_tokens()
    deltas = engine.generate(prompt, tenant="t")
    seen = 0
    async for delta in deltas:
        seen += len(delta.logprobs or ())
        if seen:
            break
    await deltas.aclose()
    await asyncio.sleep(0.3)
    stopped = await engine.decoded_tokens()
    await asyncio.sleep(0.3)
    assert await engine.decoded_tokens() == stopped
    assert 0 < stopped - before < 1500


async def test_more_questions_than_slots_are_all_answered(engine: Engine) -> None:
    answers = await asyncio.gather(*(whole(engine, question(f"What is picture {number}?", tokens=8)) for number in range(3 * SLOTS)))
    assert [deltas[-1].finish is not None for deltas in answers] == [True] * 3 * SLOTS


async def test_what_is_waiting_can_be_given_up(engine: Engine) -> None:
    """Closing a generation that still waits for a slot leaves the engine as good as before."""
    long = Prompt(question().messages, Sampling(400, temperature=1.0, seed=1))
    tasks = [asyncio.create_task(whole(engine, long)) for _ in range(3 * SLOTS)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert said(await whole(engine, question()))


async def test_it_says_what_it_is(engine: Engine) -> None:
    assert engine.ready()
    assert await engine.wait_ready(0.1)
    info = engine.info
    assert info is not None
    assert info.name
    assert info.context_tokens
    assert info.view.min_pixels <= info.view.max_pixels <= info.max_view_pixels
    assert info.fake == (type(engine).__name__ == "FakeBackend")


async def test_a_prompt_over_the_context_is_the_callers_to_shorten(engine: Engine) -> None:
    if type(engine).__name__ == "FakeBackend" or engine.name == "remote":
        pytest.skip("only a real engine has a context to fill; the others' refusals are scripted in the unit tests")
    with pytest.raises(MalformedRequest) as refusal:
        await whole(engine, Prompt((Message("user", ("word " * 40_000,)),), Sampling(8)))
    assert "token" in refusal.value.say("en")
    assert refusal.value.advise("en").startswith("Allowed: at most ")
