"""Several servers of one model as one `Backend`: each generation goes to the replica that will have it done first (`balance.py`).

What a replica has to do for other gateways it says itself, where its dialect can (`OpenAIClient.under_way`): it is asked every second.
A replica that comes up is given work little by little.

A replica that fails is asked nothing for a while (`service.breaker`). A request that has no token yet is tried once more, on another
replica. Where the first one died, those retries are made one at a time on each replica: if that one dies too, this request took both down
and says so (`BackendUnavailable.fatal`), and nobody else is suspected. Where the operator wants it, one that is merely late is raced by
another (`hedge.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing
from random import Random

from sightline.backends.balance import Balance, Load, Scales
from sightline.backends.discovery import Discover, Place
from sightline.backends.hedge import Allowance, race
from sightline.backends.pool import Engine
from sightline.prompt import Delta, Prompt
from sightline.protocol.errors import BackendUnavailable
from sightline.service.admission import weigh
from sightline.service.breaker import Breaker
from sightline.service.ports import Clock, ModelInfo

_log = logging.getLogger("sightline.backends")
_MOST_REPORTS = 50
"""Reports of replicas that are asked for in a second."""


class Replica:
    """One server, with what is known of its work."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.load = Load(engine.name, clock)
        self.trial = asyncio.Lock()
        """Held while a request whose replica died is tried here, up to its first token."""
        self.draining = False
        self.idle = asyncio.Event()
        self.idle.set()
        self.asking: asyncio.Task[None] | None = None
        """The question what it has to do, while it is under way."""
        self._clock = clock
        self._up = False

    def look(self, *, first: bool = False) -> bool:
        """Whether it is ready; notes when it came up. One that was there from the beginning starts at full weight."""
        ready = self.engine.ready()
        if ready and not self._up and not first:
            self.load.since = self._clock.now()
        self._up = ready
        return ready

    async def ask(self, seconds: float) -> None:
        """Has it say what it has to do, within so long; where it cannot, all that is known are our own generations."""
        under_way = getattr(self.engine, "under_way", None)
        if under_way is None:
            return
        with contextlib.suppress(BackendUnavailable, TimeoutError):
            async with asyncio.timeout(seconds):
                found = await under_way()
            if found is not None:
                self.load.report(found)


class ReplicaSet:
    """A `Backend` over replicas that `discover` names and `build` makes. `clock` is the service's."""

    def __init__(
        self,
        name: str,
        discover: Discover,
        build: Callable[[str, Place], Engine],
        clock: Clock,
        balance: Balance | None = None,
        random: Random | None = None,
    ) -> None:
        self.name = name
        self._discover = discover
        self._build = build
        self._clock = clock
        self._balance = balance or Balance()
        self._scales = Scales(self._balance, clock, random or Random())  # noqa: S311 - it shares work, and hides nothing
        self._breaker = Breaker(clock)
        self._hedges = Allowance()
        self._replicas: dict[Place, Replica] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._following: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
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
            self._listening = asyncio.create_task(self._keep_listening(), name=f"listen {self.name}")

    async def close(self) -> None:
        asking = (replica.asking for replica in self._replicas.values())
        for task in (self._listening, self._following, *self._leaving, *asking):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self._following = self._listening = None
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
            async with aclosing(self._ask_in_time(first, prompt, price, tenant)) as deltas:
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

    def _ask_in_time(self, first: Replica, prompt: Prompt, price: int, tenant: str) -> AsyncGenerator[Delta]:
        """The first try; where hedging is on, with another replica beside it that is asked when it is late."""
        asked = self._ask(first, prompt, price, tenant)
        if self._balance.hedge_s is None:
            return asked
        self._hedges.note()

        def another() -> AsyncGenerator[Delta] | None:
            replica = self._choose(prompt, price, without=first)
            if replica is None or not self._hedges.take():
                return None
            _log.info("%s is late; %s is asked as well", first.engine.name, replica.engine.name)
            return self._ask(replica, prompt, price, tenant)

        return race(asked, another, self._balance.hedge_s)

    async def _ask(self, replica: Replica, prompt: Prompt, price: int, tenant: str) -> AsyncGenerator[Delta]:
        begun = False
        with self._working(replica, price):
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
        members = [replica for replica in self.members() if replica.look() and replica is not without]
        # Where all of those that are there keep failing, any of them is a better bet than none.
        usable = [replica for replica in members if self._breaker.usable(replica.engine)] or members
        if not usable:
            return None
        frame = next((part for message in prompt.messages for part in message.parts if not isinstance(part, str)), None)
        loads = [replica.load for replica in usable]
        return usable[loads.index(self._scales.choose(price, frame.digest if frame else None, loads))]

    @contextlib.contextmanager
    def _working(self, replica: Replica, price: int) -> Generator[None]:
        """Counts a generation; learns from one that ends well."""
        work = self._scales.begin(replica.load, price)
        replica.idle.clear()
        try:
            yield
        except BaseException:
            replica.load.end(work)
            raise
        else:
            self._scales.learn(replica.load, work)
        finally:
            if not replica.load.running:
                replica.idle.set()

    async def _keep_listening(self) -> None:
        """Asks the replicas in turn what they have to do, each every `report_s`, or less often where there are hundreds."""
        while True:
            members = [replica for replica in self.members() if replica.engine.ready()]
            period = max(self._balance.report_s, len(members) / _MOST_REPORTS)
            if len(members) < 2:  # there is nothing to choose
                await asyncio.sleep(period)
                continue
            for replica in members:
                if replica.asking is None or replica.asking.done():
                    replica.asking = asyncio.create_task(replica.ask(period), name=f"ask {replica.engine.name}")
                await asyncio.sleep(period / len(members))

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
