"""Several servers of one model as one `Backend`: each generation goes to the replica that will have it done first.

What a prompt would take at a replica is estimated from its price and the work that is under way there, both in priced tokens, and
the replica's pace, which is learnt from what it has finished. A prompt with pictures goes to the replica that has seen its first picture
before (rendezvous hashing over the picture's digest), whose cache still holds it, unless that one is loaded. A replica that comes up is
given work little by little.

A replica that fails is asked nothing for a while (`service.breaker`). A request that has no token yet is tried once more, on another
replica. Where the first one died, those retries are made one at a time on each replica: if that one dies too, this request took both down
and says so (`BackendUnavailable.fatal`), and nobody else is suspected.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from sightline.backends.discovery import Discover, Place
from sightline.backends.pool import Engine
from sightline.prompt import Delta, Prompt
from sightline.protocol.errors import BackendUnavailable
from sightline.service.admission import weigh
from sightline.service.breaker import Breaker
from sightline.service.ports import Clock, ModelInfo

_log = logging.getLogger("sightline.backends")
_WEIGHT = 0.15
"""Of an observation that is slower than what is known."""
_LEAST_RAMP = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How work is shared. `loaded` is how many times longer than elsewhere a prompt may take on a replica
    at work that knows its picture."""

    affinity: bool = True
    loaded: float = 2.0
    slow_start_s: float = 10.0
    discover_s: float = 5.0
    drain_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a replica is: the seconds that a priced token takes where nothing else is under way, and where much is."""

    alone: float
    shared: float


def _learn(known: float, seen: float) -> float:
    """The best is believed at once, since company only slows down; what is worse, little by little."""
    return seen if seen < known else known + _WEIGHT * (seen - known)


class Replica:
    """One server, with what is known of its work."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.outstanding = 0
        """Priced tokens of the generations under way."""
        self.running = 0
        self.pace: Pace | None = None
        """None until one generation was done."""
        self.trial = asyncio.Lock()
        """Held while a request whose replica died is tried here, up to its first token."""
        self.draining = False
        self.idle = asyncio.Event()
        self.idle.set()
        self._clock = clock
        self._up = False
        self._since = -math.inf

    def look(self, *, first: bool = False) -> bool:
        """Whether it is ready; notes when it came up. One that was there from the beginning starts at full weight."""
        ready = self.engine.ready()
        if ready and not self._up and not first:
            self._since = self._clock.now()
        self._up = ready
        return ready

    def cost(self, price: int, usual: Pace, slow_start_s: float) -> float:
        """Seconds until work of this price would be done; `usual` is assumed where nothing is known yet."""
        ramp = min(1.0, max(_LEAST_RAMP, (self._clock.now() - self._since) / slow_start_s)) if slow_start_s else 1.0
        pace = self.pace or usual
        # Of what is under way half is done on average.
        return (price * pace.alone + self.outstanding / 2 * pace.shared) / ramp

    @contextlib.contextmanager
    def working(self, price: int) -> Generator[None]:
        """Counts a generation; learns from one that ends well."""
        self.outstanding += price
        self.running += 1
        self.idle.clear()
        load, begun = self.outstanding, self._clock.now()
        try:
            yield
            held = self._clock.now() - begun
            seen = Pace(held / price, held / load)
            self.pace = seen if self.pace is None else Pace(_learn(self.pace.alone, seen.alone), _learn(self.pace.shared, seen.shared))
        finally:
            self.outstanding -= price
            self.running -= 1
            if not self.running:
                self.idle.set()


class ReplicaSet:
    """A `Backend` over replicas that `discover` names and `build` makes. `clock` is the service's."""

    def __init__(
        self, name: str, discover: Discover, build: Callable[[str, Place], Engine], clock: Clock, balance: Balance | None = None
    ) -> None:
        self.name = name
        self._discover = discover
        self._build = build
        self._clock = clock
        self._balance = balance or Balance()
        self._breaker = Breaker(clock)
        self._replicas: dict[Place, Replica] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._following: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    @property
    def info(self) -> ModelInfo | None:
        """Of the model that all of them serve: as a replica that is ready says, or the last that was."""
        known = sorted((replica.engine for replica in self._replicas.values()), key=lambda engine: not engine.ready())
        return next((engine.info for engine in known if engine.info), None)

    @property
    def trouble(self) -> str | None:
        """Why it is not ready, for the operator; None while any replica is."""
        if self.ready():
            return None
        told = [f"{replica.engine.name}: {getattr(replica.engine, 'trouble', None) or 'away'}" for replica in self._replicas.values()]
        return "; ".join(told[:4]) or self._trouble or "no replica is known"

    def members(self) -> Sequence[Replica]:
        """The replicas that take work now."""
        return [replica for replica in self._replicas.values() if not replica.draining]

    async def start(self) -> None:
        if self._following is None:
            await self._follow()
            for replica in self._replicas.values():
                replica.look(first=True)
            self._following = asyncio.create_task(self._keep_following(), name=f"follow {self.name}")

    async def close(self) -> None:
        for task in (self._following, *self._leaving):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self._following = None
        await asyncio.gather(*(replica.engine.close() for replica in self._replicas.values()))

    def ready(self) -> bool:
        return any(replica.engine.ready() for replica in self.members())

    async def wait_ready(self, seconds: float) -> bool:
        waiting = [asyncio.create_task(replica.engine.wait_ready(seconds)) for replica in self.members()]
        try:
            for first in asyncio.as_completed(waiting):
                if await first:
                    return True
        finally:
            for task in waiting:
                task.cancel()
        return self.ready()

    async def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        """See `Backend.generate`."""
        price = weigh(prompt)
        first = self._choose(prompt, price, without=None)
        if first is None:
            raise BackendUnavailable(cause=f"{self.name}: no replica is ready")
        begun = False
        try:
            async with aclosing(self._ask(first, prompt, price, tenant)) as deltas:
                async for delta in deltas:
                    begun = True
                    yield delta
            return
        except BackendUnavailable as error:
            if begun:
                raise
            failure = error
        died = not first.engine.ready()
        second = self._choose(prompt, price, without=first)
        if second is None:
            failure.retried = False
            raise failure
        _log.warning("%s failed (%s); another replica is asked", first.engine.name, failure.cause)
        turn = second.trial if died else contextlib.nullcontext()
        async with aclosing(self._again(second, prompt, price, tenant, turn)) as deltas:
            async for delta in deltas:
                yield delta

    async def _again(
        self, replica: Replica, prompt: Prompt, price: int, tenant: str, turn: contextlib.AbstractAsyncContextManager[None]
    ) -> AsyncGenerator[Delta]:
        """The second try, up to its first token inside `turn`."""
        suspected = isinstance(turn, asyncio.Lock)
        async with aclosing(self._ask(replica, prompt, price, tenant)) as deltas:
            try:
                async with turn:
                    first = await anext(deltas, None)
            except BackendUnavailable as error:
                error.retried = True
                error.fatal = suspected and not replica.engine.ready()
                raise
            if first is not None:
                yield first
            async for delta in deltas:
                yield delta

    async def _ask(self, replica: Replica, prompt: Prompt, price: int, tenant: str) -> AsyncGenerator[Delta]:
        begun = False
        with replica.working(price):
            try:
                async with aclosing(replica.engine.generate(prompt, tenant=tenant)) as deltas:
                    async for delta in deltas:
                        if not begun:
                            begun = True
                            self._breaker.answered(replica.engine)
                        yield delta
            except BackendUnavailable:
                if not begun:
                    self._breaker.failed(replica.engine)
                raise

    def _choose(self, prompt: Prompt, price: int, *, without: Replica | None) -> Replica | None:
        """The replica for a prompt, or None where none is ready."""
        balance = self._balance
        members = [replica for replica in self.members() if replica.look() and replica is not without]
        # Where all of those that are there keep failing, any of them is a better bet than none.
        usable = [replica for replica in members if self._breaker.usable(replica.engine)] or members
        if not usable:
            return None
        paces = sorted((replica.pace for replica in usable if replica.pace is not None), key=lambda pace: pace.alone)
        usual = paces[len(paces) // 2] if paces else Pace(1.0, 1.0)
        costs = {id(replica): replica.cost(price, usual, balance.slow_start_s) for replica in usable}
        best = min(usable, key=lambda replica: costs[id(replica)])
        frame = next((part for message in prompt.messages for part in message.parts if not isinstance(part, str)), None)
        if frame is None or not balance.affinity:
            return best
        home = max(usable, key=lambda replica: _rank(frame.digest, replica.engine.name))
        loaded = home.outstanding > 0 and costs[id(home)] > balance.loaded * costs[id(best)]
        return best if loaded else home

    async def _keep_following(self) -> None:
        while True:
            await asyncio.sleep(self._balance.discover_s)
            await self._follow()

    async def _follow(self) -> None:
        """Takes up replicas that are new, and drains those that are gone. One look-up that fails changes nothing."""
        try:
            places = await self._discover()
        except OSError as error:
            if self._trouble is None:
                _log.warning("backend %s: its replicas cannot be looked up: %s", self.name, error)
            self._trouble = "its replicas cannot be looked up"
            return
        self._trouble = None
        for place in dict.fromkeys(places):
            if place not in self._replicas:
                replica = Replica(self._build(f"{self.name}@{place.label}", place), self._clock)
                self._replicas[place] = replica
                await replica.engine.start()
            self._replicas[place].draining = False
        for place, replica in self._replicas.items():
            if place not in places and not replica.draining:
                replica.draining = True
                leaving = asyncio.create_task(self._drain(place, replica), name=f"drain {replica.engine.name}")
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)

    async def _drain(self, place: Place, replica: Replica) -> None:
        """Lets a replica that is gone from the list finish what it does, and closes it; unless it comes back."""
        _log.info("backend %s: %s is drained", self.name, replica.engine.name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._balance.drain_s):
                await replica.idle.wait()
        if replica.draining:
            del self._replicas[place]
            await replica.engine.close()


def _rank(digest: str, name: str) -> bytes:
    """Rendezvous hashing: of all replicas the one whose hash with the picture is highest has it, and only its own pictures move with it."""
    return hashlib.blake2b(f"{digest}\0{name}".encode(), digest_size=8).digest()
