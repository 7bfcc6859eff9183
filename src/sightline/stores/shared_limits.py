"""Limits of a key across several gateways, through Valkey or Redis: one script counts, so that no two of them count apart.

The server's clock is the one that counts. A gateway that dies leaves its calls open for `lease_s`; living ones renew theirs.
While the server is away every gateway counts alone (`MemoryLimits`), says so once in the log, and asks again every second.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from importlib import resources
from typing import Any, cast

from sightline.service.ports import Allowance, Caller, Lease
from sightline.stores.limits import BUSY_RETRY_MS, WINDOW_S, MemoryLimits, Recall, Unlimited, check_fits, periods, recalled, refusal
from sightline.stores.valkey import away, connect

_log = logging.getLogger(__name__)

_PAUSE_S = 1.0
_ORDER = (
    "concurrent",
    "requests_per_minute",
    "tokens_per_minute",
    "requests_per_day",
    "tokens_per_day",
    "requests_per_month",
    "tokens_per_month",
)


class SharedLimits:
    """Limits over one Valkey or Redis server, by its address (`redis://`, `rediss://`, `unix://`)."""

    def __init__(
        self,
        address: str,
        recall: Recall | None = None,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        server_time: bool = True,
        lease_s: float = 30.0,
        namespace: str = "sightline",
    ) -> None:
        """`wall` names days and months, and stands in for the server's clock without `server_time`. Raises `StoreFault`
        for an address that is none, and where the client library is not installed."""
        self._redis = connect(address)
        self._script = cast("Any", self._redis).register_script(
            resources.files("sightline.stores").joinpath("limits.lua").read_text("utf-8")
        )
        self._recall = recall
        self._wall = wall
        self._monotonic = monotonic
        self._server_time = server_time
        self._lease_s = lease_s
        self._namespace = namespace
        self._alone = MemoryLimits(recall, wall=wall)
        self._away_until = 0.0
        self._held: dict[str, str] = {}
        """Lease to the set that it stands in."""
        self._settling: set[asyncio.Task[None]] = set()
        self._renewing: asyncio.Task[None] | None = None

    @property
    def shared(self) -> bool:
        """False while the server is away and this gateway counts alone."""
        return self._away_until == 0.0

    async def start(self) -> None:
        """Begins to renew the calls that are open here."""
        self._renewing = asyncio.create_task(self._renew())

    async def close(self) -> None:
        """Settles what is left and closes the connections."""
        if self._renewing:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing
        await asyncio.gather(*self._settling, return_exceptions=True)
        await self._redis.aclose()

    async def admit(self, caller: Caller, tokens: int) -> Lease:
        """See `ports.Limits`."""
        allowance = caller.allowance
        if allowance == Allowance():
            return Unlimited()
        check_fits(allowance, tokens)
        if self._monotonic() < self._away_until:
            return await self._alone.admit(caller, tokens)
        key = caller.key_id or f"tenant:{caller.tenant}"
        day, month = periods(self._wall())
        base = f"{self._namespace}:limits:{{{key}}}"
        keys = [f"{base}:window", f"{base}:open", f"{base}:day:{day.first_day}", f"{base}:month:{month.first_day}"]
        lease = secrets.token_hex(8)
        limits = [-1 if (limit := getattr(allowance, name)) is None else limit for name in _ORDER]
        spent: list[int] = [-1, -1, -1, -1]
        try:
            answer = await self._ask(keys, lease, tokens, limits, spent)
            if answer[0] == b"recall":
                spent = [number for period in (day, month) for number in await recalled(self._recall, key, period.first_day)]
                answer = await self._ask(keys, lease, tokens, limits, spent)
        except away() as error:
            self._lost(error)
            return await self._alone.admit(caller, tokens)
        if self._away_until:
            _log.warning("limits are shared again")
            self._away_until = 0.0
        if answer[0] == b"ok":
            self._held[lease] = keys[1]
            return _SharedLease(self, lease, keys, int(answer[1]), tokens)
        bound, limit, wait = answer[0].decode(), int(answer[1]), int(answer[2])
        raise refusal(bound, limit, retry_after_ms=BUSY_RETRY_MS if wait < 0 else wait, day=day, month=month)

    def settle(self, lease: str, keys: Sequence[str], second: int, change: int) -> None:
        """Gives a place back in the background; `change` corrects the tokens that were counted."""
        self._held.pop(lease, None)
        settling = asyncio.create_task(self._settle(lease, keys, second, change))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)

    def _ask(self, keys: Sequence[str], lease: str, tokens: int, limits: Sequence[int], spent: Sequence[int]) -> Awaitable[list[Any]]:
        now = "" if self._server_time else str(int(self._wall() * 1000))
        arguments = [now, lease, int(self._lease_s * 1000), tokens, WINDOW_S, *limits, *spent]
        return cast("Awaitable[list[Any]]", self._script(keys=keys, args=arguments))

    async def _settle(self, lease: str, keys: Sequence[str], second: int, change: int) -> None:
        try:
            pipeline = cast("Any", self._redis.pipeline(transaction=False))
            pipeline.zrem(keys[1], lease)
            if change:
                pipeline.eval(_CORRECT, 3, keys[0], keys[2], keys[3], f"{second}:t", change)
            await pipeline.execute()
        except away() as error:
            self._lost(error)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            if not self._held:
                continue
            now = "" if self._server_time else str(int(self._wall() * 1000))
            try:
                pipeline = cast("Any", self._redis.pipeline(transaction=False))
                for lease, key in list(self._held.items()):
                    pipeline.eval(_RENEW, 1, key, lease, now, int(self._lease_s * 1000))
                await pipeline.execute()
            except away() as error:
                self._lost(error)

    def _lost(self, error: Exception) -> None:
        if not self._away_until:
            _log.warning("limits are counted by this gateway alone: %s", type(error).__name__)
        self._away_until = self._monotonic() + _PAUSE_S


# Corrects counts that are still there; a window that has passed must not come back with a count below zero.
_CORRECT = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2]) end
for index = 2, 3 do if redis.call('EXISTS', KEYS[index]) == 1 then redis.call('HINCRBY', KEYS[index], 't', ARGV[2]) end end
return 1
"""

_RENEW = """
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
redis.call('ZADD', KEYS[1], 'XX', now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3] * 2)
return 1
"""


class _SharedLease:
    def __init__(self, limits: SharedLimits, lease: str, keys: Sequence[str], second: int, tokens: int) -> None:
        self._limits = limits
        self._lease = lease
        self._keys = keys
        self._second = second
        self._tokens = tokens
        self._held = True

    def release(self, tokens: int | None = None) -> None:
        """See `ports.Lease`."""
        if self._held:
            self._held = False
            self._limits.settle(self._lease, self._keys, self._second, 0 if tokens is None else tokens - self._tokens)
