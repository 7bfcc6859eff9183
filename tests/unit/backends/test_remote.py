"""An engine elsewhere: found, lost and found again."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from sightline.backends.dialects import VLLM
from sightline.backends.remote import RemoteBackend
from sightline.prompt import Message, Prompt, Sampling
from sightline.protocol.errors import BackendUnavailable
from tests.contract.backends.servers import DONE, Handler, chunk, sending, serving

PROMPT = Prompt((Message("user", ("What?",)),), Sampling(8))
CHAT = sending(chunk("Yes"), chunk(finish="stop"), DONE)


def models(*names: str) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"data": [{"id": name, "max_model_len": 4096} for name in names]})

    return answer


async def test_the_first_model_served_is_taken_unless_one_is_named() -> None:
    async with serving(CHAT, models=models("big", "small")) as url:
        for wanted, name in ((None, "big"), ("small", "small")):
            backend = RemoteBackend("r", url, model=wanted, dialect=VLLM, active_experts=8)
            await backend.start()
            assert backend.info is not None
            assert (backend.info.name, backend.info.context_tokens, backend.info.active_experts) == (name, 4096, 8)
            await backend.close()


async def test_a_model_that_is_not_served_is_named_with_those_that_are() -> None:
    async with serving(CHAT, models=models("big")) as url:
        backend = RemoteBackend("r", url, model="huge")
        await backend.start()
        assert not backend.ready()
        assert backend.trouble == "huge is not served there; it serves big"
        await backend.close()


@pytest.mark.parametrize("body", ["<html>", '{"data": "none"}', "[]"])
async def test_what_is_no_list_of_models_is_no_engine(body: str) -> None:
    async def nonsense(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body)

    async with serving(CHAT, models=nonsense) as url:
        backend = RemoteBackend("r", url)
        await backend.start()
        assert not backend.ready()
        await backend.close()


async def test_it_starts_without_its_server_and_finds_it_when_it_comes() -> None:
    there = False

    async def later(request: web.Request) -> web.StreamResponse:
        return await models("big")(request) if there else web.Response(status=502)

    async with serving(CHAT, models=later) as url:
        backend = RemoteBackend("r", url, probe_s=0.05)
        await backend.start()
        assert not backend.ready()
        assert backend.info is None
        there = True
        assert await backend.wait_ready(5)
        assert [delta.text async for delta in backend.generate(PROMPT, tenant="t")] == ["Yes"]
        await backend.close()
        assert not backend.ready()


async def test_a_failed_answer_makes_it_look_at_once() -> None:
    async with serving(sending(chunk("Ye")), models=models("big")) as url:
        backend = RemoteBackend("r", url, probe_s=60)
        await backend.start()
        assert backend.ready()
    with pytest.raises(BackendUnavailable):
        [delta async for delta in backend.generate(PROMPT, tenant="t")]
    async with asyncio.timeout(5):
        while backend.ready():  # noqa: ASYNC110 - the backend says when it is ready, not when it no longer is
            await asyncio.sleep(0.01)
    await backend.close()
