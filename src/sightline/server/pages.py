"""Pages of an uploaded document as small pictures, for a person who leafs through it beside an answer.

    GET /files/{file_id}/pages           {"pages": 12}
    GET /files/{file_id}/pages/{n}.jpg   page n from 1, upright, on white, at most about 900 x 900 pixels

They are drawn by the decoder processes that draw pages for models, within lane B's share of the CPU, one at a time for each
tenant, and only ever of that tenant's own uploads.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
from starlette.types import Receive, Scope, Send

from sightline.prompt import View
from sightline.protocol.errors import MalformedRequest, RateLimited
from sightline.protocol.language import Bilingual
from sightline.protocol.requests import MediaObject
from sightline.server.connection import while_connected
from sightline.server.entry import Entry
from sightline.service.ports import Caller, MediaGate, MediaPolicy, Probed

_VIEW = View(min_pixels=64 * 64, max_pixels=900 * 900, encoding="jpeg")
_POLICY = MediaPolicy(kinds=frozenset({"document", "image"}))
_MOST_WAITING = 40
"""Pages that one tenant may have asked for at a time; a page shows no more than it has in view."""
_NO_PAGE = Bilingual("没有这一页", "there is no such page")
_TOO_MANY = Bilingual("同时至多请求 {n} 个页面", "at most {n} pages at a time").fill(n=_MOST_WAITING)


class Pages:
    """The endpoints over one media gate."""

    def __init__(self, entry: Entry, media: MediaGate) -> None:
        self._entry = entry
        self._media = media
        self._asked: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Lock] = {}

    async def count(self, scope: Scope, receive: Receive, send: Send) -> None:
        """How many pages an upload has; 1 for a picture. Raises `MalformedRequest` for an unknown file, `UnsupportedMedia`."""
        caller = await self._entry.caller(scope)
        probed = await while_connected(receive, self._probe(scope, caller))
        await _send(send, msgspec.json.encode({"pages": probed.pages}), b"application/json; charset=utf-8")

    async def page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One page. Raises `MalformedRequest` for an unknown file or page, `DamagedMedia`, `RateLimited`."""
        caller = await self._entry.caller(scope)
        picture = await while_connected(receive, self._draw(scope, caller))
        await _send(send, picture, b"image/jpeg")

    async def _draw(self, scope: Scope, caller: Caller) -> bytes:
        number: int = scope["path_params"]["page"]
        async with self._turn(caller.tenant):
            probed = await self._probe(scope, caller)
            if not 1 <= number <= probed.pages:
                raise MalformedRequest("page", _NO_PAGE, f"1..{probed.pages}")
            pages = [number] if probed.kind == "document" else None
            loaded = await self._media.load(probed, _VIEW, lane="B", pages=pages)
            return loaded.frames[0].data

    async def _probe(self, scope: Scope, caller: Caller) -> Probed:
        (probed,) = await self._media.probe([MediaObject(file_id=scope["path_params"]["file_id"])], _POLICY, caller)
        return probed

    @asynccontextmanager
    async def _turn(self, tenant: str) -> AsyncGenerator[None]:
        """One page at a time for each tenant, so that nobody's leafing takes lane B's share of the CPU from others."""
        if self._asked[tenant] >= _MOST_WAITING:
            raise RateLimited(_TOO_MANY, retry_after_ms=1000)
        self._asked[tenant] += 1
        try:
            async with self._turns.setdefault(tenant, asyncio.Lock()):
                yield
        finally:
            self._asked[tenant] -= 1
            if not self._asked[tenant]:
                del self._asked[tenant]
                self._turns.pop(tenant, None)


async def _send(send: Send, body: bytes, content_type: bytes) -> None:
    # What lies under an id never changes; but it is private, and gone once it is deleted.
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), (b"cache-control", b"private, no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
