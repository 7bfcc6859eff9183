"""How work is shared among replicas of different speed, against an ideal that knows everything; and what happens when one fails.

    python bench/balance.py [--seconds 6]

Four simulated engines (speeds 1, 1.5, 2 and 4; four slots each), a Poisson stream of questions at 70 % of what they can do together.
The ideal sends each question, when it comes, to the engine that would truly have it done first: it knows every length and speed. The
same arrivals are played to both. Then 60 pictures, asked about again and again: how often a question reaches the engine that has seen its
picture, against chance. Last, one engine is killed, hangs or becomes ten times slower at full load: failed questions that had no token.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import heapq
import logging
import random
from collections import defaultdict
from collections.abc import AsyncGenerator
from dataclasses import replace

from sightline.assembly import SystemClock
from sightline.backends.balance import Balance
from sightline.backends.discovery import static
from sightline.backends.fake import FAKE_INFO, FakeBackend
from sightline.backends.replicas import ReplicaSet
from sightline.prompt import Delta, Frame, Message, Prompt, Sampling
from sightline.protocol.errors import BackendUnavailable

SPEEDS = (1.0, 1.5, 2.0, 4.0)
SLOTS = 4
BASE = 120.0
"""Tokens/s of a slot at speed 1."""


class Engine(FakeBackend):
    """Simulated, with a speed that can change; it counts what it was asked about which picture."""

    def __init__(self, name: str, speed: float) -> None:
        super().__init__(name, replace(FAKE_INFO, context_tokens=None), prefill_tokens_per_s=1e9, slots=SLOTS)
        self.speed = speed
        self.hanging = False
        self.gone = asyncio.Event()
        self.seen: set[str] = set()
        self.hits = self.asked = 0

    async def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        if prompt.frames:
            self.asked += 1
            self.hits += prompt.frames[0].digest in self.seen
            self.seen.add(prompt.frames[0].digest)
        if not self.ready():
            raise BackendUnavailable(cause="killed")
        async with self._slots:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if self.hanging else prompt.sampling.max_tokens / BASE / self.speed):
                    await self.gone.wait()
        if not self.ready():
            raise BackendUnavailable(cause="killed, or away by its probes")
        yield Delta("a", finish="stop")


def question(tokens: int, picture: int | None = None) -> Prompt:
    shown = () if picture is None else (Frame(b"", "image/png", 64, 64, 4, digest=f"{picture:064x}"),)
    return Prompt((Message("user", (*shown, "What?")),), Sampling(tokens))


def arrivals(seconds: float, seed: int, share: float) -> list[tuple[float, int]]:
    """(time, tokens) of each question."""
    draw = random.Random(seed)
    rate = share * sum(SPEEDS) * SLOTS * BASE / 60
    at, found = 0.0, list[tuple[float, int]]()
    while (at := at + draw.expovariate(rate)) < seconds:
        found.append((at, draw.randint(20, 100)))
    return found


def ideal(work: list[tuple[float, int]]) -> list[float]:
    """Times of a balancer that knows every length and speed, and sends each to where it is done first."""
    free = [[0.0] * SLOTS for _ in SPEEDS]
    times: list[float] = []
    for at, tokens in work:
        ends = [max(at, slots[0]) + tokens / BASE / speed for slots, speed in zip(free, SPEEDS, strict=True)]
        best = min(range(len(SPEEDS)), key=lambda index: ends[index])
        heapq.heapreplace(free[best], ends[best])
        times.append(ends[best] - at)
    return times


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


async def play(backend: ReplicaSet, work: list[tuple[float, int]], pictures: int = 0) -> tuple[list[float], int]:
    """Times of the answers, and how many questions failed."""
    loop, draw = asyncio.get_running_loop(), random.Random(5)
    begun = loop.time()
    times: list[float] = []
    failed = 0

    async def ask(at: float, tokens: int, picture: int | None) -> None:
        nonlocal failed
        await asyncio.sleep(max(0.0, begun + at - loop.time()))
        asked = begun + at
        try:
            async for _ in backend.generate(question(tokens, picture), tenant="t"):
                pass
        except BackendUnavailable:
            failed += 1
        else:
            times.append(loop.time() - asked)

    async with asyncio.TaskGroup() as group:
        for at, tokens in work:
            group.create_task(ask(at, tokens, draw.randrange(pictures) if pictures else None))
    return times, failed


async def opened(engines: list[Engine], *, affinity: bool = True) -> ReplicaSet:
    by_url = {f"http://{engine.name}": engine for engine in engines}
    balance = Balance(affinity=affinity, slow_start_s=0)
    backend = ReplicaSet("set", static(list(by_url)), lambda _, place: by_url[place.url], SystemClock(), balance)
    await backend.start()
    return backend


async def measure(seconds: float) -> None:
    work = arrivals(seconds, 1, 0.7)
    best = ideal(work)
    engines = [Engine(f"e{number}", speed) for number, speed in enumerate(SPEEDS)]
    backend = await opened(engines)
    await play(backend, arrivals(2, 2, 0.7))  # it learns their paces
    times, failed = await play(backend, work)
    await backend.close()
    ours, least = (f"p50 {1000 * percentile(each, 0.5):.0f} ms, p99 {1000 * percentile(each, 0.99):.0f} ms" for each in (times, best))
    print(f"{len(work)} questions, 4 engines of speeds {SPEEDS}: {ours}; ideal {least}")
    print(f"p99 {percentile(times, 0.99) / percentile(best, 0.99):.2f} x the ideal")
    assert not failed, failed
    rates = defaultdict[bool, float](float)
    for affinity in (True, False):
        engines = [Engine(f"e{number}", 2.0) for number in range(4)]
        backend = await opened(engines, affinity=affinity)
        await play(backend, arrivals(seconds, 3, 0.6), pictures=60)
        again = sum(engine.asked for engine in engines) - len(set[str]().union(*(engine.seen for engine in engines)))
        rates[affinity] = sum(engine.hits for engine in engines) / again
        await backend.close()
    print(f"pictures asked about again, where they were seen: {100 * rates[True]:.0f} % with affinity, {100 * rates[False]:.0f} % without")
    for trouble in ("killed", "hung", "slow"):
        engines = [Engine(f"e{number}", 2.0) for number in range(4)]
        backend = await opened(engines)
        asyncio.get_running_loop().call_later(seconds / 3, spoil, engines[1], trouble)
        times, failed = await play(backend, arrivals(seconds, 4, 0.65))
        await backend.close()
        print(f"one {trouble}: {failed} of {failed + len(times)} failed, p99 {1000 * percentile(times, 0.99):.0f} ms")


def kill(engine: Engine) -> None:
    engine.set_up(False)
    engine.gone.set()


def spoil(engine: Engine, trouble: str) -> None:
    """Killed at once; hung until its probes have missed twice (2 s each); ten times slower."""
    if trouble == "killed":
        kill(engine)
    elif trouble == "hung":
        engine.hanging = True
        asyncio.get_running_loop().call_later(4, kill, engine)
    else:
        engine.speed /= 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="for each part")
    logging.getLogger("sightline").setLevel(logging.ERROR)
    asyncio.run(measure(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
