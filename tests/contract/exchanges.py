"""HTTP exchanges between our client and a server of a named version: how they are written down, and a server that gives them again.

A folder of `recordings` is one server: `server.json` says which, and every other file is a case, the exchanges that happened while it
ran, in order. Requests are kept without what changes by itself (pictures, very long texts); answers as they came, piece by piece.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.contract.backends.servers import listening

RECORDINGS = Path(__file__).parent / "recordings"
AGAIN = "python -m tests.contract.record (see tests/contract/recordings/README.md)"
_MOST_TEXT = 400


@dataclass(frozen=True)
class Server:
    """`dialect` is the kind under which our client speaks to it; `how` says how it was started for the recording."""

    name: str
    version: str
    dialect: str
    model: str
    how: str
    recorded: str


@dataclass
class Exchange:
    """One request and what came back. `whole` is false where our client closed the connection before the end of the answer."""

    method: str
    path: str
    body: Any
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    whole: bool = False

    @property
    def asked(self) -> str:
        return json.dumps([self.method, self.path, self.body], sort_keys=True)


def normalise(value: Any) -> Any:
    """A request's body as it is written down: a picture by its kind alone, since encoders differ; a long text by its length."""
    if isinstance(value, dict):
        return {str(name): normalise(inner) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - any JSON
    if isinstance(value, list):
        return [normalise(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType] - any JSON
    if isinstance(value, str) and value.startswith("data:"):
        return value.partition(",")[0] + ",(a picture)"
    if isinstance(value, str) and len(value) > _MOST_TEXT:
        return f"{value[:40]}... ({len(value)} characters)"
    return value


def servers() -> list[str]:
    """The folders there are."""
    return sorted(path.parent.name for path in RECORDINGS.glob("*/server.json"))


def load_server(folder: str) -> Server:
    return Server(**json.loads((RECORDINGS / folder / "server.json").read_text("utf-8")))


def load_case(folder: str, case: str) -> list[Exchange]:
    """Raises `LookupError`, in a sentence that says what to do, where that case was never recorded."""
    path = RECORDINGS / folder / f"{case}.json"
    if not path.exists():
        raise LookupError(f"{folder} holds no recording of {case}: record it again with {AGAIN}")
    return [Exchange(**entry) for entry in json.loads(path.read_text("utf-8"))]


def save_case(folder: Path, case: str, exchanges: list[Exchange]) -> None:
    """One exchange a line, so that a change can be read."""
    lines = ",\n".join(json.dumps(asdict(exchange), ensure_ascii=False) for exchange in exchanges)
    (folder / f"{case}.json").write_text(f"[\n{lines}\n]\n", "utf-8")


class Replay:
    """Answers as the recording does; what it does not hold stands in `missing`, each in a sentence."""

    def __init__(self, folder: str, exchanges: list[Exchange], *, cut: bool = False) -> None:
        self._folder = folder
        self._exchanges = exchanges
        self._left: dict[str, list[Exchange]] = {}
        for exchange in exchanges:
            self._left.setdefault(exchange.asked, []).append(exchange)
        self._cut = cut
        self.missing: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        asked = Exchange(request.method, request.path, normalise(json.loads(raw)) if raw else None)
        left = self._left.get(asked.asked)
        if not left:
            self.missing.append(self._explain(asked))
            return web.json_response({"error": {"message": "this was not recorded"}}, status=500)
        # Probes and given up requests may come more often than they did: the last of several answers holds.
        return await self._give(request, left.pop(0) if len(left) > 1 else left[0])

    async def _give(self, request: web.Request, exchange: Exchange) -> web.StreamResponse:
        response = web.StreamResponse(status=exchange.status or 200, headers=exchange.headers)
        pieces = exchange.pieces
        stream = "event-stream" in exchange.headers.get("Content-Type", "")
        cut = self._cut and stream
        if exchange.status:
            await response.prepare(request)
            for piece in pieces[: len(pieces) // 2] if cut else pieces:
                await response.write(piece.encode())
                await asyncio.sleep(0)
        if cut:
            assert request.transport is not None
            request.transport.abort()
        elif not exchange.whole:
            await asyncio.sleep(60)  # until our client closes the connection, as it did
        return response

    def _explain(self, asked: Exchange) -> str:
        head = f"{asked.method} {asked.path}"
        alike = [exchange for exchange in self._exchanges if (exchange.method, exchange.path) == (asked.method, asked.path)]
        if not alike:
            return f"the client asks {head}, of which the recording of {self._folder} holds nothing; record it again with {AGAIN}"
        nearest = min((sorted(_differences(asked.body, exchange.body)) for exchange in alike), key=len)
        return f"the client asks {head} otherwise than {self._folder} was asked, in {', '.join(nearest)}; record it again with {AGAIN}"


def _differences(one: Any, other: Any, path: str = "") -> set[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        names: set[str] = set(one) | set(other)  # pyright: ignore[reportUnknownArgumentType] - any JSON
        return {found for name in names for found in _differences(one.get(name), other.get(name), f"{path}.{name}".strip("."))}  # pyright: ignore[reportUnknownMemberType] - any JSON
    return set() if one == other else {path or "body"}


@asynccontextmanager
async def replaying(replay: Replay) -> AsyncGenerator[str]:
    """Its address on a loopback port. Ends with an `AssertionError` where something was asked that the recording does not hold."""
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{path:.*}", replay.answer)
    try:
        async with listening(app) as url:
            yield url
    finally:
        assert not replay.missing, "; ".join(dict.fromkeys(replay.missing))
