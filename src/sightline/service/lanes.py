"""Lanes: separate waiting rooms and slots, so that no kind of work ever waits behind another.

A call enters a lane once (`Lane.enter`, refused there or never) and takes a slot for each generation. A slot is held only
while the engine works: a slow reader holds nothing. Work is weighed in tokens (visual tokens, prompt and longest answer), so
that a document of 200 pages counts for what it costs and the wait can be told before it begins.

Order: the higher priority first; among equals the tenant who has had least, so that nobody starves another; within a tenant the
earliest deadline.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import msgspec

from sightline.protocol.errors import DeadlineExceeded, Overloaded, TooLarge
from sightline.protocol.language import Bilingual
from sightline.service.ports import Clock
from sightline.tasks.base import Lane as LaneName

_FIRST_GUESS = 0.001
"""Seconds that one priced token is assumed to hold a slot before any has been seen."""
_WEIGHT = 0.2
"""Of the newest observation in the moving average of that figure."""
_MANY_TENANTS = 1000
_PRICE = Bilingual("任务量", "The work asked for")


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """`slots` generations at a time; at most `waiting` calls, and `waiting_tokens` of work, beyond those that run; no call longer than
    `timeout_ms`."""

    slots: int = 4
    waiting: int = 64
    waiting_tokens: int = 1_000_000
    timeout_ms: int | None = None


class Claim(msgspec.Struct, frozen=True, gc=False):
    """What a call asks of a lane. `price` is in tokens, for all its generations; `deadline` a time of the service's clock; a
    higher `priority` goes first."""

    price: int
    deadline: float
    timeout_ms: int
    tenant: str = "local"
    priority: int = 0


class Lane:
    """One lane's slots and waiting room."""

    def __init__(self, name: LaneName, limits: LaneLimits, clock: Clock) -> None:
        self.name: LaneName = name
        self.limits = limits
        self.clock = clock
        self.paused = False
        """While set, running work finishes and nothing new starts."""
        self.draining = False
        """While set, what was admitted is answered and nobody new is let in."""
        self._waiters: list[_Waiter] = []
        self._token_seconds = _FIRST_GUESS
        self._had: dict[str, float] = {}
        self._floor = 0.0
        self.running = 0
        """Generations that hold a slot now."""
        self.running_tokens = 0
        self.expected = 0
        """Calls that were admitted and have not had their first slot yet."""
        self.expected_tokens = 0
        """Work of admitted calls that has not begun yet."""

    @property
    def waiting(self) -> int:
        """Calls admitted that cannot start at once."""
        return max(0, self.running + self.expected - self.limits.slots)

    @property
    def busy(self) -> bool:
        """Whether a call that came now would have to wait."""
        return self.paused or self.running + self.expected >= self.limits.slots

    def predicted_wait(self) -> float:
        """Seconds until a call that enters now would get a slot: the work ahead of it, shared by the slots."""
        if not self.busy:
            return 0.0
        # Of what runs, half is done on average.
        ahead = self.expected_tokens + self.running_tokens / 2
        return ahead * self._token_seconds / self.limits.slots

    def enter(self, claim: Claim) -> Ticket:
        """Admits a call.

        Raises `TooLarge` for work that this lane could never take, `Overloaded` when the waiting room is full or the lane is
        draining, `DeadlineExceeded` when the wait would outlast the caller's time.
        """
        limits = self.limits
        if claim.price > limits.waiting_tokens:
            raise TooLarge(_PRICE, claim.price, limits.waiting_tokens, "tokens")
        wait = self.predicted_wait()
        full = self.draining or self.running + self.expected >= limits.slots + limits.waiting
        if full or (self.busy and self.expected_tokens + claim.price > limits.waiting_tokens):
            raise Overloaded(self.name, retry_after_ms=max(1000, round(wait * 1000)))
        # Who has to wait must be able to finish as well: an answer that comes too late is work that nobody gets.
        if wait > 0 and wait + claim.price * self._token_seconds > claim.deadline - self.clock.now():
            late = DeadlineExceeded(claim.timeout_ms, "admission", predicted_wait_ms=round(wait * 1000))
            late.retry_after_ms = max(1000, round(wait * 1000))
            raise late
        return Ticket(self, claim)

    async def acquire(self, ticket: Ticket, price: int) -> None:
        """Takes a slot for one generation of `price` when it is this ticket's turn. Cancelling leaves the queue."""
        if not self.paused and self.running < self.limits.slots and not self._waiters:
            self._start(ticket, price)
            return
        waiter = _Waiter(ticket, price, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled():
                self.release(price)  # The slot came in the moment of cancelling: the next in line gets it.
            elif waiter in self._waiters:  # else it was passed over between being cancelled and hearing of it
                self._waiters.remove(waiter)
            raise

    def release(self, price: int, held: float | None = None) -> None:
        """Gives a slot back; `held` are the seconds of a generation that ran to its end."""
        if held is not None:
            self._token_seconds += _WEIGHT * (held / max(1, price) - self._token_seconds)
        self.running -= 1
        self.running_tokens -= price
        self._fill()

    def resize(self, slots: int) -> None:
        """Gives the lane so many slots from now on. What runs beyond them finishes."""
        self.limits = replace(self.limits, slots=slots)
        self._fill()

    def pause(self, paused: bool) -> None:
        """Stops or goes on starting work."""
        self.paused = paused
        self._fill()

    def drain(self, draining: bool) -> None:
        """Stops or goes on letting calls in."""
        self.draining = draining

    def _fill(self) -> None:
        while self._waiters and self.running < self.limits.slots and not self.paused:
            waiter = min(self._waiters, key=self._rank)
            self._waiters.remove(waiter)
            if not waiter.turn.done():
                self._start(waiter.ticket, waiter.price)
                waiter.turn.set_result(None)
        if not self._waiters and not self.running:
            self._had.clear()
            self._floor = 0.0

    def _rank(self, waiter: _Waiter) -> tuple[int, float, float]:
        claim = waiter.ticket.claim
        return (-claim.priority, max(self._floor, self._had.get(claim.tenant, 0.0)), claim.deadline)

    def _start(self, ticket: Ticket, price: int) -> None:
        claim = ticket.claim
        ticket.begin(price)
        self.running += 1
        self.running_tokens += price
        # Who comes back after a pause starts level with the others and not with a credit from before.
        self._floor = max(
            self._floor, min((self._had.get(waiter.ticket.claim.tenant, 0.0) for waiter in self._waiters), default=self._floor)
        )
        self._had[claim.tenant] = max(self._floor, self._had.get(claim.tenant, 0.0)) + price
        if len(self._had) > _MANY_TENANTS:
            self._had = {tenant: had for tenant, had in self._had.items() if had > self._floor}


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    ticket: Ticket
    price: int
    turn: asyncio.Future[None]


class Ticket:
    """A call's place in a lane, from admission until it leaves."""

    def __init__(self, lane: Lane, claim: Claim) -> None:
        self.lane = lane
        self.claim = claim
        self.predicted_wait = lane.predicted_wait()
        """Seconds that it was expected to wait when it came."""
        self.queued_seconds = 0.0
        """Time spent waiting for slots so far."""
        self._expected = True
        self._left = claim.price
        lane.expected += 1
        lane.expected_tokens += claim.price

    def slot(self, price: int | None = None) -> Slot:
        """Holds a slot of the lane for one generation, which costs `price` of the call's tokens (all of them where it is None).

        Yields the seconds that it waited for. For use inside one coroutine, never across a generator's yield.
        """
        return Slot(self, self.claim.price if price is None else price)

    def begin(self, price: int) -> None:
        """Work of `price` waits no longer: it has a slot. The first time, the call leaves the waiting room."""
        self._arrive()
        self._take(price)

    def leave(self) -> None:
        """Frees what the call still holds of the waiting room: it is done, or gave up. May be called twice."""
        self._arrive()
        self._take(self._left)

    def _arrive(self) -> None:
        if self._expected:
            self._expected = False
            self.lane.expected -= 1

    def _take(self, price: int) -> None:
        taken = min(price, self._left)
        self._left -= taken
        self.lane.expected_tokens -= taken


class Slot:
    """What `Ticket.slot` gives: an async context manager."""

    def __init__(self, ticket: Ticket, price: int) -> None:
        self._ticket = ticket
        self._price = price
        self._started = 0.0

    async def __aenter__(self) -> float:
        ticket, clock = self._ticket, self._ticket.lane.clock
        asked = clock.now()
        await ticket.lane.acquire(ticket, self._price)
        self._started = clock.now()
        ticket.queued_seconds += self._started - asked
        return self._started - asked

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        lane = self._ticket.lane
        lane.release(self._price, lane.clock.now() - self._started if kind is None else None)
