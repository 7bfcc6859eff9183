"""The one client for every OpenAI-compatible engine, the bundled one too: a `Prompt` in, merged `Delta`s out.

Always streaming, whatever our own caller asked: only an open stream can be stopped by closing it. Tokens that arrive together
leave together, as one `Delta`. Nothing that a client sent passes through unread: the request body is built in `asked.py`, field by
field, from a `Prompt` and a `Dialect`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from sightline.backends.asked import Features, encode_request, name_picture
from sightline.backends.connection import ConnectionFault
from sightline.backends.constraints import Blanks, has_own_form
from sightline.backends.defaults import Recommended
from sightline.backends.dialects import Dialect
from sightline.backends.failures import from_status
from sightline.backends.http import Endpoint, Reply
from sightline.backends.stream import Answer, BrokenStream, read_whole
from sightline.prompt import Delta, Frame, Prompt
from sightline.protocol.errors import BackendUnavailable
from sightline.protocol.sse import Parser, TooLong

_MOST_ERROR_BYTES = 64 * 1024
_MOST_GOODBYE_S = 0.5
_MOST_PAGE_BYTES = 4 * 2**20
_MOST_ANSWER_BYTES = 64 * 2**20
_MOST_SEEN = 4096
_COMPLETIONS = "/v1/chat/completions"
_log = logging.getLogger("sightline.backends")


async def _nothing() -> None:
    """What is done about a server that failed where nobody said."""


class Served(msgspec.Struct, frozen=True):
    """One entry of `/v1/models`: its name and, where the server tells, its context in tokens."""

    id: str
    max_model_len: int | None = None
    meta: dict[str, Any] | None = None

    @property
    def context_tokens(self) -> int | None:
        found = self.max_model_len or (self.meta or {}).get("n_ctx")
        return found if isinstance(found, int) else None


class _Models(msgspec.Struct):
    data: list[Served] = []


class _Tokenized(msgspec.Struct):
    max_model_len: int | None = None


class OpenAIClient:
    """Speaks to one server at `url` (with or without its `/v1`). Holds one bounded keep-alive session and no request state.

    `model` is the name that requests carry. `stall_s` bounds the time in which the server says nothing of an answer, keep-alive
    comments aside; `connect_s` the time to reach it. Use it within one event loop, and `close` it.
    """

    def __init__(
        self,
        url: str,
        *,
        dialect: Dialect,
        model: str,
        key: str | None = None,
        recommended: Recommended | None = None,
        connections: int = 256,
        connect_s: float = 5.0,
        stall_s: float = 60.0,
        tls: ssl.SSLContext | None = None,
        at: str | None = None,
        features: Features | None = None,
    ) -> None:
        self._dialect = dialect
        self.model = model
        self._recommended = recommended or Recommended()
        self._features = features or Features()
        self._seen: OrderedDict[str, None] = OrderedDict()
        """Names of pictures that the server was sent, the least recently named first."""
        self._common = False
        """Whether the server refuses its kind's own form of schemas."""
        self._stall_s = stall_s
        headers = {"Content-Type": "application/json", "Accept": "*/*"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._endpoint = Endpoint(
            url.rstrip("/").removesuffix("/v1"),
            headers=headers,
            connections=connections,
            connect_s=connect_s,
            stall_s=stall_s,
            reusable=dialect.reusable,
            tls=tls,
            at=at,
        )

    async def close(self) -> None:
        """Closes the connections; generations under way break off with `BackendUnavailable`."""
        await self._endpoint.close()

    async def generate(self, prompt: Prompt, *, tenant: str, failed: Callable[[], Awaitable[None]] = _nothing) -> AsyncGenerator[Delta]:
        """See `Backend.generate`. `failed` is waited for before anybody hears that the server failed."""
        schema = prompt.schema is not None
        blanks = Blanks()
        answer = Answer()
        try:
            if prompt.whole and self._features.experts:
                yield await self._whole(prompt, tenant)
                return
            reply = await self._ask(prompt, tenant, whole=False)
            try:
                if reply.status != 200 or "event-stream" not in (reply.header("content-type") or ""):
                    raise await self._refusal(reply, schema=schema)
                parser = Parser()
                clock = asyncio.get_running_loop()
                heard = clock.time()
                while not answer.done:
                    chunk = await reply.read()
                    if answer.feed(parser.feed(chunk)):
                        heard = clock.time()
                    elif not chunk:
                        answer.end()
                    elif clock.time() - heard > self._stall_s:
                        raise BackendUnavailable(cause=f"nothing but keep-alive comments for {self._stall_s:g} s")
                    if answer.error is not None:
                        raise from_status(answer.error_status, answer.error, self._dialect, schema=schema)
                    if (delta := answer.take()) is not None:
                        reply.begun()
                        if schema and not answer.done and blanks.run_away(delta.text):
                            _log.warning("%s: an answer of nothing but blanks was cut: its grammars leave them free", self._dialect.name)
                            yield replace(delta, finish="length")
                            return
                        yield delta
                        heard = clock.time()
                await _read_out(reply)
            finally:
                reply.close()
        except (BrokenStream, TooLong, ConnectionFault, BackendUnavailable) as error:
            await failed()
            if isinstance(error, BackendUnavailable):
                raise
            raise BackendUnavailable(cause=str(error)) from error

    async def _whole(self, prompt: Prompt, tenant: str) -> Delta:
        """An answer in one piece, with the experts that were at work. Closing the generator stops it all the same."""
        reply = await self._ask(prompt, tenant, whole=True)
        try:
            if reply.status != 200:
                raise await self._refusal(reply, schema=prompt.schema is not None)
            return read_whole(await reply.read_all(_MOST_ANSWER_BYTES), self._features.total_experts)
        finally:
            reply.close()

    async def _ask(self, prompt: Prompt, tenant: str, *, whole: bool) -> Reply:
        """Sends a request. Pictures that the server has seen are named; all are sent where it has forgotten one."""
        names = {frame.digest: name_picture(frame, tenant) for frame in prompt.frames} if self._dialect.uuid else {}
        # At once, and not with its first word: a call that is given up before has shown it its pictures all the same.
        accepted = partial(self._remember, names.values()) if names else None

        async def send(known: Collection[str], *, common: bool) -> Reply:
            encode = partial(encode_request, prompt, self._dialect, self.model, self._recommended, tenant, self._features)
            # The body is not held: megabytes of pixels are not to be kept for the length of an answer.
            return await self._endpoint.post(_COMPLETIONS, encode(names=names, known=known, whole=whole, common=common), accepted)

        known = {name for name in names.values() if name in self._seen}
        reply = await send(known, common=self._common)
        if reply.status != 200 and known:
            # Whatever it refuses, it is asked again with the pictures themselves before anybody is told.
            for name in known:
                self._seen.pop(name, None)
            reply.close()
            reply = await send((), common=self._common)
        if reply.status == 400 and not self._common and has_own_form(prompt, self._dialect):
            # It may be set to make its grammars otherwise than its kind does.
            reply.close()
            reply = await send((), common=True)
            self._common = reply.status == 200
        return reply

    def remember_picture(self, frame: Frame, tenant: str) -> None:
        """The server has this picture of the tenant's; where it has not, it says so and is sent it."""
        self._remember([name_picture(frame, tenant)])

    def _remember(self, names: Collection[str]) -> None:
        for name in names:
            self._seen[name] = None
            self._seen.move_to_end(name)
            if len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)

    async def context_tokens(self) -> int | None:
        """The model's context as /tokenize tells it; None where it does not. Raises `BackendUnavailable`."""
        if not self._dialect.tokenize:
            return None
        try:
            reply = await self._endpoint.post("/tokenize", msgspec.json.encode({"model": self.model, "prompt": "."}))
            try:
                found = msgspec.json.decode(await reply.read_all(_MOST_PAGE_BYTES), type=_Tokenized) if reply.status == 200 else None
            finally:
                reply.close()
        except (ConnectionFault, msgspec.DecodeError):
            return None
        return found.max_model_len if found else None

    def forget_pictures(self) -> None:
        """The server was away and may have been started anew: it has seen nothing, and may be set otherwise."""
        self._seen.clear()
        self._common = False

    def cut_unanswered(self, why: str) -> None:
        """Breaks off the generations that have no token yet, with `BackendUnavailable`."""
        self._endpoint.cut_unanswered(why)

    async def models(self) -> list[Served]:
        """What the server says that it serves. Raises `BackendUnavailable`."""
        try:
            return msgspec.json.decode(await self._get("/v1/models"), type=_Models).data
        except msgspec.DecodeError as error:
            raise BackendUnavailable(cause="/v1/models is not a list of models") from error

    async def healthy(self, seconds: float) -> bool:
        """Whether /health answers with 200 within so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._get("/health")
        except (BackendUnavailable, TimeoutError):
            return False
        return True

    async def decoded_tokens(self) -> int:
        """Tokens generated since the server's start by its own count on /metrics, those of cancelled requests included.

        Requests still being decoded count once they end. Raises `BackendUnavailable` where the dialect has no such counter.
        """
        name = self._dialect.decoded
        if name is None:
            raise BackendUnavailable(cause=f"{self._dialect.name} servers do not count their tokens")
        return int(await self._count(name) or 0)

    async def under_way(self) -> int | None:
        """Generations that the server runs or lets wait, for whomever; None where it does not tell. Raises `BackendUnavailable`."""
        found = await self._count(*self._dialect.under_way) if self._dialect.under_way else None
        return None if found is None else round(found)

    async def _count(self, *names: str) -> float | None:
        """The sum of some numbers on /metrics; None where none of them is there."""
        starts = tuple(name + end for name in names for end in (" ", "{"))
        page = (await self._get("/metrics")).decode("utf-8", "replace")
        found = [line.rsplit(None, 1)[-1] for line in page.splitlines() if line.startswith(starts)]
        try:
            return sum(map(float, found)) if found else None
        except ValueError:
            raise BackendUnavailable(cause="/metrics is not in Prometheus' form") from None

    async def _get(self, path: str) -> bytes:
        try:
            reply = await self._endpoint.get(path)
            try:
                if reply.status != 200:
                    raise BackendUnavailable(cause=f"{path}: HTTP {reply.status}")
                return await reply.read_all(_MOST_PAGE_BYTES)
            finally:
                reply.close()
        except ConnectionFault as error:
            raise BackendUnavailable(cause=f"{path}: {error}") from error

    async def _refusal(self, reply: Reply, *, schema: bool) -> Exception:
        try:
            body = await reply.read_all(_MOST_ERROR_BYTES)
        except ConnectionFault:
            body = b""
        if reply.status == 200:
            return BackendUnavailable(cause=f"an answer of type {(reply.header('content-type') or 'unknown')[:60]}, not a stream")
        return from_status(reply.status, body, self._dialect, retry_after=reply.header("retry-after"), schema=schema)


async def _read_out(reply: Reply) -> None:
    """Waits a moment for the end of a body, which lets the connection be used again; whoever closes the generator early cuts it."""
    with contextlib.suppress(ConnectionFault, TimeoutError):
        if not reply.complete:
            async with asyncio.timeout(_MOST_GOODBYE_S):
                await reply.read_all(_MOST_ERROR_BYTES)
