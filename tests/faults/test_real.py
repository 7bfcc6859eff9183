"""The real engine under the whole service: killed under load, left in the middle of an answer, orphaned."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import aclosing
from pathlib import Path

import pytest

from sightline.backends.local import LocalBackend
from sightline.protocol.events import Token
from sightline.service.lanes import LaneLimits
from tests.faults.conftest import Service, colour, service
from tests.harness import lanes, serving

LONG = 3000
"""Tokens of an answer that nobody waits for; the context of the bundled model holds 4096."""


def engine(model: Path, slots: int = 2) -> LocalBackend:
    return LocalBackend("real", str(model), slots=slots, threads=1)


def talk(running: Service, number: int = 0, most: int = LONG, **options: object) -> asyncio.Task[object]:
    """A call whose answer goes on until `most` tokens."""
    return asyncio.create_task(running.ask(running.call(colour(number), max_tokens=most, timeout_ms=60_000, **options)))


async def idle(running: Service) -> None:
    async with asyncio.timeout(20):
        while not running.idle:  # noqa: ASYNC110 - a lane has no event for being empty
            await asyncio.sleep(0.005)


async def test_killed_under_load_who_has_no_word_yet_is_answered_and_the_others_are_told(endless: Path) -> None:
    backend = engine(endless)
    async with service(backend, limits=LaneLimits(slots=2, waiting=16)) as running:
        speaking = [asyncio.Event(), asyncio.Event()]
        begun = [
            asyncio.create_task(running.ask(running.call(colour(n), max_tokens=LONG, timeout_ms=60_000), speaking=speaking[n]))
            for n in range(2)
        ]
        queued = [talk(running, 10 + n, most=5) for n in range(6)]
        await asyncio.wait_for(asyncio.gather(*(each.wait() for each in speaking)), 30)
        assert backend.pid
        os.kill(backend.pid, signal.SIGKILL)
        told = await asyncio.gather(*begun)
        assert [(each.code, each.words != "") for each in told] == [(5001, True)] * 2
        answered = await asyncio.gather(*queued)
        assert [each.code for each in answered] == [0] * 6
        assert (await talk(running, 20, most=5)).code == 0  # and no picture is kept away
        await idle(running)


async def test_a_caller_who_leaves_stops_the_engine_by_its_own_count(endless: Path) -> None:
    backend = engine(endless, slots=1)
    async with service(backend, limits=LaneLimits(slots=1)) as running:
        assert await spoken_after_leaving(running, backend) < LONG / 10


@pytest.mark.full
async def test_a_caller_who_leaves_stops_the_engine_within_eight_tokens(endless: Path) -> None:
    """The best of several: what a busy machine adds is no work of ours."""
    backend = engine(endless, slots=1)
    async with service(backend, limits=LaneLimits(slots=1)) as running:
        assert min([await spoken_after_leaving(running, backend, number) for number in range(12)]) <= 8


async def spoken_after_leaving(running: Service, backend: LocalBackend, number: int = 0) -> int:
    """Tokens that the engine made after its only reader had left."""
    before = await backend.decoded_tokens()
    heard = 0
    plain = backend.generate

    async def counted(prompt, *, tenant):  # type: ignore[no-untyped-def]
        nonlocal heard
        async with aclosing(plain(prompt, tenant=tenant)) as deltas:
            async for delta in deltas:
                heard += len(delta.logprobs or ())
                yield delta

    backend.generate = counted  # type: ignore[method-assign]
    said = 0
    try:
        async with aclosing(running.stream(running.call(colour(number), max_tokens=LONG, timeout_ms=60_000))) as events:
            async for event in events:
                said += isinstance(event, Token)
                if said >= 20:
                    break
    finally:
        backend.generate = plain  # type: ignore[method-assign]
    await idle(running)
    await settled(backend)
    return await backend.decoded_tokens() - before - heard


async def settled(backend: LocalBackend) -> None:
    """Until the engine's own count stands still: a cancelled generation is counted when it has ended."""
    last = -1
    async with asyncio.timeout(20):
        while (count := await backend.decoded_tokens()) != last:
            last = count
            await asyncio.sleep(0.15)


async def test_leaving_a_call_that_does_not_stream_or_waits_stops_it_too(endless: Path) -> None:
    backend = engine(endless, slots=1)
    async with service(backend, limits=LaneLimits(slots=1)) as running:
        alone, waiting = talk(running), talk(running, 1)
        await asyncio.sleep(0.3)
        waiting.cancel()
        alone.cancel()
        await asyncio.gather(alone, waiting, return_exceptions=True)
        await idle(running)
        await settled(backend)
        spent = await backend.decoded_tokens()
        assert spent < LONG
        assert (await talk(running, 2, most=4)).code == 0
        await settled(backend)
        assert await backend.decoded_tokens() == spent + 4  # nothing of the two goes on, and the waiting one never began


async def test_the_engines_of_a_service_that_is_killed_end_by_themselves(endless: Path, tmp_path: Path) -> None:
    config = f'[backends.x]\nkind = "local"\nmodel = "{endless}"\nslots = 1\nthreads = 1\n' + lanes(slots=1)
    with serving(tmp_path, config) as running:
        engines = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent(pid) == running.process.pid]
        assert engines
        running.process.kill()
        running.process.wait(10)
        async with asyncio.timeout(10):
            while any(lives(pid) for pid in engines):  # noqa: ASYNC110 - processes of a process that is gone have no event
                await asyncio.sleep(0.02)


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
