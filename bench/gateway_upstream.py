"""An OpenAI-compatible engine that costs next to nothing: it answers every question with as many tokens as were asked for, at once."""

from __future__ import annotations

import asyncio
import functools
import json
import re
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_MOST = re.compile(rb'"max_(?:completion_)?tokens": *(\d+)')
_STREAM = re.compile(rb'"stream": *true')
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%b\r\n\r\n"


def chunk(**fields: object) -> bytes:
    line = b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "model": "mock", **fields}).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(line), line)


@functools.cache
def whole(tokens: int) -> bytes:
    """An answer in one piece, for who does not stream."""
    usage = {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": tokens + 20}
    choice = {"index": 0, "message": {"role": "assistant", "content": " a" * tokens}, "finish_reason": "stop"}
    return json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "mock", "choices": [choice], "usage": usage}).encode()


@functools.cache
def answer(tokens: int) -> list[bytes]:
    """The body in pieces of at most 8 tokens, each written by itself."""
    logprobs = {"content": [{"token": " a", "logprob": -0.1, "top_logprobs": []}]}
    token = chunk(choices=[{"index": 0, "delta": {"content": " a"}, "logprobs": logprobs, "finish_reason": None}])
    pieces = [token * min(8, tokens - begun) for begun in range(0, tokens, 8)]
    end = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    usage = chunk(choices=[], usage={"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": tokens + 20})
    return [*pieces, end + usage + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"]


class Engine(asyncio.Protocol):
    def __init__(self) -> None:
        self._got = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (end := self._got.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._got[:end])
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._got) < size:
                return
            request = bytes(self._got[:size])
            del self._got[:size]
            self._reply(request)

    def _reply(self, request: bytes) -> None:
        if request.startswith(b"GET"):
            body = json.dumps({"object": "list", "data": [{"id": "mock", "max_model_len": 8192}]}).encode()
            self._transport.write(_HEAD % (b"application/json", b"content-length: %d" % len(body)) + body)
            return
        most = _MOST.search(request)
        tokens = int(most[1]) if most else 1
        if not _STREAM.search(request):
            body = whole(tokens)
            self._transport.write(_HEAD % (b"application/json", b"content-length: %d" % len(body)) + body)
            return
        self._transport.write(_HEAD % (b"text/event-stream", b"transfer-encoding: chunked"))
        for piece in answer(tokens):
            self._transport.write(piece)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Engine, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main() -> None:
    uvloop.run(serve())
