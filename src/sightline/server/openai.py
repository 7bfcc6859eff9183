"""The OpenAI-compatible door: the same call, the same stream, in another shape. Existing code works by changing one address."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from sightline.protocol.decode import decode
from sightline.protocol.errors import Error, Internal, MalformedRequest, NoSuchPath
from sightline.protocol.events import Event, Final, Token
from sightline.protocol.language import Bilingual, Language
from sightline.server.connection import ClientLeft, while_connected
from sightline.server.entry import Entry
from sightline.server.openai_answers import (
    ChatAnswer,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatDelta,
    ChatModel,
    ChatModels,
    ChatPiece,
    extra,
    failed,
    logprobs,
    status_of,
    usage,
)
from sightline.server.openai_wire import ANY_MODEL, ChatRequest, to_call
from sightline.server.response import refuse, send_json
from sightline.server.stream import beating, start_events, telling_failures
from sightline.service.calls import Call
from sightline.service.infer import Inference
from sightline.service.ports import Pool

_DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class _Asked:
    """One completion: its call, what its answers begin with, and what beside the answer was asked for."""

    call: Call
    id: str
    created: int
    usage: bool
    logprobs: bool


class OpenAIDoor:
    """The routes under /v1."""

    def __init__(self, entry: Entry, inference: Inference, pool: Pool, *, wall: Callable[[], float] = time.time) -> None:
        self._entry = entry
        self._inference = inference
        self._pool = pool
        self._wall = wall

    async def completions(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /v1/chat/completions."""
        await self._in_its_shape(scope, send, self._completions(scope, receive, send))

    async def models(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /v1/models."""
        await self._in_its_shape(scope, send, self._models(scope, send))

    async def model(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /v1/models/{model}."""
        await self._in_its_shape(scope, send, self._model(scope, send))

    async def nothing(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whatever else OpenAI has under /v1, and other methods: 404 and 405, in the shape that its clients read."""
        await self._in_its_shape(scope, send, self._nothing(scope))

    async def _models(self, scope: Scope, send: Send) -> None:
        await self._entry.caller(scope)
        await send_json(send, msgspec.json.encode(ChatModels([ChatModel(name) for name in self._names()])))

    async def _model(self, scope: Scope, send: Send) -> None:
        await self._entry.caller(scope)
        name: str = scope["path_params"]["model"]
        if name not in self._names():
            raise MalformedRequest("options.model", Bilingual("没有这个模型", "there is no such model"), list[Any](self._names()))
        await send_json(send, msgspec.json.encode(ChatModel(name)))

    def _names(self) -> list[str]:
        return [*(info.name for info in self._pool.models()), ANY_MODEL]

    async def _nothing(self, scope: Scope) -> None:
        rest: str = scope["path_params"]["rest"]
        methods = {"chat/completions": ["POST"], "models": ["GET"]}.get(rest)
        raise NoSuchPath(str(scope["path"]), methods)

    async def _completions(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = self._entry.clock.now()
        caller = await self._entry.caller(scope)
        request = decode(await self._entry.body(scope, receive), ChatRequest)
        call = to_call(request, caller, scope["state"]["request_id"], arrived)
        with_usage = request.stream_options is not None and request.stream_options.include_usage
        asked = _Asked(call, f"chatcmpl-{call.request_id}", int(self._wall()), with_usage, bool(request.logprobs))
        if request.stream:
            await while_connected(receive, self._stream(asked, send), scope)
        else:
            await send_json(send, await while_connected(receive, self._whole(asked), scope))

    async def _whole(self, asked: _Asked) -> bytes:
        tokens: list[Token] = []
        async with aclosing(self._inference.stream(asked.call)) as events:
            async for event in events:
                if isinstance(event, Token):
                    tokens.append(event)
                elif isinstance(event, Final):
                    told = logprobs(tokens) if asked.logprobs else None
                    completion = ChatCompletion(
                        id=asked.id,
                        created=asked.created,
                        model=event.metadata.model,
                        choices=[ChatChoice(ChatAnswer(event.answer), event.metadata.finish_reason, told)],
                        usage=usage(event),
                        sightline=extra(event),
                    )
                    return msgspec.json.encode(completion)
        raise Internal(cause="a stream ended without its final event")

    async def _stream(self, asked: _Asked, send: Send) -> None:
        call = asked.call
        async with aclosing(self._inference.stream(call)) as events:
            await anext(events)
            writer = await start_events(send)
            bounds = self._entry.bounds

            def told(error: Error) -> bytes:
                return _event(failed(error, call.caller.language))

            async with telling_failures(writer, told, call.request_id), beating(writer, bounds.heartbeat_seconds, bounds.reader_seconds):
                async for chunk in _chunks(asked, events):
                    await writer.write(chunk)

    async def _in_its_shape(self, scope: Scope, send: Send, work: Coroutine[Any, Any, None]) -> None:
        """Errors of this door have OpenAI's shape."""
        language: Language = scope["state"]["language"]
        try:
            await work
        except ClientLeft:
            raise
        except Error as error:
            await refuse(send, error, msgspec.json.encode(failed(error, language)), status=status_of(error))


async def _chunks(asked: _Asked, events: AsyncGenerator[Event]) -> AsyncGenerator[bytes]:
    """The events after `accepted` as chunks of a completion."""

    def chunk(*pieces: ChatPiece, model: str, **more: Any) -> bytes:
        return _event(ChatChunk(id=asked.id, created=asked.created, model=model, choices=list(pieces), **more))

    model = asked.call.options.model or ANY_MODEL
    yield chunk(ChatPiece(ChatDelta(role="assistant", content="")), model=model)
    async for event in events:
        if isinstance(event, Token):
            told = logprobs([event]) if asked.logprobs else None
            yield chunk(ChatPiece(ChatDelta(content=event.token), logprobs=told), model=model)
        elif isinstance(event, Final):
            for last in _ending(asked, event, chunk):
                yield last


def _ending(asked: _Asked, final: Final, chunk: Callable[..., bytes]) -> Iterator[bytes]:
    """Why it ended, what it cost where that was asked for, and the end itself."""
    model = final.metadata.model
    yield chunk(ChatPiece(ChatDelta(), final.metadata.finish_reason), model=model, sightline=extra(final))
    if asked.usage:
        yield chunk(model=model, usage=usage(final))
    yield _DONE


def _event(data: msgspec.Struct) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"
