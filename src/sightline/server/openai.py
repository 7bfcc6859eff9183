"""The OpenAI-compatible door: the same call, the same stream, in another shape. Existing code works by changing one address."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from sightline.protocol.decode import decode
from sightline.protocol.errors import Error, Internal, MalformedRequest
from sightline.protocol.events import Event, Final, Token
from sightline.protocol.language import Language
from sightline.server.connection import ClientLeft, while_connected
from sightline.server.entry import Entry
from sightline.server.openai_wire import ANY_MODEL, ChatRequest, to_call
from sightline.server.response import refuse, send_json
from sightline.server.stream import beating, start_events, telling_failures
from sightline.service.calls import Call
from sightline.service.infer import Inference
from sightline.service.ports import Pool

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_DONE = b"data: [DONE]\n\n"


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

    async def _models(self, scope: Scope, send: Send) -> None:
        await self._entry.caller(scope)
        names = [info.name for info in self._pool.models()]
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "sightline"} for name in (*names, ANY_MODEL)]
        await send_json(send, msgspec.json.encode({"object": "list", "data": entries}))

    async def _completions(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = self._entry.clock.now()
        caller = await self._entry.caller(scope)
        request = decode(await self._entry.body(scope, receive), ChatRequest)
        call = to_call(request, caller, scope["state"]["request_id"], arrived)
        head = {"id": f"chatcmpl-{call.request_id}", "created": int(self._wall())}
        if request.stream:
            usage = request.stream_options is not None and request.stream_options.include_usage
            await while_connected(receive, self._stream(call, head, send, usage=usage))
        else:
            await send_json(send, await while_connected(receive, self._whole(call, head)))

    async def _whole(self, call: Call, head: dict[str, Any]) -> bytes:
        tokens: list[Token] = []
        async with aclosing(self._inference.stream(call)) as events:
            async for event in events:
                if isinstance(event, Token):
                    tokens.append(event)
                elif isinstance(event, Final):
                    choice: dict[str, Any] = {
                        "index": 0,
                        "message": {"role": "assistant", "content": event.answer, "refusal": None},
                        "logprobs": _logprobs(call, tokens),
                        "finish_reason": event.metadata.finish_reason,
                    }
                    return msgspec.json.encode(
                        {
                            **head,
                            "object": "chat.completion",
                            "model": event.metadata.model,
                            "choices": [choice],
                            "usage": _usage(event),
                            "sightline": _ours(event),
                        }
                    )
        raise Internal(cause="a stream ended without its final event")

    async def _stream(self, call: Call, head: dict[str, Any], send: Send, *, usage: bool) -> None:
        async with aclosing(self._inference.stream(call)) as events:
            await anext(events)
            writer = await start_events(send)
            bounds = self._entry.bounds

            def failed(error: Error) -> bytes:
                return _event(_error(error, call.caller.language))

            async with telling_failures(writer, failed, call.request_id), beating(writer, bounds.heartbeat_seconds, bounds.reader_seconds):
                async for chunk in _chunks(call, head, events, usage=usage):
                    await writer.write(chunk)

    async def _in_its_shape(self, scope: Scope, send: Send, work: Coroutine[Any, Any, None]) -> None:
        """Errors of this door have OpenAI's shape."""
        language: Language = scope["state"]["language"]
        try:
            await work
        except ClientLeft:
            raise
        except Error as error:
            unknown_model = isinstance(error, MalformedRequest) and error.details["field"] == "options.model"
            body = _error(error, language, code="model_not_found" if unknown_model else None)
            await refuse(send, error, msgspec.json.encode(body), status=404 if unknown_model else None)


async def _chunks(call: Call, head: dict[str, Any], events: AsyncGenerator[Event], *, usage: bool) -> AsyncGenerator[bytes]:
    """The events after `accepted` as chunks of a completion."""
    chunk = {**head, "object": "chat.completion.chunk", "model": call.options.model or ANY_MODEL}

    def told(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        return _event({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}]})

    yield told({"role": "assistant", "content": ""})
    async for event in events:
        if isinstance(event, Token):
            yield told({"content": event.token}, logprobs=_logprobs(call, [event]))
        elif isinstance(event, Final):
            last = {**chunk, "model": event.metadata.model, "sightline": _ours(event)}
            yield _event({**last, "choices": [{"index": 0, "delta": {}, "finish_reason": event.metadata.finish_reason}]})
            if usage:
                yield _event({**chunk, "model": event.metadata.model, "choices": [], "usage": _usage(event)})
            yield _DONE


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def _logprobs(call: Call, tokens: list[Token]) -> dict[str, Any] | None:
    if not getattr(call.options, "logprobs", False):
        return None
    spoken = [each for token in tokens if token.logprobs is not msgspec.UNSET for each in token.logprobs]
    content = [{"token": each.token, "logprob": each.logprob, "bytes": list(each.token.encode()), "top_logprobs": []} for each in spoken]
    return {"content": content, "refusal": None}


def _usage(final: Final) -> dict[str, int]:
    read, written = final.metadata.input_tokens or 0, final.metadata.output_tokens or 0
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _ours(final: Final) -> dict[str, Any]:
    """What OpenAI's shape has no place for."""
    return {
        "request_id": final.request_id,
        "code": final.code,
        "confidence": final.confidence,
        "metadata": final.metadata,
        "warnings": final.warnings,
    }


def _error(error: Error, language: Language, code: str | None = None) -> dict[str, Any]:
    body = error.body("", language)
    field = error.details.get("field")
    return {
        "error": {
            "message": f"{body.msg} {body.error.hint}",
            "type": _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error"),
            "param": field.removeprefix("options.") if isinstance(field, str) else None,
            "code": code or body.error.type,
        }
    }
