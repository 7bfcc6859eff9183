"""What every door does first: whose call is this, and what does its body say?"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace
from starlette.types import Receive, Scope

from sightline.protocol.errors import NotAllowed
from sightline.protocol.language import Bilingual
from sightline.server.connection import read_body
from sightline.service.ports import Caller, Clock, Keys

_NO_ADMIN = Bilingual("此密钥不能打开控制台", "this key does not open the console")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of one HTTP exchange: bytes of a JSON body, seconds of silence from a writer or a reader, seconds between heartbeats."""

    body_bytes: int = 32 * 2**20
    writer_seconds: float = 20.0
    reader_seconds: float = 60.0
    heartbeat_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Entry:
    """Authorises on the matched route and reads bodies. Without `keys` the service is open to whoever the gate lets through."""

    clock: Clock
    bounds: Bounds
    keys: Keys | None = None
    open_paths: frozenset[str] = frozenset()
    most_priority: int = 0
    """Of a caller with a key."""

    async def caller(self, scope: Scope) -> Caller:
        """Who asks, in the language of the request. Raises `Unauthenticated`."""
        language = scope["state"]["language"]
        if self.keys is None:
            return Caller(language=language)
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        # A proxy that judged by one of several would have let the others through.
        kind, _, bearer = given[0].decode("latin-1").partition(" ") if len(given) == 1 else ("", "", "")
        caller = await self.keys.authenticate(bearer.strip() if kind.lower() == "bearer" else None)
        return replace(caller, language=language, most_priority=self.most_priority)

    async def admit(self, scope: Scope, what: str) -> None:
        """Lets a reader of documents or figures in. Raises `Unauthenticated`."""
        if what not in self.open_paths:
            await self.caller(scope)

    async def operator(self, scope: Scope) -> None:
        """Lets an operator in: a key with the scope `admin`, or whoever the gate lets through where the service runs open.

        Raises `Unauthenticated`, `NotAllowed`.
        """
        caller = await self.caller(scope)
        if self.keys is not None and not caller.scopes.admin:
            raise NotAllowed(_NO_ADMIN)

    async def body(self, scope: Scope, receive: Receive) -> bytearray:
        """The whole body. Raises `TooLarge`, `SlowRequest`, `ClientLeft`."""
        return await read_body(scope, receive, limit=self.bounds.body_bytes, idle_seconds=self.bounds.writer_seconds)
