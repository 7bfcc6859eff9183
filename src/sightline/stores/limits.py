"""Limits of a key inside one process. Implements `ports.Limits`; `shared_limits` does the same for several gateways.

Minutes slide: a call counts in the second in which it was admitted, and no 60 seconds ever hold more than the limit (so a
minute may let through up to 1/60 less). Days and months are those of UTC; they begin with what the ledger already holds,
so that a restart gives nothing away.
"""

from __future__ import annotations

import functools
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sightline.protocol.errors import Error, Internal, QuotaExceeded, RateLimited, TooLarge
from sightline.protocol.language import Bilingual
from sightline.service.ports import Allowance, Caller, Lease
from sightline.stores.faults import StoreFault

WINDOW_S = 60
"""Length of the sliding window in seconds, each of which is counted on its own."""
BUSY_RETRY_MS = 1000
"""When to come back after too many at once: nobody knows when one of them ends."""
_BOUNDLESS = Allowance()
_KEPT = 10_000
"""Keys whose counts are held at most; those used longest ago go first, and are read from the ledger again."""

NAMES = {
    "concurrent": Bilingual("同时进行的请求不超过 {limit} 个", "{limit} requests at a time"),
    "requests_per_minute": Bilingual("每分钟 {limit} 个请求", "{limit} requests a minute"),
    "tokens_per_minute": Bilingual("每分钟 {limit} 个 token", "{limit} tokens a minute"),
}


class Spent(Protocol):
    """Calls and tokens of a period."""

    @property
    def requests(self) -> int: ...
    @property
    def tokens(self) -> int: ...


Recall = Callable[[str, str], Awaitable[Spent]]
"""What a key spent since a day (`YYYY-MM-DD`): `usage.UsageStore.spent`."""


@dataclass(frozen=True, slots=True)
class Period:
    """A day or month of UTC: its first day (`YYYY-MM-DD`) and the moment of the next one (ISO 8601)."""

    first_day: str
    resets_at: str


def periods(now: float) -> tuple[Period, Period]:
    """The day and the month that hold a moment (seconds since 1970)."""
    return _periods(int(now // 86_400))


@functools.lru_cache(maxsize=4)
def _periods(days: int) -> tuple[Period, Period]:
    day = datetime.fromtimestamp(days * 86_400, UTC)
    month = day.replace(day=1)
    after = (month + timedelta(days=31)).replace(day=1)
    return Period(day.strftime("%Y-%m-%d"), _iso(day + timedelta(days=1))), Period(month.strftime("%Y-%m-%d"), _iso(after))


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def check_fits(allowance: Allowance, tokens: int) -> None:
    """Raises `TooLarge` for a call that no waiting lets in."""
    bounds = (allowance.tokens_per_minute, allowance.tokens_per_day, allowance.tokens_per_month)
    most = min((bound for bound in bounds if bound is not None and tokens > bound), default=None)
    if most is not None:
        raise TooLarge(
            Bilingual("请求", "The request"),
            tokens,
            most,
            "token",
            advice=Bilingual(
                "此密钥的限额容不下它：请减少输入或 max_tokens。", "The key's allowance never holds it: send less, or lower max_tokens."
            ),
        )


async def recalled(recall: Recall | None, key: str, since: str) -> tuple[int, int]:
    """Calls and tokens that were spent since a day. Raises `Internal` when the ledger cannot be read: a quota is never guessed."""
    if recall is None:
        return 0, 0
    try:
        before = await recall(key, since)
    except StoreFault as fault:
        raise Internal(cause=f"the ledger cannot be read: {fault}") from fault
    return before.requests, before.tokens


def refusal(bound: str, limit: int, *, retry_after_ms: int, day: Period, month: Period) -> Error:
    """The error for the field of `Allowance` that stood in the way."""
    if bound in NAMES:
        return RateLimited(NAMES[bound].fill(limit=limit), retry_after_ms=max(1, retry_after_ms))
    return QuotaExceeded((day if bound.endswith("_day") else month).resets_at)


class Unlimited:
    """The lease of a key without bounds."""

    def release(self, tokens: int | None = None) -> None:
        """Nothing was counted."""


@dataclass(slots=True)
class _Tally:
    requests: int = 0
    tokens: int = 0
    gone: bool = False
    """A second that has left the window."""


@dataclass(slots=True)
class _Counts:
    """What is known of one key now. `seconds` maps each second of the window, oldest first, to what it admitted."""

    open: int = 0
    window: _Tally = field(default_factory=_Tally)
    """The sum of `seconds`."""
    seconds: deque[tuple[int, _Tally]] = field(default_factory=deque[tuple[int, _Tally]])
    spent: dict[str, _Tally] = field(default_factory=dict[str, _Tally])
    """By `day:<first day>` and `month:<first day>`."""


class MemoryLimits:
    """Limits of one process."""

    def __init__(self, recall: Recall | None = None, *, wall: Callable[[], float] = time.time) -> None:
        """`recall` tells what was spent before this process began; without it, quotas begin anew."""
        self._recall = recall
        self._wall = wall
        self._counts: OrderedDict[str, _Counts] = OrderedDict()

    async def admit(self, caller: Caller, tokens: int) -> Lease:
        """See `ports.Limits`."""
        allowance = caller.allowance
        if allowance == _BOUNDLESS:
            return Unlimited()
        check_fits(allowance, tokens)
        key = caller.key_id or f"tenant:{caller.tenant}"
        counts = self._counts.setdefault(key, _Counts())
        self._counts.move_to_end(key)
        day, month = periods(self._wall())
        of_day, of_month = f"day:{day.first_day}", f"month:{month.first_day}"
        if of_day not in counts.spent or of_month not in counts.spent:
            await self._begin(key, counts, of_day, asked=_asked(allowance, "day"))
            await self._begin(key, counts, of_month, asked=_asked(allowance, "month"))
        # From here on nothing waits: what is checked is what is counted.
        now = self._wall()
        window = counts.window
        while counts.seconds and counts.seconds[0][0] < math.floor(now) - WINDOW_S:
            _, past = counts.seconds.popleft()
            window.requests -= past.requests
            window.tokens -= past.tokens
            past.gone = True
        today, this_month = counts.spent[of_day], counts.spent[of_month]
        for bound, limit, used, price in (
            ("concurrent", allowance.concurrent, counts.open, 1),
            ("requests_per_minute", allowance.requests_per_minute, window.requests, 1),
            ("tokens_per_minute", allowance.tokens_per_minute, window.tokens, tokens),
            ("requests_per_day", allowance.requests_per_day, today.requests, 1),
            ("tokens_per_day", allowance.tokens_per_day, today.tokens, tokens),
            ("requests_per_month", allowance.requests_per_month, this_month.requests, 1),
            ("tokens_per_month", allowance.tokens_per_month, this_month.tokens, tokens),
        ):
            if limit is not None and used + price > limit:
                wait = BUSY_RETRY_MS if bound == "concurrent" else self._wait_ms(counts, bound, used + price - limit, now)
                raise refusal(bound, limit, retry_after_ms=wait, day=day, month=month)
        if not counts.seconds or counts.seconds[-1][0] < math.floor(now):
            counts.seconds.append((math.floor(now), _Tally()))
        tallies = (counts.seconds[-1][1], window, today, this_month)
        for tally in tallies:
            tally.requests += 1
            tally.tokens += tokens
        counts.open += 1
        self._forget()
        return _MemoryLease(counts, tallies, tokens)

    async def _begin(self, key: str, counts: _Counts, period: str, *, asked: bool) -> None:
        """Takes up a period that is new here; one that no quota asks about starts at nothing."""
        if period in counts.spent:
            return
        requests, tokens = await recalled(self._recall, key, period.partition(":")[2]) if asked else (0, 0)
        if period in counts.spent:
            return
        kind = period.partition(":")[0]
        for old in [name for name in counts.spent if name.startswith(kind)]:
            del counts.spent[old]
        counts.spent[period] = _Tally(requests, tokens)

    def _wait_ms(self, counts: _Counts, bound: str, excess: int, now: float) -> int:
        """Milliseconds until so much of the window has passed that `excess` is gone."""
        for second, tally in counts.seconds:
            excess -= tally.requests if bound.startswith("requests") else tally.tokens
            if excess <= 0:
                return math.ceil((second + WINDOW_S + 1 - now) * 1000)
        return WINDOW_S * 1000

    def _forget(self) -> None:
        if len(self._counts) > _KEPT:
            idle = next((key for key, counts in self._counts.items() if counts.open == 0), None)
            if idle is not None:
                del self._counts[idle]


class _MemoryLease:
    def __init__(self, counts: _Counts, tallies: tuple[_Tally, ...], tokens: int) -> None:
        self._counts = counts
        self._tallies = tallies
        self._tokens = tokens
        self._held = True

    def release(self, tokens: int | None = None) -> None:
        """See `ports.Lease`."""
        if not self._held:
            return
        self._held = False
        self._counts.open -= 1
        if tokens is not None:
            for tally in self._tallies:
                # The window has forgotten a call whose second has left it.
                if tally is not self._counts.window or not self._tallies[0].gone:
                    tally.tokens += tokens - self._tokens


def _asked(allowance: Allowance, period: str) -> bool:
    return getattr(allowance, f"requests_per_{period}") is not None or getattr(allowance, f"tokens_per_{period}") is not None
