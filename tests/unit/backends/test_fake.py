"""The fake engine: what load measurements and other tests stand on."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from sightline.backends.fake import FAKE_INFO, FakeBackend
from sightline.prompt import Delta, Frame, Message, Prompt, Sampling
from sightline.protocol.errors import BackendUnavailable


def prompt(text: str = "What?", digest: str = "a", **sampling: object) -> Prompt:
    shown = Frame(b"", "image/png", 32, 32, 64, digest)
    return Prompt((Message("user", (shown, text)),), Sampling(**{"max_tokens": 64, **sampling}))  # pyright: ignore[reportArgumentType] - fields of Sampling


def quick(**settings: float) -> FakeBackend:
    return FakeBackend(prefill_tokens_per_s=math.inf, decode_tokens_per_s=math.inf, **settings)  # pyright: ignore[reportArgumentType] - fields of FakeBackend


async def answer(engine: FakeBackend, asked: Prompt) -> str:
    return "".join([delta.text async for delta in engine.generate(asked, tenant="t")])


async def test_an_answer_is_a_function_of_the_prompt() -> None:
    assert await answer(quick(), prompt()) == await answer(quick(), prompt())
    answers = {await answer(quick(), asked) for asked in (prompt(), prompt("Who?"), prompt(digest="b"), prompt(seed=1))}
    assert len(answers) == 4
    assert all(text.startswith("Simulated:") for text in answers)


async def test_it_is_labelled_whatever_it_is_given() -> None:
    info = FakeBackend(info=FAKE_INFO).info
    assert info is not None
    assert info.fake


async def test_length_and_stop_words() -> None:
    deltas = [delta async for delta in quick(answer_tokens=30).generate(prompt(max_tokens=5), tenant="t")]
    assert deltas[-1].finish == "length"
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.output_tokens == 5
    text = await answer(quick(answer_tokens=30), prompt())
    word = text.split()[3]
    assert await answer(quick(answer_tokens=30), prompt(stop=(word,))) == text.split(word)[0]


async def test_a_schema_is_met() -> None:
    schema = {
        "$defs": {"Bar": {"type": "object", "properties": {"label": {"type": "string"}, "value": {"type": "number"}}}},
        "type": "object",
        "properties": {
            "bars": {"type": "array", "items": {"$ref": "#/$defs/Bar"}, "minItems": 2},
            "kind": {"enum": ["bar", "line"]},
            "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        },
    }
    asked = prompt()
    made = json.loads(await answer(quick(), Prompt(asked.messages, asked.sampling, schema)))
    assert made == {"bars": [{"label": "simulated", "value": 1}] * 2, "kind": "bar", "note": None}


async def test_slots_are_all_that_run_at_a_time() -> None:
    engine = FakeBackend(prefill_tokens_per_s=math.inf, decode_tokens_per_s=100, slots=1, answer_tokens=1000)
    first = engine.generate(prompt(max_tokens=1000), tenant="t")
    await anext(first)
    second = asyncio.ensure_future(anext(engine.generate(prompt(), tenant="t")))
    await asyncio.sleep(0.1)
    assert not second.done()
    await first.aclose()
    assert isinstance(await second, Delta)


async def test_one_that_was_taken_away_breaks_off_and_comes_back() -> None:
    engine = FakeBackend(prefill_tokens_per_s=math.inf, decode_tokens_per_s=100, answer_tokens=1000)
    deltas = engine.generate(prompt(max_tokens=1000), tenant="t")
    await anext(deltas)
    engine.set_up(False)
    with pytest.raises(BackendUnavailable):
        [delta async for delta in deltas]
    assert not engine.ready()
    assert not await engine.wait_ready(0.01)
    engine.set_up(True)
    assert await engine.wait_ready(0.01)
