"""One HTTP connection, bounded: bodies read within size and time, work stopped when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

from starlette.types import Receive, Scope

from sightline.protocol.errors import SlowRequest, TooLarge
from sightline.protocol.language import Bilingual
from sightline.service.timing import bounded

T = TypeVar("T")
_NONE: Mapping[str, Any] = {}
_BODY = Bilingual("请求体", "The request body")
_USE_FILES = Bilingual(
    "请用 POST /files 上传大文件，再以 file_id 引用。", "Upload large files with POST /files and refer to them by file_id."
)


class ClientLeft(Exception):
    """The client closed the connection; there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, *, limit: int, idle_seconds: float) -> bytearray:
    """The whole body, at most `limit` bytes, never silent for longer than `idle_seconds`.

    Raises `TooLarge` (at once when the length is declared), `SlowRequest`, `ClientLeft`.
    """
    declared = next((int(value) for name, value in scope["headers"] if name == b"content-length" and value.isdigit()), 0)
    if declared > limit:
        raise TooLarge(_BODY, declared, limit, "bytes", advice=_USE_FILES)
    # Each piece goes to its place as it comes: joining megabytes at the end would hold up everybody else.
    body, size, more = bytearray(declared), 0, True
    while more:
        piece, more = await _next_piece(receive, idle_seconds)
        start, size = size, size + len(piece)
        if size > limit:
            raise TooLarge(_BODY, size, limit, "bytes", advice=_USE_FILES)
        body[start:size] = piece
    return body


async def body_chunks(receive: Receive, idle_seconds: float) -> AsyncGenerator[bytes]:
    """A body as it comes. Raises `SlowRequest` after a silence of `idle_seconds`, `ClientLeft`."""
    more = True
    while more:
        piece, more = await _next_piece(receive, idle_seconds)
        yield piece


async def _next_piece(receive: Receive, idle_seconds: float) -> tuple[bytes, bool]:
    """A piece of the body, and whether more follows."""
    try:
        message = await bounded(partial(asyncio.timeout, idle_seconds), receive())
    except TimeoutError:
        raise SlowRequest(idle_seconds) from None
    if message["type"] == "http.disconnect":
        raise ClientLeft
    return message.get("body", b""), message.get("more_body", False)


class Departure:
    """Tells of the client's leaving, where the server below can (`protocol.py` puts one into each request's scope)."""

    def __init__(self, listen: Callable[[], None]) -> None:
        self._listen = listen
        self._callbacks: set[Callable[[], None]] = set()
        self._gone = False

    def tell(self) -> None:
        """The connection is closed."""
        self._gone = True
        for callback in tuple(self._callbacks):
            callback()

    async def end(self, work: Coroutine[Any, Any, T]) -> T:
        """See `while_connected`. The work is done by the task that asks, so nothing has to be started and waited for."""
        task, left = asyncio.current_task(), False

        def leave() -> None:
            nonlocal left
            if task is not None and not left:
                left = True
                task.cancel()

        self._callbacks.add(leave)
        try:
            if self._gone:
                work.close()
                raise ClientLeft
            self._listen()
            return await work
        except asyncio.CancelledError:
            if left and task is not None and task.uncancel() == 0:
                raise ClientLeft from None
            raise
        finally:
            self._callbacks.discard(leave)


DEPARTURE = "sightline.departure"
"""The scope's extension that holds a `Departure`."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T], scope: Scope | None = None) -> T:
    """The outcome of `work`; the moment the client leaves, `work` is cancelled, waited for, and `ClientLeft` is raised.

    With the request's `scope` this costs next to nothing; without it, or below another server, two tasks.
    """
    told = None if scope is None else scope.get("extensions", _NONE).get(DEPARTURE)
    if told is not None:
        return await told.end(work)
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
