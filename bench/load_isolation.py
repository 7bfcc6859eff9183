"""Isolation: lane A's first token with lanes B and C idle and saturated, measured in turns within one run.

Machines are not the same from one minute to the next. So every row has its turn in every round, a few seconds each, and what is
compared are the rounds together. Services that have no turn stand still meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from load_client import Child, Outcome, closed_loop, open_loop, percentile, picture, service, session, strangers_cpu
from load_setup import DECODE, LAPTOP, LAPTOP_ONE_QUEUE, ONE_QUEUE, PREFILL, SEPARATE, document, people, scans

_TURN = 6.0
"""Seconds that a row is measured for at a time."""
_SETTLE = 1.5


@dataclass(frozen=True)
class Row:
    """One line of a comparison: a configuration, and what is always under way beside the people: calls on each lane, of these files."""

    name: str
    config: str
    background: dict[str, int]
    files: tuple[bytes, ...] = ()


@dataclass
class Measured:
    """A row's turns together. CPU is in seconds: of the service's own process, of the load, and of strangers."""

    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    took: float = 0.0
    batches: int = 0
    service: float = 0.0
    load: float = 0.0
    strangers: float = 0.0

    def first_tokens(self) -> list[float]:
        return sorted(each.first_token for each in self.outcomes if each.answered and each.first_token is not None)


async def isolation(seconds: float) -> dict[str, list[float]]:
    rate = 15.0
    print(f"\nIsolation, simulated engines ({PREFILL} tokens/s read, {DECODE} written a slot): lane A gets {rate:g} requests/s over HTTP;")
    print("in the busy rows 16 batch calls on B and 8 on C, of 1600x1200 JPEGs, are always under way in the same process")
    photo = (picture(1600, 1200, 7),)
    rows = [
        Row("A alone", SEPARATE, {}),
        Row("B and C saturated, engines apart", SEPARATE, {"B": 16, "C": 8}, photo),
        Row("the same work through one queue", ONE_QUEUE, {"A": 24}, photo),
    ]
    return await _compare(rows, rate, seconds)


async def laptop(seconds: float) -> dict[str, list[float]]:
    rate = 2.0
    cores = len(os.sched_getaffinity(0))
    print(f"\nIsolation, the bundled model in two llama.cpp processes on {cores} cores: lane A gets {rate:g} requests/s over HTTP;")
    print("in the busy rows 8 batch calls, each of a scanned PDF of 4 pages through the decoder process, are always under way on B;")
    print("in the last row the same pages, as pictures, go through the people's own queue and engine")
    rows = [
        Row("A alone", LAPTOP, {}),
        Row("B saturated, two processes", LAPTOP, {"B": 8}, (document(),)),
        Row("the same work through one queue", LAPTOP_ONE_QUEUE, {"A": 8}, tuple(scans())),
    ]
    return await _compare(rows, rate, seconds)


async def _compare(rows: list[Row], rate: float, seconds: float) -> dict[str, list[float]]:
    """`seconds` are for each row, all its turns together."""
    measured = [Measured() for _ in rows]
    rounds = max(1, round(seconds / _TURN))
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(session())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        children: dict[str, Child] = {}
        for row in rows:
            if row.config not in children:
                children[row.config] = stack.enter_context(service(row.config))
                await closed_loop(people(http, children[row.config]), 2, 1.5)
        for number in range(rounds):
            for place, (row, sums) in enumerate(zip(rows, measured, strict=True)):
                paths = [f"{folder}/{place}-{index}" for index in range(len(row.files))]
                for path, content in zip(paths, row.files, strict=True):
                    await asyncio.to_thread(Path(path).write_bytes, content)
                await _take_turn(http, children[row.config], row, paths, rate, seconds / rounds, number, sums)
    _tell(rows, measured)
    return {row.name: sums.first_tokens() for row, sums in zip(rows, measured, strict=True)}


async def _take_turn(
    http: aiohttp.ClientSession, child: Child, row: Row, paths: list[str], rate: float, seconds: float, number: int, sums: Measured
) -> None:
    if row.background:
        await child.tell(start=row.background, pictures=paths)
    await asyncio.sleep(_SETTLE)
    before, load, strangers, began = await child.tell(), _own_cpu(), strangers_cpu(), time.perf_counter()
    sums.outcomes += await open_loop(people(http, child), rate, seconds, seed=number)
    sums.took += time.perf_counter() - began
    sums.load += _own_cpu() - load
    sums.strangers += strangers_cpu() - strangers
    after = await child.tell(stop=True)
    sums.batches += after["done"] - before["done"]
    sums.service += after["cpu"] - before["cpu"]


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _tell(rows: list[Row], measured: list[Measured]) -> None:
    columns = f"{'first token p50':>16} {'p99':>9} {'p50 / idle':>11} {'p99 / idle':>11} {'answers':>8} {'lost':>5} {'batch/s':>8}"
    print(f"{'':<34} {columns} {'service':>8} {'load':>5} {'strangers':>9}   (CPU; 100 % is one core)")
    idle = measured[0].first_tokens()
    for row, sums in zip(rows, measured, strict=True):
        times = sums.first_tokens()
        ratios = [percentile(times, share) / percentile(idle, share) for share in (0.5, 0.99)]
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        cells = f"{1000 * p50:>13.1f} ms {1000 * p99:>6.0f} ms {ratios[0]:>10.2f}x {ratios[1]:>10.2f}x {len(times):>8}"
        cells += f" {len(sums.outcomes) - len(times):>5} {sums.batches / sums.took:>8.1f} {sums.service / sums.took:>8.0%}"
        print(f"{row.name:<34} {cells} {sums.load / sums.took:>5.0%} {sums.strangers / sums.took:>9.0%}", flush=True)
