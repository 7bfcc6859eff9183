"""Finished answers that several gateways remember together, in Valkey or Redis. Implements `ports.AnswerCache`.

Memory is the server's to bound (`maxmemory` with an LRU policy); here every value is bounded in size and in time. While the server
is away nothing is remembered and nothing fails: every question is a miss, and the server is asked again every second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, cast

import msgspec

from sightline.protocol.events import Final
from sightline.stores.valkey import away, connect

_log = logging.getLogger(__name__)
_PAUSE_S = 1.0
_VERSION = b"1"
"""First byte of a value: raise it when an answer is encoded in another way."""


class SharedCache:
    """Answers at `address` (`redis://`, `rediss://`, `unix://`), each for `seconds`; one over `most_bytes` is not kept."""

    def __init__(
        self,
        address: str,
        *,
        seconds: int = 24 * 3600,
        most_bytes: int = 1_000_000,
        namespace: str = "sightline",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises `StoreFault` for an address that is none, and where the client library is not installed."""
        self._redis = cast("Any", connect(address))
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._prefix = f"{namespace}:answer:".encode()
        self._monotonic = monotonic
        self._away_until = 0.0
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Final)

    @property
    def shared(self) -> bool:
        """False while the server is away."""
        return self._away_until == 0.0

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    async def get(self, key: bytes) -> Final | None:
        """See the port. What cannot be read, as after a change of version, is as good as absent."""
        if self._monotonic() < self._away_until:
            return None
        try:
            found: bytes | None = await self._redis.get(self._prefix + key)
        except away() as error:
            self._lost(error)
            return None
        self._found()
        if found is None or not found.startswith(_VERSION):
            return None
        try:
            return self._decoder.decode(found[len(_VERSION) :])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    async def put(self, key: bytes, final: Final) -> None:
        """See the port."""
        content = _VERSION + self._encoder.encode(final)
        if len(content) > self._most_bytes or self._monotonic() < self._away_until:
            return
        try:
            await self._redis.set(self._prefix + key, content, ex=self._seconds)
        except away() as error:
            self._lost(error)
        else:
            self._found()

    def _found(self) -> None:
        if self._away_until:
            _log.warning("answers are remembered together again")
            self._away_until = 0.0

    def _lost(self, error: Exception) -> None:
        if not self._away_until:
            _log.warning("no answers are remembered for now: %s", type(error).__name__)
        self._away_until = self._monotonic() + _PAUSE_S
