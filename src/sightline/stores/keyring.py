"""The keys in memory: what every request asks. Implements `ports.Keys`.

The whole set of valid keys is held here by hash and followed by its revision, so that a request costs one HMAC and one
look-up, an unknown key never reaches the database, and the work is the same however a key is wrong. A key that another
process made or revoked is known here within `refresh_s`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from sightline.protocol.errors import Unauthenticated
from sightline.service.ports import Caller
from sightline.stores.faults import StoreFault
from sightline.stores.keys import KeyRecord, KeyStore

_log = logging.getLogger(__name__)

_LONGEST = 256
"""Characters of a bearer key that are looked at; ours have 46."""


class KeyRing:
    """Follows a `KeyStore`. `start` loads the keys; until then nobody is let in."""

    def __init__(self, store: KeyStore, *, wall: Callable[[], float] = time.time, refresh_s: float = 2.0) -> None:
        self._store = store
        self._wall = wall
        self._refresh_s = refresh_s
        self._revision = -1
        self._callers: dict[str, tuple[KeyRecord, Caller]] = {}
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Loads the keys and follows them. Raises `StoreFault` when the database is away."""
        await self.refresh()
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        if self._following:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following

    async def refresh(self) -> None:
        """Takes up what changed; worth calling after a key was made or revoked in this process."""
        if await asyncio.to_thread(self._store.revision) == self._revision:
            return
        revision, records = await asyncio.to_thread(self._store.by_digest)
        self._callers = {digest: (record, record.caller()) for digest, record in records.items()}
        self._revision = revision

    async def authenticate(self, bearer: str | None) -> Caller:
        """See `ports.Keys`."""
        # What an attacker can choose is the text, not its HMAC: how long the look-up takes says nothing about a key.
        found = self._callers.get(self._store.digest((bearer or "")[:_LONGEST]))
        if found is None or not found[0].valid(self._wall()) or bearer is None:
            raise Unauthenticated
        return found[1]

    async def _follow(self) -> None:
        away = False
        while True:
            await asyncio.sleep(self._refresh_s)
            try:
                await self.refresh()
                away = False
            except StoreFault as fault:
                if not away:
                    _log.warning("keys are not being followed: %s", fault)
                away = True
