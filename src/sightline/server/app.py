"""The application: routes, page and documents, mounted under a prefix, inside the gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from sightline.server.console import Console, Premises
from sightline.server.entry import Bounds, Entry
from sightline.server.gate import Gate, Visitors
from sightline.server.metrics import Metrics
from sightline.server.openai import OpenAIDoor
from sightline.server.pages import Pages
from sightline.server.routes import ModerationState, Routes
from sightline.service.infer import Inference
from sightline.service.ports import Clock, FileStore, Ids, Keys, MediaGate, Pool
from sightline.tasks.catalog import Catalog, shipped


@dataclass(frozen=True, slots=True)
class Face:
    """How the service shows itself: the prefix that it is mounted under, whom it trusts, and the bounds of an exchange."""

    root_path: str = ""
    visitors: Visitors = field(default_factory=Visitors)
    bounds: Bounds = field(default_factory=Bounds)
    open_paths: frozenset[str] = frozenset({"docs", "tasks"})
    """Readable without a key where calls need one."""
    most_priority: int = 0
    """The highest `options.priority` of a caller with a key."""


def create_app(
    *,
    inference: Inference,
    pool: Pool,
    metrics: Metrics,
    clock: Clock,
    ids: Ids,
    files: FileStore,
    media: MediaGate,
    face: Face,
    keys: Keys | None = None,
    moderation: Callable[[], ModerationState] = ModerationState,
    premises: Premises | None = None,
    catalog: Catalog | None = None,
) -> ASGIApp:
    """The ASGI application over one service; starting and stopping that service is its owner's business.

    `catalog` is what can be asked: what ships where it is None.
    """
    entry = Entry(clock, face.bounds, keys, face.open_paths, face.most_priority)
    routes = Routes(entry, inference, pool, metrics, files, moderation, catalog or shipped())
    openai = OpenAIDoor(entry, inference, pool)
    pages = Pages(entry, media)
    console = Console(entry, pool, metrics, premises or Premises())
    static = Path(str(resources.files("sightline.server").joinpath("static")))
    table: list[BaseRoute] = [
        _route("/infer", routes.infer, "POST"),
        _route("/infer_stream", routes.infer_stream, "POST"),
        _route("/v1/chat/completions", openai.completions, "POST"),
        _route("/v1/models", openai.models, "GET"),
        _route("/v1/models/{model:path}", openai.model, "GET"),
        Route("/v1/{rest:path}", _Endpoint(openai.nothing)),
        _route("/files", routes.files, "POST"),
        _route("/files/{file_id}", routes.file, "DELETE"),
        _route("/files/{file_id}/pages", pages.count, "GET"),
        _route("/files/{file_id}/pages/{page:int}.jpg", pages.page, "GET"),
        _route("/tasks", routes.tasks, "GET"),
        _route("/health", routes.health, "GET"),
        _route("/ready", routes.ready, "GET"),
        _route("/metrics", routes.metrics, "GET"),
        _route("/openapi.json", routes.openapi, "GET"),
        _route("/", _file(static / "index.html"), "GET"),
        _route("/docs", _file(static / "docs.html"), "GET"),
        _route("/console", _file(static / "console.html"), "GET"),
        _route("/console/state", console.state, "GET"),
        _route("/console/lanes/{lane}", console.lane, "POST"),
        _route("/console/keys", console.keys, "GET"),
        _route("/console/usage", console.usage, "GET"),
        _route("/console/usage.csv", console.usage_csv, "GET"),
        _route("/console/audit", console.audit, "GET"),
        Mount("/static", _Modules(directory=static)),
    ]
    prefix = face.root_path.rstrip("/")
    # A router alone, without Starlette's application: its error pages would be bare text where the gate makes the envelope.
    if prefix:
        page = RedirectResponse(f"{prefix}/")
        table = [Route(prefix, _Endpoint(page), methods=["GET"]), Mount(prefix, app=Router(table, redirect_slashes=False))]
    router = Router(table, redirect_slashes=False)
    return Gate(router, ids, face.visitors)


def _route(path: str, endpoint: ASGIApp, method: str) -> Route:
    return Route(path, _Endpoint(endpoint), methods=[method])


class _Endpoint:
    """An ASGI callable that Starlette does not mistake for a function from request to response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _file(path: Path) -> ASGIApp:
    async def send_file(scope: Scope, receive: Receive, send: Send) -> None:
        # Made anew for each request: a response remembers the size that its file had when it was first sent.
        await FileResponse(path, headers={"cache-control": "no-cache"})(scope, receive, send)

    return send_file


class _Modules(StaticFiles):
    """The page's files. A browser may keep them but asks before it uses them, so that an upgrade never mixes old and new modules."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response
