"""What state costs when several gateways share it: usage in PostgreSQL, limits and remembered answers in Valkey or Redis.

    python bench/state.py [--seconds 2]

Throw-away servers of this machine's own (Debian: apt-get install postgresql redis-server), on sockets; PostgreSQL syncs to the disk as it
does by default. One client process. These are the unit costs of docs/scaling.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psycopg

from sightline.moderation.audit import AuditLog, Refusal
from sightline.moderation.evidence import Content
from sightline.prompt import Usage
from sightline.protocol.events import Final, Metadata
from sightline.service.ports import Allowance, Caller
from sightline.stores.database import Database
from sightline.stores.shared_cache import SharedCache
from sightline.stores.shared_limits import SharedLimits
from sightline.stores.usage import UsageStore


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    folder = tempfile.mkdtemp(prefix="sl-bench-", dir="/tmp")
    who = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    if who:
        shutil.chown(folder, **who)
    subprocess.run(
        [programs / "initdb", "-D", f"{folder}/d", "-U", "t", "-A", "trust", "-E", "UTF8"], check=True, capture_output=True, **who
    )
    command = [programs / "postgres", "-D", f"{folder}/d", "-k", folder, "-c", "listen_addresses="]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who)
    try:
        for _ in range(100):
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(f"host={folder} user=t dbname=postgres").close()
                break
            time.sleep(0.1)
        yield f"postgresql://t@/postgres?host={folder}"
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def valkey() -> Iterator[str]:
    """The address of an empty Valkey or Redis."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    assert program, "neither Valkey nor Redis is installed here"
    with tempfile.TemporaryDirectory(prefix="sl-bench-", dir="/tmp") as folder:
        process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", f"{folder}/s", "--save", "", "--dir", folder], stdout=subprocess.DEVNULL
        )
        try:
            while not Path(f"{folder}/s").exists():
                time.sleep(0.02)
            yield f"unix://{folder}/s"
        finally:
            process.terminate()
            process.wait(20)


async def rate(work: Callable[[int], Awaitable[object]], seconds: float, at_once: int) -> str:
    """How many a second, `at_once` at a time, and what one takes of this process' CPU, which other work disturbs least."""
    until, done = time.perf_counter() + seconds, 0

    async def worker(number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await work(number)
            done += 1

    begun, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker(number) for number in range(at_once)))
    used = time.process_time() - used
    return f"{done / (time.perf_counter() - begun):>8,.0f} /s   {1e6 * used / done:>6.0f} us of CPU"


async def usage(address: str) -> None:
    database = Database(address)
    database.migrate()
    store = UsageStore(database)
    for keys in (10, 100, 1000):
        times: list[float] = []
        for _ in range(8):
            for number in range(keys):
                store.record(Caller(key_id=f"key_{number}"), "vqa", usage=Usage(1000, 100), code=0)
            begun = time.perf_counter()
            await store.flush()
            times.append(time.perf_counter() - begun)
        took = sorted(times)[len(times) // 2]
        print(f"usage of {keys:>5} keys written together     {1000 * took:>8.1f} ms   {keys / took:>9,.0f} lines/s")
    database.close()


async def shared(address: str, seconds: float) -> None:
    limits = SharedLimits(address)
    await limits.start()
    callers = [Caller(key_id=f"key_{number}", allowance=Allowance(requests_per_minute=10**9)) for number in range(64)]

    async def admit(number: int) -> None:
        (await limits.admit(callers[number], 1500)).release(900)

    print(f"calls admitted and settled by limits        {await rate(admit, seconds, 8)}")
    await limits.close()
    cache = SharedCache(address)
    final = _final()
    await cache.put(b"k" * 32, final)
    print(f"answers looked up                           {await rate(lambda _: cache.get(b'k' * 32), seconds, 8)}")
    put = await rate(lambda number: cache.put(b"%032d" % number, final), seconds, 8)
    print(f"answers remembered                          {put}")
    await cache.close()
    import redis.asyncio as client

    server = client.from_url(address)
    taken = await server.memory_usage(b"sightline:answer:" + b"k" * 32)
    await server.aclose()
    print(f"bytes of one answer of 120 tokens there     {taken:>8,}")


def _final() -> Final:
    """An answer as long as they are on average."""
    return Final(
        answer="a red circle stands left of the blue square " * 11,
        confidence=0.9,
        request_id="req_0123456789abcdef01234567",
        metadata=Metadata(
            processing_time_ms=2900,
            activated_experts=8,
            input_tokens=1100,
            output_tokens=120,
            model="Qwen3-VL-30B-A3B",
            task="vqa",
            lane="A",
            finish_reason="stop",
        ),
    )


async def audit(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder) / "audit", b"s" * 32)
        refusal = Refusal("input", "weapons", "shipped:1", Content(text="something that was refused"), "tenant")
        for at_once in (1, 64):
            told = await rate(lambda _: log.record(refusal), seconds, at_once)
            print(f"refusals on disk, {at_once:>2} at a time              {told}")
        log.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    seconds = parser.parse_args().seconds
    with postgres() as address:
        await usage(address)
    with valkey() as address:
        await shared(address, seconds)
    await audit(seconds)


if __name__ == "__main__":
    asyncio.run(main())
