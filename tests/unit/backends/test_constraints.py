"""How an answer is held to a schema: what each kind of server is asked, and what becomes of an answer that is nothing but blanks."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from sightline.backends.constraints import Blanks, constrain, has_own_form
from sightline.backends.dialects import DIALECTS, GENERIC, LLAMA_CPP, VLLM, Dialect
from sightline.backends.openai import OpenAIClient
from sightline.prompt import Delta, Message, Prompt, Sampling
from sightline.protocol.errors import MalformedRequest
from tests.contract.backends.servers import DONE, chunk, refusing, sending, serving

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
COMMON = {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}}
BOUNDED = {"response_format": {"type": "structural_tag", "format": {"type": "json_schema", "json_schema": SCHEMA, "max_whitespace_cnt": 1}}}


def asking(schema: dict[str, Any] | None = SCHEMA, grammar: str | None = None) -> Prompt:
    return Prompt((Message("user", ("How many?",)),), Sampling(64), schema, grammar)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())
def test_a_schema_reaches_every_server(dialect: Dialect) -> None:
    assert constrain(asking(), dialect) == (BOUNDED if dialect is VLLM else COMMON)
    assert constrain(asking(), dialect, common=True) == COMMON
    assert constrain(asking(None), dialect) == {}


def test_a_grammar_goes_where_one_is_read() -> None:
    prompt = asking(grammar="root ::= x")
    assert constrain(prompt, LLAMA_CPP) == {"grammar": "root ::= x"}
    assert constrain(prompt, VLLM) == {"structured_outputs": {"grammar": "root ::= x"}}
    assert constrain(prompt, GENERIC) == constrain(prompt, VLLM, common=True) == COMMON


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "multipleOf": 5},
        {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}},
        {"type": "array", "items": {"type": "string", "pattern": "a+"}},
        {"anyOf": [{"type": "string"}, {"not": {"type": "null"}}]},
        {"$defs": {"x": {"allOf": []}}, "$ref": "#/$defs/x"},
        {"type": "object", "additionalProperties": {"format": "date"}},
        {"properties": []},
        {"anyOf": {}},
        {"items": 3},
    ],
)
def test_what_a_structural_tag_might_not_keep_is_asked_in_the_common_form(schema: dict[str, Any]) -> None:
    """There vLLM itself looks which of its libraries keeps it."""
    assert constrain(asking(schema), VLLM)["response_format"]["type"] == "json_schema"
    assert not has_own_form(asking(schema), VLLM)


async def ask(url: str, prompt: Prompt, *, dialect: Dialect = VLLM, times: int = 1) -> list[Delta]:
    client = OpenAIClient(url, dialect=dialect, model="m")
    deltas: list[Delta] = []
    try:
        async with asyncio.timeout(10):
            for _ in range(times):
                deltas = [delta async for delta in client.generate(prompt, tenant="t")]
    finally:
        await client.close()
    return deltas


async def test_a_server_that_refuses_its_kinds_form_is_asked_in_the_common_one_from_then_on() -> None:
    """A vLLM that was started with another library for its grammars does."""
    asked: list[str] = []

    async def chat(request: web.Request) -> web.StreamResponse:
        asked.append((await request.json())["response_format"]["type"])
        if asked[-1] != "json_schema":
            return await refusing(400, {"error": {"message": "Invalid structural tag specification."}})(request)
        return await sending(chunk('{"n":3}'), chunk(finish="stop"), DONE)(request)

    async with serving(chat) as url:
        deltas = await ask(url, asking(), times=2)
    assert deltas[-1].text == '{"n":3}'
    assert asked == ["structural_tag", "json_schema", "json_schema"]


async def test_a_schema_that_it_refuses_in_both_forms_is_the_callers() -> None:
    async with serving(refusing(400, {"error": {"message": "Invalid schema: nonsense"}})) as url:
        with pytest.raises(MalformedRequest):
            await ask(url, asking())


async def test_an_answer_that_becomes_nothing_but_blanks_is_cut_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    blanks = [chunk(" \n" * 50)] * 20
    async with serving(sending(chunk('{"n": 3'), *blanks, 30.0)) as url:
        with caplog.at_level(logging.WARNING, "sightline.backends"):
            deltas = await ask(url, asking(), dialect=GENERIC)
    assert deltas[-1].finish == "length", "an answer that is not whole says so"
    assert "blanks" in caplog.text


async def test_blanks_are_free_where_no_schema_is_asked_for() -> None:
    pieces = [chunk(" " * 100)] * 20
    async with serving(sending(*pieces, chunk("|"), chunk(finish="stop"), DONE)) as url:
        deltas = await ask(url, asking(None), dialect=GENERIC)
    assert "".join(delta.text for delta in deltas) == " " * 2000 + "|"
    assert deltas[-1].finish == "stop"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    st.integers(1, 7),
)
def test_json_as_people_write_it_is_never_cut(value: object, size: int) -> None:
    text, blanks = json.dumps(value, indent=4), Blanks()
    assert not any(blanks.run_away(text[at : at + size]) for at in range(0, len(text), size))


@given(st.lists(st.integers(1, 30), min_size=1), st.text(alphabet=" \t\r\n", min_size=401, max_size=600))
def test_blanks_are_counted_however_they_are_cut_into_pieces(cuts: list[int], run: str) -> None:
    blanks, pieces, at = Blanks(), list[str](), 0
    while at < len(run):
        step = cuts[len(pieces) % len(cuts)]
        pieces.append(run[at : at + step])
        at += step
    outcomes = [blanks.run_away(piece) for piece in pieces]
    assert outcomes[-1]
    assert outcomes == sorted(outcomes), "once away, always away"
