"""One HTTP connection, bounded: bodies read within size and time, work stopped when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.types import Receive, Scope

from sightline.protocol.errors import SlowRequest, TooLarge
from sightline.protocol.language import Bilingual

T = TypeVar("T")
_BODY = Bilingual("请求体", "The request body")
_USE_FILES = Bilingual(
    "请用 POST /files 上传大文件，再以 file_id 引用。", "Upload large files with POST /files and refer to them by file_id."
)


class ClientLeft(Exception):
    """The client closed the connection; there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, *, limit: int, idle_seconds: float) -> bytes:
    """The whole body, at most `limit` bytes, never silent for longer than `idle_seconds`.

    Raises `TooLarge` (at once when the length is declared), `SlowRequest`, `ClientLeft`.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise TooLarge(_BODY, int(value), limit, "bytes", advice=_USE_FILES)
    chunks: list[bytes] = []
    size = 0
    async with aclosing(body_chunks(receive, idle_seconds)) as pieces:
        async for piece in pieces:
            size += len(piece)
            if size > limit:
                raise TooLarge(_BODY, size, limit, "bytes", advice=_USE_FILES)
            chunks.append(piece)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def body_chunks(receive: Receive, idle_seconds: float) -> AsyncGenerator[bytes]:
    """A body as it comes. Raises `SlowRequest` after a silence of `idle_seconds`, `ClientLeft`."""
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                message = await receive()
        except TimeoutError:
            raise SlowRequest(idle_seconds) from None
        if message["type"] == "http.disconnect":
            raise ClientLeft
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of `work`; the moment the client leaves, `work` is cancelled, waited for, and `ClientLeft` is raised."""
    job = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait([job, watcher], return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            job.cancel()
            await asyncio.wait([job])
            raise ClientLeft
        return job.result()
    finally:
        watcher.cancel()
        if not job.done():
            job.cancel()
            await asyncio.wait([job])


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
