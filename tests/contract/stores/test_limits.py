"""Limits in memory and through Valkey/Redis: the same answers."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sightline.protocol.errors import Internal, QuotaExceeded, RateLimited, TooLarge
from sightline.protocol.language import Bilingual
from sightline.service.ports import Allowance, Caller, Limits
from sightline.stores.faults import StoreFault
from sightline.stores.limits import MemoryLimits
from sightline.stores.shared_limits import SharedLimits
from sightline.stores.usage import Spent

NOON = 1_790_000_000.0  # 2026-09-21T14:13:20Z


class World:
    """A clock to turn by hand, and what the ledger is said to hold."""

    def __init__(self) -> None:
        self.now = NOON
        self.away = False
        self.before: dict[tuple[str, str], Spent] = {}
        self.asked: list[tuple[str, str]] = []

    def wall(self) -> float:
        return self.now

    async def recall(self, key: str, since: str) -> Spent:
        self.asked.append((key, since))
        if self.away:
            raise StoreFault(Bilingual("不在", "away"))
        await asyncio.sleep(0)
        return self.before.get((key, since), Spent())


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(params=["memory", "shared"])
async def limits(request: pytest.FixtureRequest, world: World) -> AsyncGenerator[Limits]:
    if request.param == "memory":
        yield MemoryLimits(world.recall, wall=world.wall)
        return
    shared = SharedLimits(request.getfixturevalue("redis_server").address, world.recall, wall=world.wall, server_time=False)
    await shared.start()
    yield shared
    await shared.close()


def caller(key: str = "key_a", **allowance: int) -> Caller:
    return Caller(key_id=key, allowance=Allowance(**allowance))


async def settled(limits: Limits) -> None:
    """Waits until places given back are free: at once in memory, a round trip through a server."""
    if isinstance(limits, SharedLimits):
        await asyncio.gather(*limits._settling)


async def test_requests_a_minute_slide(limits: Limits, world: World) -> None:
    who = caller(requests_per_minute=3)
    for _ in range(3):
        (await limits.admit(who, 10)).release()
        world.now += 10
    with pytest.raises(RateLimited) as refused:
        await limits.admit(who, 10)
    assert refused.value.retry_after_ms is not None
    assert "3 requests a minute" in refused.value.say("en")
    world.now += refused.value.retry_after_ms / 1000
    (await limits.admit(who, 10)).release()
    with pytest.raises(RateLimited):
        await limits.admit(who, 10)
    (await limits.admit(caller("key_b", requests_per_minute=1), 10)).release()


async def test_no_minute_ever_holds_more_than_the_limit(limits: Limits, world: World) -> None:
    who, admitted = caller(requests_per_minute=20), []
    for _ in range(700):
        world.now += 0.37
        try:
            (await limits.admit(who, 1)).release()
            admitted.append(world.now)
        except RateLimited:
            pass
    for start in admitted:
        assert sum(start <= moment < start + 60 for moment in admitted) <= 20
    spent = admitted[-1] - admitted[0]
    assert len(admitted) >= 0.95 * 20 * (spent // 60)


async def test_tokens_a_minute_are_corrected_to_what_was_used(limits: Limits, world: World) -> None:
    who = caller(tokens_per_minute=1000)
    lease = await limits.admit(who, 900)
    with pytest.raises(RateLimited) as refused:
        await limits.admit(who, 200)
    assert refused.value.retry_after_ms == pytest.approx(61_000 - (world.now % 1) * 1000, abs=5)
    lease.release(100)
    await settled(limits)
    (await limits.admit(who, 900)).release(900)
    await settled(limits)
    with pytest.raises(RateLimited):
        await limits.admit(who, 1)


async def test_a_place_is_given_back_once(limits: Limits) -> None:
    who = caller(concurrent=2)
    first, second = await limits.admit(who, 1), await limits.admit(who, 1)
    with pytest.raises(RateLimited) as refused:
        await limits.admit(who, 1)
    assert refused.value.retry_after_ms
    first.release()
    first.release()
    await settled(limits)
    third = await limits.admit(who, 1)
    with pytest.raises(RateLimited):
        await limits.admit(who, 1)
    for lease in (second, third):
        lease.release()


async def test_quotas_end_with_the_day_and_the_month(limits: Limits, world: World) -> None:
    who = caller(tokens_per_day=100, requests_per_month=3)
    (await limits.admit(who, 60)).release(60)
    await settled(limits)
    with pytest.raises(QuotaExceeded) as refused:
        await limits.admit(who, 60)
    assert refused.value.details["resets_at"] == "2026-09-22T00:00:00Z"
    world.now += 86_400
    (await limits.admit(who, 60)).release(60)
    world.now += 86_400
    (await limits.admit(who, 60)).release(60)
    world.now += 86_400
    with pytest.raises(QuotaExceeded) as refused:
        await limits.admit(who, 1)
    assert refused.value.details["resets_at"] == "2026-10-01T00:00:00Z"
    world.now = NOON + 86_400 * 10
    (await limits.admit(who, 60)).release()


async def test_a_restart_gives_nothing_away(limits: Limits, world: World) -> None:
    world.before = {("key_a", "2026-09-21"): Spent(9, 90), ("key_a", "2026-09-01"): Spent(20, 500)}
    who = caller(requests_per_day=10, tokens_per_month=1000)
    results = await asyncio.gather(*(limits.admit(who, 10) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, QuotaExceeded) for result in results) == 4


async def test_a_quota_is_never_guessed(limits: Limits, world: World) -> None:
    who = caller(requests_per_day=1)
    world.away = True
    with pytest.raises(Internal):
        await limits.admit(who, 1)
    (await limits.admit(caller("key_b", requests_per_minute=1), 1)).release()
    world.away = False
    (await limits.admit(who, 1)).release()
    with pytest.raises(QuotaExceeded):
        await limits.admit(who, 1)


async def test_a_call_that_never_fits_is_told_so(limits: Limits) -> None:
    with pytest.raises(TooLarge) as refused:
        await limits.admit(caller(tokens_per_minute=500, tokens_per_day=10_000), 501)
    assert (refused.value.details["actual"], refused.value.details["limit"]) == (501, 500)


async def test_a_refused_call_counts_nothing(limits: Limits, world: World) -> None:
    who = caller(requests_per_minute=100, tokens_per_minute=100, requests_per_day=2)
    (await limits.admit(who, 90)).release(90)
    await settled(limits)
    for _ in range(10):
        with pytest.raises(RateLimited):
            await limits.admit(who, 90)
    world.now += 62
    (await limits.admit(who, 90)).release()


async def test_without_an_allowance_nothing_is_asked(limits: Limits, world: World) -> None:
    for _ in range(50):
        (await limits.admit(Caller(), 10**9)).release(3)
    assert world.asked == []


async def test_a_dead_gateways_calls_end(redis_server) -> None:
    who = caller(concurrent=1)
    dead = SharedLimits(redis_server.address, lease_s=0.3)
    await dead.admit(who, 1)
    await dead._redis.aclose()  # it dies: nothing is released, nothing renewed
    living = SharedLimits(redis_server.address, lease_s=0.3)
    await living.start()
    with pytest.raises(RateLimited):
        await living.admit(who, 1)
    await asyncio.sleep(0.4)
    held = await living.admit(who, 1)
    await asyncio.sleep(0.8)
    with pytest.raises(RateLimited):
        await living.admit(who, 1)
    held.release()
    await living.close()


async def test_while_the_server_is_away_each_counts_alone(redis_server, caplog: pytest.LogCaptureFixture) -> None:
    ticks = [0.0]
    limits = SharedLimits(redis_server.address, monotonic=lambda: ticks[0])
    who = caller(requests_per_minute=2)
    lease = await limits.admit(who, 1)
    redis_server.stop()
    lease.release()
    for _ in range(2):
        (await limits.admit(who, 1)).release()
    assert not limits.shared
    with pytest.raises(RateLimited):
        await limits.admit(who, 1)
    redis_server.start()
    ticks[0] += 2
    (await limits.admit(who, 1)).release()
    assert limits.shared
    await limits.close()
    assert sum("alone" in record.message for record in caplog.records) == 1


_GATEWAY = """
import asyncio, sys, time
from sightline.protocol.errors import RateLimited
from sightline.service.ports import Allowance, Caller
from sightline.stores.shared_limits import SharedLimits

async def main(address):
    limits = SharedLimits(address)
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.time() + 25  # never so long where there is a CPU to run on: the limit is reached in a moment
    who = Caller(key_id="key_a", allowance=Allowance(requests_per_minute=200, tokens_per_minute=100_000, concurrent=50))
    admitted = refused = 0
    async def knock():
        nonlocal admitted, refused
        while refused < 100 and time.time() < until:
            try:
                lease = await limits.admit(who, 100)
                admitted += 1
                await asyncio.sleep(0.001)
                lease.release(50)
            except RateLimited:
                refused += 1
                await asyncio.sleep(0.005)
    await asyncio.gather(*(knock() for _ in range(8)))
    await limits.close()
    print(admitted)

asyncio.run(main(sys.argv[1]))
"""


def test_three_gateways_keep_one_limit(redis_server, tmp_path: Path) -> None:
    program = tmp_path / "gateway.py"
    program.write_text(_GATEWAY)
    gateways = [
        subprocess.Popen([sys.executable, str(program), redis_server.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for gateway in gateways:
        assert gateway.stdout
        assert gateway.stdout.readline() == "ready\n"
    for gateway in gateways:
        assert gateway.stdin
        gateway.stdin.write("go\n")
        gateway.stdin.flush()
    admitted = [int(gateway.communicate(timeout=30)[0]) for gateway in gateways]
    assert all(admitted), "every gateway got some"
    assert sum(admitted) == pytest.approx(200, rel=0.05)
