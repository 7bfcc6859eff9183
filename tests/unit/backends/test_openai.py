"""The client for OpenAI-compatible servers, against servers that say what the test wrote down."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import Any

import pytest
from aiohttp import web

from sightline.backends.asked import encode_request
from sightline.backends.defaults import QWEN_INSTRUCT, Recommended
from sightline.backends.dialects import GENERIC, LLAMA_CPP, VLLM, Dialect
from sightline.backends.openai import OpenAIClient
from sightline.prompt import Delta, Frame, Message, Prompt, Sampling, TokenLogprob, Usage
from sightline.protocol.errors import BackendUnavailable, Error, MalformedRequest, Overloaded
from tests.contract.backends.servers import DONE, Handler, chunk, event, refusing, sending, serving, usage

PICTURE = Frame(b"\x00\xffpixels", "image/png", 64, 32, 2, digest="d")
PROMPT = Prompt((Message("user", ("What is it?",)),), Sampling(16))


async def ask(handler: Handler, prompt: Prompt = PROMPT, *, dialect: Dialect = GENERIC, **settings: Any) -> list[Delta]:
    async with serving(handler) as url:
        client = OpenAIClient(url, dialect=dialect, model="m", **settings)
        try:
            async with asyncio.timeout(10):
                return [delta async for delta in client.generate(prompt, tenant="t")]
        finally:
            await client.close()


async def whole(client: OpenAIClient) -> list[Delta]:
    return [delta async for delta in client.generate(PROMPT, tenant="t")]


async def refusal(handler: Handler, prompt: Prompt = PROMPT, *, dialect: Dialect = GENERIC, **settings: Any) -> Error:
    with pytest.raises(Error) as caught:
        await ask(handler, prompt, dialect=dialect, **settings)
    return caught.value


class TestAnswers:
    async def test_tokens_that_arrive_together_leave_together(self) -> None:
        together = chunk("A ", logprob=-0.1) + chunk("red ", logprob=-0.2)
        last = chunk("star", logprob=-0.3) + chunk(finish="stop") + usage(70, 3, cached=60) + DONE
        deltas = await ask(sending(together, 0.1, last))
        tokens = tuple(TokenLogprob(*token) for token in (("A ", -0.1), ("red ", -0.2), ("star", -0.3)))
        assert deltas == [
            Delta("A red ", tokens[:2]),
            Delta("star", tokens[2:], finish="stop", usage=Usage(70, 3, 60)),
        ]

    async def test_the_finish_waits_for_the_usage(self) -> None:
        deltas = await ask(sending(chunk("A"), chunk(finish="length"), 0.1, usage(5, 1), DONE))
        assert [delta.finish for delta in deltas] == [None, "length"]
        assert deltas[-1].usage == Usage(5, 1)

    async def test_thoughts_are_kept_apart_from_the_answer_and_its_confidence(self) -> None:
        thought = {"choices": [{"delta": {"reasoning_content": "hm"}, "logprobs": {"content": [{"token": "hm", "logprob": -3.0}]}}]}
        deltas = await ask(sending(event(thought), 0.1, chunk("Yes", logprob=-0.1), chunk(finish="stop"), DONE))
        assert "".join(delta.reasoning for delta in deltas) == "hm"
        assert [token for delta in deltas for token in delta.logprobs or ()] == [TokenLogprob("Yes", -0.1)]

    async def test_newer_servers_call_thoughts_reasoning(self) -> None:
        deltas = await ask(sending(event({"choices": [{"delta": {"reasoning": "hm"}}]}), chunk("Yes"), chunk(finish="stop"), DONE))
        assert "".join(delta.reasoning for delta in deltas) == "hm"

    async def test_an_engine_without_log_probabilities_gives_none(self) -> None:
        deltas = await ask(sending(chunk("Yes"), chunk(finish="stop"), DONE))
        assert {delta.logprobs for delta in deltas} == {None}

    async def test_withheld_text_without_tokens_does_not_spoil_the_confidence(self) -> None:
        deltas = await ask(sending(chunk("Yes", logprob=-0.1), 0.1, chunk("!"), chunk(finish="stop"), DONE))
        assert [delta.logprobs for delta in deltas] == [(TokenLogprob("Yes", -0.1),), ()]

    async def test_the_end_token_is_no_part_of_the_answer(self) -> None:
        end = {"choices": [{"delta": {"content": ""}, "logprobs": {"content": [{"token": "<|im_end|>", "logprob": -2.0}]}}]}
        deltas = await ask(sending(chunk("Yes", logprob=-0.1), event(end), chunk(finish="stop"), DONE))
        assert [token.token for delta in deltas for token in delta.logprobs or ()] == ["Yes"]

    async def test_a_stream_may_end_without_the_word_done(self) -> None:
        assert (await ask(sending(chunk("Yes"), chunk(finish="stop"))))[-1].finish == "stop"


class TestFailures:
    async def test_nobody_listens(self) -> None:
        client = OpenAIClient("http://127.0.0.1:9", dialect=GENERIC, model="m")
        with pytest.raises(BackendUnavailable):
            await anext(client.generate(PROMPT, tenant="t"))
        await client.close()

    @pytest.mark.parametrize(
        "handler",
        [
            sending(chunk("A red")),
            sending(chunk("A red"), DONE),
            sending(b'data: {"choices": [{"delta": {"con'),
            sending(b"data: <html>\n\n"),
            sending(b'data: {"choices": "none"}\n\n'),
            sending(event({"error": {"message": "out of memory", "code": 500}})),
            sending(event({"error": "out of memory"})),
            sending(chunk("A"), chunk(finish="abort"), DONE),
            sending(b"<html>welcome</html>", content_type="text/html"),
            sending(b'{"choices": []}', content_type="application/json"),
            sending(b"data: " + b"x" * 2**24),
            refusing(502, "<html>Bad gateway</html>"),
            refusing(500, {"error": {"message": "boom"}}),
            refusing(401, {"error": {"message": "wrong key"}}),
            refusing(404, {"error": {"message": "no such model"}}),
            refusing(400, {"error": {"message": "Failed to load image or audio file"}}),
            refusing(302, "", {"Location": "http://169.254.169.254/"}),
        ],
    )
    async def test_what_is_no_answer_is_an_engine_that_is_not_available(self, handler: Handler) -> None:
        error = await refusal(handler)
        assert type(error) is BackendUnavailable
        assert error.cause

    async def test_a_connection_cut_in_the_middle(self) -> None:
        async def cut(request: web.Request) -> web.StreamResponse:
            response = await sending(chunk("A"), 0.05)(request)
            assert request.transport is not None
            request.transport.abort()
            return response

        assert type(await refusal(cut)) is BackendUnavailable

    @pytest.mark.parametrize("noise", [b"", b": ping\n\n"])
    async def test_an_engine_that_stalls(self, noise: bytes) -> None:
        """Keep-alive comments do not count as an answer."""
        pauses: list[bytes | float] = [chunk("A"), *([noise, 0.05] * 40)] if noise else [chunk("A"), 2.0]
        error = await refusal(sending(*pauses), stall_s=0.3)
        assert type(error) is BackendUnavailable

    @pytest.mark.parametrize(("header", "wait"), [("7", 7000), ("soon", 1000), (None, 1000), ("nan", 1000), ("-3", 100)])
    @pytest.mark.parametrize("status", [429, 503])
    async def test_its_own_queue_is_full(self, status: int, header: str | None, wait: int) -> None:
        error = await refusal(refusing(status, {"error": {"message": "full"}}, {"Retry-After": header} if header else None))
        assert type(error) is Overloaded
        assert error.retry_after_ms == wait

    async def test_an_engine_that_still_loads_its_model_is_away_and_not_busy(self) -> None:
        body = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
        assert type(await refusal(refusing(503, body), dialect=LLAMA_CPP)) is BackendUnavailable

    @pytest.mark.parametrize(
        ("error", "asked", "limit"),
        [
            (
                {
                    "message": "request (9041 tokens) exceeds the available context size",
                    "n_prompt_tokens": 9041,
                    "n_ctx": 8192,
                },
                "9041",
                "8192",
            ),
            (
                {
                    "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens "
                    "(4500 in the messages, 500 in the completion). Please reduce the length."
                },
                "5000",
                "4096",
            ),
            ({"message": "The decoder prompt (length 5001) is longer than the maximum model length of 4096."}, "5001", "4096"),
        ],
    )
    async def test_a_prompt_over_the_context_is_told_with_its_numbers(self, error: dict[str, Any], asked: str, limit: str) -> None:
        found = await refusal(refusing(400, {"error": error}))
        assert type(found) is MalformedRequest
        assert asked in found.say("en")
        assert asked in found.say("zh")
        assert limit in found.advise("en")

    async def test_a_schema_that_the_engine_cannot_follow_is_the_callers(self) -> None:
        prompt = Prompt(PROMPT.messages, PROMPT.sampling, {"type": "nonsense"})
        handler = refusing(400, {"error": {"message": "JSON schema error at #: unrecognized type nonsense"}})
        assert type(await refusal(handler, prompt)) is MalformedRequest
        assert type(await refusal(handler)) is BackendUnavailable

    async def test_nothing_of_an_engines_words_reaches_a_caller(self) -> None:
        error = await refusal(refusing(500, {"error": {"message": "secret at 0x7f00 in /srv/model"}}))
        body = json.dumps(str(error.body("r", "en")))
        assert "secret" not in body
        assert "/srv" not in body


class TestConnections:
    async def test_closing_the_generator_closes_the_connection(self) -> None:
        gone = asyncio.Event()

        async def chat(request: web.Request) -> web.StreamResponse:
            try:
                return await sending(chunk("A"), 30.0)(request)
            finally:
                gone.set()

        async with serving(chat) as url:
            client = OpenAIClient(url, dialect=GENERIC, model="m")
            deltas = client.generate(PROMPT, tenant="t")
            assert (await anext(deltas)).text == "A"
            await deltas.aclose()
            async with asyncio.timeout(5):
                await gone.wait()
            await client.close()

    async def test_cancelling_before_the_first_token_closes_the_connection(self) -> None:
        came, gone = asyncio.Event(), asyncio.Event()

        async def chat(request: web.Request) -> web.StreamResponse:
            came.set()
            try:
                await asyncio.sleep(30)
            finally:
                gone.set()
            return web.Response()

        async with serving(chat) as url:
            client = OpenAIClient(url, dialect=GENERIC, model="m")
            waiting = asyncio.create_task(anext(client.generate(PROMPT, tenant="t")))  # pyright: ignore[reportArgumentType] - anext is awaitable
            async with asyncio.timeout(5):
                await came.wait()
                waiting.cancel()
                await gone.wait()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            await client.close()

    async def test_closing_the_client_breaks_off_what_is_under_way(self) -> None:
        """Before the first token, between two, and while nobody reads."""
        async with serving(sending(30.0)) as silent, serving(sending(chunk("A"), 30.0)) as speaking:
            for url, read in ((silent, 0), (speaking, 1)):
                client = OpenAIClient(url, dialect=GENERIC, model="m")
                waiting, idle = (client.generate(PROMPT, tenant="t") for _ in range(2))
                for _ in range(read):
                    await anext(waiting)
                    await anext(idle)
                next_one = asyncio.ensure_future(anext(waiting))
                await asyncio.sleep(0.1)
                async with asyncio.timeout(5):
                    await client.close()
                    with pytest.raises(BackendUnavailable):
                        await next_one
                    with pytest.raises(BackendUnavailable):
                        await anext(idle)

    async def test_a_complete_answer_is_one_whatever_becomes_of_its_connection(self) -> None:
        async def cut(request: web.Request) -> web.StreamResponse:
            response = await sending(chunk("A"), chunk(finish="stop"), DONE, 0.05)(request)
            assert request.transport is not None
            request.transport.abort()
            return response

        assert (await ask(cut))[-1].finish == "stop"
        assert (await ask(sending(chunk("A"), chunk(finish="stop"), DONE, 2.0)))[-1].finish == "stop"

    async def test_answers_share_a_connection(self) -> None:
        peers: set[Any] = set()

        async def chat(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            peers.add(request.transport.get_extra_info("peername"))
            return await sending(chunk("A"), chunk(finish="stop"), DONE)(request)

        async with serving(chat) as url:
            client = OpenAIClient(url, dialect=GENERIC, model="m")
            for _ in range(3):
                assert (await whole(client))[0].text == "A"
            await client.close()
        assert len(peers) == 1

    async def test_an_idle_connection_found_closed_costs_no_request(self) -> None:
        """The server takes the second request of a connection and hangs up on it, as one does whose keep-alive ran out."""
        answer = b"".join((chunk("A"), chunk(finish="stop"), DONE))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(answer)
        connections = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + answer)
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = OpenAIClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", dialect=GENERIC, model="m")
        for _ in range(2):
            assert (await whole(client))[0].text == "A"
        assert connections == 2
        await client.close()
        server.close()


class TestRequests:
    def body(self, prompt: Prompt, dialect: Dialect = GENERIC, recommended: Recommended | None = None) -> dict[str, Any]:
        return json.loads(encode_request(prompt, dialect, "m", recommended or Recommended(), "acme"))

    def test_only_what_the_dialect_knows_is_sent(self) -> None:
        prompt = Prompt(PROMPT.messages, Sampling(16, temperature=0.5, top_p=0.9, top_k=5, seed=3, stop=("\n",)), {"type": "object"})
        common = {"model", "messages", "stream", "stream_options", "max_tokens", "temperature", "top_p", "seed", "stop"}
        common |= {"logprobs", "top_logprobs", "response_format"}
        assert set(self.body(prompt)) == common
        assert set(self.body(prompt, VLLM)) == common | {"top_k", "cache_salt"}
        assert set(self.body(prompt, LLAMA_CPP)) == common | {"top_k", "cache_prompt", "min_p"}
        assert self.body(prompt, VLLM)["cache_salt"] == "acme"

    def test_silence_is_filled_with_what_the_models_makers_recommend(self) -> None:
        silent = self.body(PROMPT, VLLM, QWEN_INSTRUCT)
        assert (silent["temperature"], silent["top_p"], silent["top_k"], silent["presence_penalty"]) == (0.7, 0.8, 20, 1.5)
        asked = self.body(Prompt(PROMPT.messages, Sampling(16, temperature=0.0, top_k=1)), VLLM, QWEN_INSTRUCT)
        assert (asked["temperature"], asked["top_k"]) == (0.0, 1)
        assert "presence_penalty" not in asked, "what is read greedily, a table say, has to repeat itself"
        assert "temperature" not in self.body(PROMPT)

    def test_pictures_stand_where_the_prompt_has_them(self) -> None:
        prompt = Prompt((Message("system", ("Be brief.",)), Message("user", ("Image 1:", PICTURE, "<0.5 seconds>", "Why?"))), Sampling(16))
        system, user = self.body(prompt)["messages"]
        assert system == {"role": "system", "content": "Be brief."}
        assert [part["type"] for part in user["content"]] == ["text", "image_url", "text"]
        uri = user["content"][1]["image_url"]["url"]
        assert uri == "data:image/png;base64," + base64.b64encode(PICTURE.data).decode()
        assert user["content"][2]["text"] == "<0.5 seconds>\nWhy?"

    async def test_a_base_address_may_end_with_its_version(self) -> None:
        async with serving(sending(chunk("A"), chunk(finish="stop"), DONE)) as url:
            client = OpenAIClient(url + "/v1/", dialect=GENERIC, model="m")
            assert (await whole(client))[0].text == "A"
            await client.close()
