"""OpenAI-compatible servers for tests: one that sends what a test wrote down, and one with the fake engine behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from sightline.backends.fake import FakeBackend
from sightline.prompt import Delta, Frame, Message, Prompt, Sampling

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(app: web.Application) -> AsyncGenerator[str]:
    """The address of an application on a loopback port; a caller who leaves cancels its handler."""
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(chat: Handler, **others: Handler) -> AsyncGenerator[str]:
    """A server on a loopback port; `others` answer /v1/models, /metrics and /health by their names."""
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/v1/chat/completions", chat)
    paths = {"models": "/v1/models", "metrics": "/metrics", "health": "/health"}
    for name, handler in others.items():
        app.router.add_get(paths[name], handler)
    async with listening(app) as url:
        yield url


def chunk(text: str | None = None, *, finish: str | None = None, logprob: float | None = None, reasoning: str | None = None) -> bytes:
    """One event of a streamed completion, as vLLM and llama.cpp write it."""
    delta = {name: value for name, value in (("content", text), ("reasoning_content", reasoning)) if value is not None}
    choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
    if logprob is not None:
        choice["logprobs"] = {"content": [{"token": text, "logprob": logprob, "bytes": None, "top_logprobs": []}]}
    return event({"object": "chat.completion.chunk", "choices": [choice]})


def usage(given: int, made: int, cached: int | None = None) -> bytes:
    details = {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
    return event({"choices": [], "usage": {"prompt_tokens": given, "completion_tokens": made, **details}})


def event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def sending(*pieces: bytes | float, content_type: str = "text/event-stream") -> Handler:
    """Sends the pieces one after another; a number is a pause in seconds."""

    async def chat(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        for piece in pieces:
            if isinstance(piece, bytes):
                await response.write(piece)
            else:
                await asyncio.sleep(piece)
        return response

    return chat


def refusing(status: int, body: str | dict[str, Any], headers: dict[str, str] | None = None) -> Handler:
    async def chat(request: web.Request) -> web.StreamResponse:
        await request.read()
        if isinstance(body, dict):
            return web.json_response(body, status=status, headers=headers)
        return web.Response(text=body, status=status, content_type="text/html", headers=headers)

    return chat


def fake_server(engine: FakeBackend) -> dict[str, Handler]:
    """Handlers of a whole server whose answers are those of a fake engine."""

    async def chat(request: web.Request) -> web.StreamResponse:
        prompt = read_prompt(await request.json())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        deltas = engine.generate(prompt, tenant="served")
        try:
            async for delta in deltas:
                await response.write(b"".join(_events(delta)))
            await response.write(DONE)
        finally:
            await deltas.aclose()
        return response

    async def models(_: web.Request) -> web.StreamResponse:
        return web.json_response({"data": [{"id": "served", "max_model_len": 4096}]})

    async def metrics(_: web.Request) -> web.StreamResponse:
        count = await engine.decoded_tokens()
        return web.Response(text=f'# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total{{engine="0"}} {count}.0\n')

    return {"chat": chat, "models": models, "metrics": metrics}


def _events(delta: Delta) -> list[bytes]:
    events = [chunk(token.token, logprob=token.logprob) for token in delta.logprobs or ()]
    if delta.finish and delta.usage:
        events += [chunk(finish=delta.finish), usage(delta.usage.input_tokens, delta.usage.output_tokens)]
    return events


def read_prompt(body: dict[str, Any]) -> Prompt:
    """A request's body back to a prompt; raises where a required field is missing."""
    messages: list[Message] = []
    for message in body["messages"]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        messages.append(Message(message["role"], tuple(_read_part(part) for part in parts)))
    form = body.get("response_format")
    schema = None if form is None else form["json_schema"]["schema"] if form["type"] == "json_schema" else form["format"]["json_schema"]
    return Prompt(tuple(messages), Sampling(body["max_tokens"], seed=body.get("seed"), stop=tuple(body.get("stop", ()))), schema)


def _read_part(part: dict[str, Any]) -> str | Frame:
    if part["type"] == "text":
        return part["text"]
    uri: str = part["image_url"]["url"]
    head, _, data = uri.partition(",")
    return Frame(data.encode(), head.removeprefix("data:").removesuffix(";base64"), 32, 32, 1, digest=data[:64])
