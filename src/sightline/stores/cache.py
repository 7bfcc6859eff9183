"""Finished answers in this process's memory, bounded in bytes: the port `AnswerCache` for one gateway."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from sightline.protocol.events import Final

_OVERHEAD = 200
"""Bytes that an entry costs beside its content."""


class MemoryCache:
    """The least recently used go first. Answers are kept encoded: what is counted is what is held."""

    def __init__(self, most_bytes: int = 64 * 2**20) -> None:
        self._most = most_bytes
        self._entries: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Final)

    async def get(self, key: bytes) -> Final | None:
        """See the port."""
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return self._decoder.decode(found)

    async def put(self, key: bytes, final: Final) -> None:
        """See the port. An answer larger than a tenth of the cache is not kept."""
        content = self._encoder.encode(final)
        self._drop(key)
        if len(content) > self._most // 10:
            return
        self._entries[key] = content
        self._bytes += len(content) + _OVERHEAD
        while self._bytes > self._most:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        gone = self._entries.pop(key, None)
        if gone is not None:
            self._bytes -= len(gone) + _OVERHEAD
