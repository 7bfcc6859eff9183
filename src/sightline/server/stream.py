"""A stream of events as server-sent events: headers with the first event, a comment while nothing else is sent, one end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager

from starlette.types import Message, Send

from sightline.protocol import sse
from sightline.protocol.errors import BackendUnavailable, Error, Internal
from sightline.protocol.events import Event, Failed
from sightline.protocol.language import Language

_log = logging.getLogger(__name__)
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class Writer:
    """Sends chunks, and knows when it last did and whether a reader has stalled."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.last = time.monotonic()
        self.sending = False

    async def write(self, chunk: bytes, *, more: bool = True) -> None:
        self.sending = True
        self.last = time.monotonic()
        message: Message = {"type": "http.response.body", "body": chunk, "more_body": more}
        await self._send(message)
        self.sending = False
        self.last = time.monotonic()


async def start_events(send: Send) -> Writer:
    """Sends the headers of a stream."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    return Writer(send)


async def send_events(
    send: Send, events: AsyncGenerator[Event], *, request_id: str, language: Language, heartbeat: float, patience: float
) -> None:
    """Sends the stream to its end.

    An error before the first event is raised, so that it keeps its HTTP status; a later one becomes an `error` event.
    `heartbeat` seconds without an event bring a comment; a reader that takes nothing for `patience` seconds is cut off.
    """

    def failed(error: Error) -> bytes:
        return sse.encode(Failed(error.body(request_id, language)))

    async with aclosing(events):
        first = await anext(events)
        writer = await start_events(send)
        await writer.write(sse.encode(first))
        async with telling_failures(writer, failed, request_id), beating(writer, heartbeat, patience):
            async for event in events:
                await writer.write(sse.encode(event))


@asynccontextmanager
async def telling_failures(writer: Writer, failed: Callable[[Error], bytes], request_id: str) -> AsyncGenerator[None]:
    """Ends the response when the block is done; what the block raises is its last event, made by `failed`."""
    try:
        yield
    except asyncio.CancelledError:
        # Cut by the end of a drain: the reader is told. One who stalled or left cannot be.
        if not writer.sending:
            await writer.write(failed(BackendUnavailable(cause="the service is stopping")), more=False)
        raise
    except Error as error:
        if error.cause:
            _log.warning("request %s ended with %d: %s", request_id, error.code, error.cause)
        await writer.write(failed(error))
    except Exception as error:
        _log.exception("request %s failed", request_id)
        await writer.write(failed(Internal(cause=type(error).__name__)))
    await writer.write(b"", more=False)


@asynccontextmanager
async def beating(writer: Writer, heartbeat: float, patience: float) -> AsyncGenerator[None]:
    """Comments while nothing else is sent, for as long as the block lasts; cancels it when the reader has stalled."""
    heart = asyncio.create_task(_beat(writer, asyncio.current_task(), heartbeat, patience))
    try:
        yield
    finally:
        heart.cancel()


async def _beat(writer: Writer, stream: asyncio.Task[None] | None, heartbeat: float, patience: float) -> None:
    while True:
        idle = time.monotonic() - writer.last
        if writer.sending:
            if idle > patience and stream:
                stream.cancel()
                return
        elif idle >= heartbeat:
            await writer.write(sse.COMMENT)
        await asyncio.sleep(min(heartbeat, patience) / 2)
