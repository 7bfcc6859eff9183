"""Which experts were at work, as vLLM tells of a whole answer."""

from __future__ import annotations

import base64
import io
import json
import math

import numpy as np
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from sightline.backends.asked import Features
from sightline.backends.dialects import VLLM
from sightline.backends.experts import read_experts
from sightline.backends.openai import OpenAIClient
from sightline.prompt import Delta, Message, Prompt, Sampling, Usage
from sightline.protocol.errors import BackendUnavailable
from sightline.protocol.events import ExpertUsage
from tests.contract.backends.servers import serving


def encoded(array: object) -> str:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array))
    return base64.b64encode(buffer.getvalue()).decode()


OF_VLLM = (
    "k05VTVBZAQB2AHsnZGVzY3InOiAnfHUxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDE0LCA0LCAyKSwgfSAgICAgICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoCBQMEAAcEAwAFAAMBAgcABAYEBgEDBgEABwQCBwIHAQAEAQYBBwYHBAABBAEHBwEFAwMA"
    "BwAHAQUBAgQHBQUBBQECAwcBBwEBBAEEBAEHBgEFBAIHBQEHAQQBBAcBBwQBBAEEBAEHBgMGAAcABQQB"
)
"""What vLLM 0.32.0 told of a real answer of 2 tokens to a prompt of 13, by a model of 4 layers with 8 experts, 2 at a time."""


def test_what_a_real_vllm_told() -> None:
    assert read_experts(OF_VLLM, 8) == ExpertUsage(distinct=29, total=32, layers=4, entropy=2.509)
    array = np.load(io.BytesIO(base64.b64decode(OF_VLLM)))
    assert array.shape == (13 + 2 - 1, 4, 2)
    assert all(len(set(chosen)) == 2 for chosen in array.reshape(-1, 2).tolist()), "no expert is chosen twice for a token"


def test_experts_are_counted_by_layer_and_their_evenness_is_told() -> None:
    # Two tokens, two layers, two experts at a time: all alike in the first layer, always the same two in the second.
    routed = np.array([[[0, 1], [5, 6]], [[2, 3], [5, 6]]], dtype=np.uint8)
    assert read_experts(encoded(routed), 8) == ExpertUsage(distinct=6, total=16, layers=2, entropy=1.5)
    assert read_experts(encoded(routed), None) == ExpertUsage(distinct=6, total=None, layers=2, entropy=1.5)


def test_layers_without_experts_are_no_layers_of_the_mixture() -> None:
    routed = np.array([[[0, 0], [1, 3]], [[0, 0], [1, 2]]])
    found = read_experts(encoded(routed), 4)
    assert found is not None
    assert (found.layers, found.total, found.distinct) == (1, 4, 3)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5, 4, 2), np.int32),
        np.full((2, 2, 2), 9),
        np.full((2, 2, 2), -1),
        np.ones((2, 2)),
        np.ones((2, 2, 2)),
        np.ones((0, 2, 2), int),
    ],
    ids=["all zero", "beyond the experts", "negative", "two dimensions", "fractions", "no tokens"],
)
def test_what_cannot_be_true_is_unknown(array: np.ndarray) -> None:  # pyright: ignore[reportMissingTypeArgument, reportUnknownParameterType] - any array
    assert read_experts(encoded(array), 8) is None


@given(st.one_of(st.text(max_size=60), st.binary(max_size=200).map(lambda data: base64.b64encode(data).decode())))
def test_nonsense_is_unknown(text: str) -> None:
    assert read_experts(text, 8) is None


def test_pickles_are_not_opened() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert read_experts(base64.b64encode(buffer.getvalue()).decode(), 8) is None


async def test_a_whole_answer_tells_them() -> None:
    asked: list[dict[str, object]] = []

    async def chat(request: web.Request) -> web.StreamResponse:
        asked.append(await request.json())
        logprobs = {"content": [{"token": "Yes", "logprob": -0.1}, {"token": "<|im_end|>", "logprob": -0.2}]}
        routed = encoded(np.array([[[0, 1]], [[2, 3]]]))
        choice = {"message": {"content": "Yes"}, "logprobs": logprobs, "finish_reason": "stop", "routed_experts": routed}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 2}})

    prompt = Prompt((Message("user", ("Yes?",)),), Sampling(8), whole=True)
    async with serving(chat) as url:
        client = OpenAIClient(url, dialect=VLLM, model="m", features=Features(experts=True, total_experts=4, priority=True))
        deltas = [delta async for delta in client.generate(prompt, tenant="t")]
        await client.close()
    assert deltas[0].experts == ExpertUsage(distinct=4, total=4, layers=1, entropy=math.log2(4))
    assert (deltas[0].text, deltas[0].finish, deltas[0].usage) == ("Yes", "stop", Usage(9, 2))
    assert [token.token for token in deltas[0].logprobs or ()] == ["Yes"]
    assert (asked[0]["stream"], asked[0]["priority"], "stream_options" in asked[0]) == (False, 0, False)


@pytest.mark.parametrize("body", ["<html>", "{}", json.dumps({"choices": [{"message": {"content": "A"}, "finish_reason": "abort"}]})])
async def test_a_whole_answer_that_is_none(body: str) -> None:
    async def chat(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(text=body, content_type="application/json")

    async with serving(chat) as url:
        client = OpenAIClient(url, dialect=VLLM, model="m", features=Features(experts=True))
        with pytest.raises(BackendUnavailable):
            _: list[Delta] = [
                delta async for delta in client.generate(Prompt((Message("user", ("?",)),), Sampling(8), whole=True), tenant="t")
            ]
        await client.close()
