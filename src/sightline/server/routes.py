"""The routes. Each turns bytes into a call and a stream back into bytes; what happens between stands in `service.infer`."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import msgspec
from starlette.types import Receive, Scope, Send

from sightline.protocol.decode import decode
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual
from sightline.protocol.requests import InferRequest
from sightline.server.connection import while_connected
from sightline.server.entry import Entry
from sightline.server.files import delete_file, receive_file
from sightline.server.metrics import CONTENT_TYPE, Metrics
from sightline.server.openapi import document
from sightline.server.response import send_bytes, send_json
from sightline.server.stream import send_events
from sightline.service.calls import Call, understand
from sightline.service.infer import Inference, collect
from sightline.service.ports import FileStore, Pool
from sightline.tasks.base import Lane
from sightline.tasks.catalog import Catalog
from sightline.tasks.described import describe

_LANES: tuple[Lane, ...] = get_args(Lane)


class ModerationState(msgspec.Struct, frozen=True):
    """What is moderated, and whether refusals are on record."""

    text: bool = False
    images: bool = False
    recorded: bool = False


class Routes:
    """The endpoints over one service."""

    def __init__(
        self,
        entry: Entry,
        inference: Inference,
        pool: Pool,
        metrics: Metrics,
        files: FileStore,
        moderation: Callable[[], ModerationState],
        catalog: Catalog,
    ) -> None:
        self._entry = entry
        self._inference = inference
        self._pool = pool
        self._metrics = metrics
        self._files = files
        self._moderation = moderation
        self._catalog = catalog

    async def infer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /infer: the answer as one envelope."""
        call = await self._call(scope, receive, whole=True)
        if call.options.stream:
            reason = Bilingual("该路径不支持流式", "this path does not stream")
            raise MalformedRequest("options.stream", reason, Bilingual("false；流式请用 /infer_stream", "false; /infer_stream streams"))
        if getattr(call.options, "logprobs", False):
            reason = Bilingual("仅流式返回", "only streams tell them")
            raise MalformedRequest("options.logprobs", reason, Bilingual("false；流式请用 /infer_stream", "false; /infer_stream streams"))
        envelope = await while_connected(receive, collect(self._inference.stream(call)), scope)
        await send_json(send, msgspec.json.encode(envelope))

    async def infer_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /infer_stream: the answer as server-sent events."""
        call = await self._call(scope, receive)
        sending = send_events(
            send,
            self._inference.stream(call),
            request_id=call.request_id,
            language=call.caller.language,
            heartbeat=self._entry.bounds.heartbeat_seconds,
            patience=self._entry.bounds.reader_seconds,
        )
        await while_connected(receive, sending, scope)

    async def _call(self, scope: Scope, receive: Receive, *, whole: bool = False) -> Call:
        arrived = self._entry.clock.now()
        # Who may not ask is told so before a byte of the body is read.
        caller = await self._entry.caller(scope)
        body = await self._entry.body(scope, receive)
        return understand(decode(body, InferRequest), caller, scope["state"]["request_id"], arrived, self._catalog, whole=whole)

    async def files(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /files: keeps an upload for a while."""
        await receive_file(scope, receive, send, self._files, await self._entry.caller(scope), self._entry.bounds.writer_seconds)

    async def file(self, scope: Scope, receive: Receive, send: Send) -> None:
        """DELETE /files/{file_id}."""
        await delete_file(scope, receive, send, self._files, await self._entry.caller(scope))

    async def tasks(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /tasks: what can be asked: tasks with their options as JSON Schema, personas, examples; a task with engines of its own
        tells its model."""
        await self._entry.admit(scope, "tasks")
        described = describe(self._catalog)
        for task in described["tasks"]:
            if (routed := self._pool.routes().get(task["name"])) is not None:
                task["model"] = next((backend.info.name for backend in routed if backend.info), None)
        await send_json(send, msgspec.json.encode(described))

    async def health(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /health: the process lives."""
        await send_json(send, b'{"status":"ok"}')

    async def ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /ready: 200 while at least one lane can answer; says which cannot, and which tasks are without the engines of their own."""
        lanes = {name: any(backend.ready() for backend in self._pool.candidates(name, None)) for name in _LANES}
        models = [{"name": info.name, "context_tokens": info.context_tokens, "fake": info.fake} for info in self._pool.models()]
        routed = self._pool.routes()
        routes = {task: any(backend.ready() for backend in backends) for task, backends in routed.items()}
        engines = (*(self._pool.candidates(name, None) for name in _LANES), *routed.values())
        away = {
            backend.name: getattr(backend, "trouble", None) or "away" for backends in engines for backend in backends if not backend.ready()
        }
        state = {"ready": any(lanes.values()), "lanes": lanes, "away": away, "models": models, "moderation": self._moderation()}
        state |= {"routes": routes} if routes else {}
        body = msgspec.json.encode(state)
        await send_json(send, body, status=200 if any(lanes.values()) else 503)

    async def metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /metrics: for Prometheus."""
        await self._entry.admit(scope, "metrics")
        await send_bytes(send, self._metrics.expose(), CONTENT_TYPE)

    async def openapi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /openapi.json: this interface, for programs."""
        await self._entry.admit(scope, "docs")
        await send_json(send, msgspec.json.encode(document(scope.get("root_path", ""), self._catalog)))
