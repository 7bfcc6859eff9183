"""Under load: does a person notice the batch job next door, what happens at five times the capacity, and what does a cached answer cost?

    python bench/load.py [--quick] [isolation] [laptop] [overload] [cache] [faults] [--plots docs/images]

The real HTTP service runs in a child process on 127.0.0.1. Engines are simulated, of a known speed, except in `laptop`: two real
llama.cpp processes over the bundled model. People's requests (lane A) come over HTTP; work for B and C is made inside the service's
process (see load_service.py). Every comparison stands in one run: read its rows against each
other. `strangers` is what processes of others used meanwhile, in
cores: the nearer to nothing, the better the figures. --quick takes 8 s a part instead of 60; --plots draws what was measured (needs
the extra `dev`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import itertools
import os
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np
import uvloop

import load_plots
from load_client import (
    Child,
    Load,
    Outcome,
    ask,
    closed_loop,
    data_uri,
    open_loop,
    percentile,
    picture,
    question,
    service,
    session,
    strangers_cpu,
)

_TEXTS = itertools.count()
PREFILL, DECODE, TOKENS = 4000, 100, 12
"""Speed of the simulated engine, tokens/s for each slot, and the length of its answers."""


def fake(name: str, slots: int, decode: float = DECODE, tokens: int = TOKENS) -> str:
    return f'[backends.{name}]\nkind = "fake"\nprefill = {PREFILL}.0\ndecode = {decode}\nslots = {slots}\nanswer_tokens = {tokens}\n'


def lane(name: str, backend: str, slots: int, waiting: int = 256) -> str:
    return f'[lanes.{name}]\nbackends = ["{backend}"]\nslots = {slots}\nwaiting = {waiting}\n'


SEPARATE = fake("a", 8) + fake("b", 4) + fake("c", 2) + lane("A", "a", 8) + lane("B", "b", 4) + lane("C", "c", 2)
ONE_QUEUE = fake("x", 14) + lane("A", "x", 14) + lane("B", "x", 14) + lane("C", "x", 14)
LAPTOP = (
    '[backends.interactive]\nkind = "local"\n[backends.background]\nkind = "local"\nbackground = true\n'
    + lane("A", "interactive", 4)
    + lane("B", "background", 1)
    + "cpu = 1\n"
    + lane("C", "background", 1)
    + "cpu = 1\n"
)
LAPTOP_ONE_QUEUE = '[backends.all]\nkind = "local"\n' + "".join(lane(name, "all", 4) for name in "ABC")


def people(http: aiohttp.ClientSession, child: Child, size: int = 256, **options: Any) -> Callable[[int], Coroutine[Any, Any, Outcome]]:
    """Requests as people make them: each another question, nothing remembered."""
    pictures = [data_uri(picture(size, size, seed)) for seed in range(8)]
    started = time.perf_counter()

    def make(number: int) -> Coroutine[Any, Any, Outcome]:
        body = question([pictures[number % 8]], f"What is the shape number {next(_TEXTS)}?", cache="off", **options)
        return ask(http, child.url, body, started)

    return make


@dataclass(frozen=True)
class Row:
    """One line of a comparison: a configuration, and what is always under way beside the people: calls on each lane, of these files."""

    name: str
    config: str
    background: dict[str, int]
    files: tuple[bytes, ...] = ()


async def first_tokens(row: Row, rate: float, seconds: float) -> tuple[Load, float, float, float]:
    """Lane A's requests beside the given work; also, each a second: batch answers, CPU of the service, CPU of strangers."""
    with tempfile.TemporaryDirectory() as folder, service(row.config) as child:
        paths = [f"{folder}/{number}" for number in range(len(row.files))]
        for path, content in zip(paths, row.files, strict=True):
            await asyncio.to_thread(Path(path).write_bytes, content)
        async with session() as http:
            await closed_loop(people(http, child), 2, 1.5)
            if row.background:
                await child.tell(start=row.background, pictures=paths)
                await asyncio.sleep(1.5)
            before, strangers = await child.tell(), strangers_cpu()
            began = time.perf_counter()
            load = Load(seconds, await open_loop(people(http, child), rate, seconds))
            took = time.perf_counter() - began
            strangers = strangers_cpu() - strangers
            after = await child.tell(stop=True)
    return load, (after["done"] - before["done"]) / took, (after["cpu"] - before["cpu"]) / took, strangers / took


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
    print(f"\nIsolation, the bundled model in two llama.cpp processes on {_cores()} cores: lane A gets {rate:g} requests/s over HTTP;")
    print("in the busy rows 8 batch calls, each of a scanned PDF of 4 pages through the decoder process, are always under way on B;")
    print("in the last row the same pages, as pictures, go through the people's own queue and engine")
    rows = [
        Row("A alone", LAPTOP, {}),
        Row("B saturated, two processes", LAPTOP, {"B": 8}, (document(),)),
        Row("the same work through one queue", LAPTOP_ONE_QUEUE, {"A": 8}, tuple(scans())),
    ]
    return await _compare(rows, rate, seconds)


async def _compare(rows: list[Row], rate: float, seconds: float) -> dict[str, list[float]]:
    columns = f"{'first token p50':>16} {'p99':>9} {'p99 / idle':>11} {'answers':>8} {'lost':>5} {'batch/s':>8} {'CPU':>6} {'strangers':>9}"
    print(f"{'':<34} {columns}")
    curves: dict[str, list[float]] = {}
    idle = 0.0
    for row in rows:
        load, batches, cpu, strangers = await first_tokens(row, rate, seconds)
        times = load.first_tokens()
        idle = idle or percentile(times, 0.99)
        lost = len(load.outcomes) - len(times)
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        cells = f"{1000 * p50:>13.1f} ms {1000 * p99:>6.0f} ms {p99 / idle:>10.2f}x {len(times):>8} {lost:>5} {batches:>8.1f} {cpu:>5.0%}"
        print(f"{row.name:<34} {cells} {strangers:>9.0%}", flush=True)
        curves[row.name] = times
    return curves


def scans(pages: int = 4) -> list[bytes]:
    """Scanned A4 pages at 200 dpi, as JPEG, with lines of marks on them."""
    sheets: list[bytes] = []
    for number in range(pages):
        sheet = np.full((2339, 1654), 255, np.uint8)
        for row in range(150, 2250, 45):
            for column in range(120, 1540, 28):
                letter = chr(65 + (row * 7 + column + number) % 26)
                cv2.putText(sheet, letter, (column, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
        sheets.append(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
    return sheets


def document() -> bytes:
    """The same pages as a PDF."""
    from PIL import Image

    first, *others = [Image.open(io.BytesIO(sheet)) for sheet in scans()]
    file = io.BytesIO()
    first.save(file, "PDF", save_all=True, append_images=others, resolution=200)
    return file.getvalue()


async def overload(seconds: float) -> tuple[Load, float]:
    """Five times the capacity for `seconds`; every third caller is in a hurry (0.4 s for all)."""
    slots, waiting = 4, 24
    config = fake("x", slots, decode=200, tokens=16) + "".join(lane(name, "x", slots, waiting) for name in "ABC")
    with service(config) as child:
        async with session() as http:
            warm = await closed_loop(people(http, child, 64), 2 * slots, 2)
            began = time.perf_counter()
            served = await closed_loop(people(http, child, 64), 3 * slots, min(10.0, seconds))
            capacity = sum(each.answered for each in served) / (time.perf_counter() - began)
            alone = await closed_loop(people(http, child, 64), 1, 1.5)
            usual = percentile(sorted(each.total for each in alone), 0.5)
            load = Load(seconds)
            watch = asyncio.create_task(_watch(child, load))
            patient, hurried = people(http, child, 64), people(http, child, 64, timeout_ms=400)
            load.outcomes = await open_loop(lambda number: (hurried if number % 3 == 0 else patient)(number), 5 * capacity, seconds)
            ended = time.perf_counter()
            # `open_loop` waits for the last answer; how long until a new caller is served as usual is counted from the last request sent.
            last_sent = max(each.sent for each in load.outcomes)
            drained = max(each.sent + each.total for each in load.outcomes) - last_sent
            while (await people(http, child, 64)(0)).total > 1.5 * usual:
                pass
            recovered = drained + time.perf_counter() - ended
            watch.cancel()
            state = await child.tell()
    assert warm
    _tell_overload(load, capacity, recovered, state)
    return load, capacity


async def _watch(child: Child, load: Load) -> None:
    started = time.perf_counter()
    while True:
        state = await child.tell()
        load.memory.append((time.perf_counter() - started, state["rss"]))
        await asyncio.sleep(0.5)


def _tell_overload(load: Load, capacity: float, recovered: float, state: dict[str, Any]) -> None:
    inside = [each for each in load.outcomes if each.answered and 1.0 <= each.sent + each.total <= load.seconds]
    goodput = len(inside) / (load.seconds - 1.0)
    codes: dict[str, list[float]] = {}
    for each in load.outcomes:
        if not each.answered:
            name = f"{each.code}" if each.status in (503, 504) else f"{each.code} after acceptance" if each.status else "no answer"
            codes.setdefault(name, []).append(each.total)
    print(f"\nOverload: capacity {capacity:.1f} answers/s; {len(load.outcomes)} requests in {load.seconds:g} s, five times that")
    print(f"  goodput                     {goodput:.1f}/s, {goodput / capacity:.0%} of the capacity")
    for code, times in sorted(codes.items()):
        times.sort()
        p50, p99 = 1000 * percentile(times, 0.5), 1000 * percentile(times, 0.99)
        print(f"  refused: {code:<22} {len(times):>6}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {1000 * times[-1]:.0f} ms")
    settled = [rss for at, rss in load.memory if at >= min(10.0, load.seconds / 3)]
    if settled:
        growth, after = max(settled) / settled[0] - 1, min(10.0, load.seconds / 3)
        print(f"  memory                      {settled[0] / 2**20:.0f} MiB, {growth:+.1%} at most after the first {after:.0f} s")
    print(f"  a new caller served as usual {recovered:.2f} s after the last request of the load")
    held = {name: tuple(each) for name, each in state["lanes"].items() if any(each)}
    print(f"  still held afterwards       {held or 'nothing'}")


async def cache(seconds: float) -> dict[str, list[float]]:
    """The second time the same is asked; and a hundred at once."""
    config = fake("x", 64) + "".join(lane(name, "x", 64) for name in "ABC")
    photo = picture(1500, 1000, 3, quality=_quality_for(500_000))
    with service(config) as child:
        async with session() as http:
            start = time.perf_counter()
            image = data_uri(photo)
            curves: dict[str, list[float]] = {}
            for name, options, count in (("miss", {"cache": "off"}, 20), ("hit", {"temperature": 0}, int(max(100, 20 * seconds)))):
                body = question([image], "What is it?", **options)
                await ask(http, child.url, body, start, stream=False)
                curves[name] = sorted([(await ask(http, child.url, body, start, stream=False)).total for _ in range(count)])
            streamed = question([image], "What is it?", temperature=0)
            curves["hit, streamed"] = sorted([(await ask(http, child.url, streamed, start)).total for _ in range(100)])
            before = await _generations(http, child)
            body = question([image], "And this?", temperature=0)
            many = await asyncio.gather(*(ask(http, child.url, body, start) for _ in range(100)))
            cost = await _generations(http, child) - before
    print(f"\nCache: a JPEG of {len(photo) / 1000:.0f} kB in a data URI")
    for name, times in curves.items():
        p50, p99 = 1000 * percentile(times, 0.5), 1000 * percentile(times, 0.99)
        print(f"  {name:<14} p50 {p50:>7.2f} ms   p99 {p99:>7.2f} ms   ({len(times)} requests, one after the other)")
    print(f"  100 identical requests at once: {sum(each.answered for each in many)} answers, {cost} generation(s)")
    return curves


def _quality_for(size: int) -> int:
    return min(range(50, 100), key=lambda quality: abs(len(picture(1500, 1000, 3, quality)) - size))


async def _generations(http: aiohttp.ClientSession, child: Child) -> int:
    async with http.get(child.url + "/metrics") as response:
        lines = (await response.text()).splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith("sightline_generation_seconds_count")))


async def faults() -> None:
    """The real engines killed, and then hung, under load: what callers saw, and how long until answers came again."""
    print("\nFaults: the bundled model's two processes under 4 clients on lane A; times from the fault")
    print(f"{'':<26} {'answered':>9} {'lighter':>8} {'5001':>5} {'other':>6} {'longest silence':>15}")
    for name, number, length in (("killed (SIGKILL)", signal.SIGKILL, 6.0), ("hung (SIGSTOP)", signal.SIGSTOP, 14.0)):
        with service(LAPTOP) as child:
            async with session() as http:
                await closed_loop(people(http, child), 4, 2.0)
                clients = asyncio.create_task(closed_loop(people(http, child, timeout_ms=20_000), 4, length))
                begun = time.perf_counter()
                await asyncio.sleep(2.0)
                engines = _engines_of(child.pid)
                struck = time.perf_counter() - begun
                for engine in engines:
                    os.kill(engine, number)
                outcomes = await clients
                for engine in engines:  # one that only stands still would never be waited for
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(engine, signal.SIGKILL)
        heard = sorted(ended for each in outcomes if each.answered and (ended := each.sent + each.total) > struck)
        silence = max((later - earlier for earlier, later in itertools.pairwise([struck, *heard])), default=float("nan"))
        codes = [each.code for each in outcomes]
        other = len([code for code in codes if code not in (0, 2001, 5001)])
        print(f"{name:<26} {codes.count(0):>9} {codes.count(2001):>8} {codes.count(5001):>5} {other:>6} {silence:>13.2f} s")


def _engines_of(pid: int) -> list[int]:
    """The processes of the engines of the service with this process id."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) if entry.name.isdigit() else 0
            if parent == pid and b"sightline.backends.engine" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def _cores() -> int:
    return len(os.sched_getaffinity(0))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], "isolation", "laptop", "overload", "cache", "faults"], help="default: all")
    parser.add_argument("--quick", action="store_true", help="8 s a part")
    parser.add_argument("--seconds", type=float, help="length of a part")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw what was measured")
    arguments = parser.parse_args()
    parts = arguments.parts or ["isolation", "laptop", "overload", "cache", "faults"]
    seconds = arguments.seconds or (8.0 if arguments.quick else 60.0)
    for part in parts:
        if part == "isolation":
            curves = await isolation(seconds)
            load_plots.draw_times(arguments.plots, "load-isolation", "Lane A's first token beside saturated lanes B and C", curves)
        elif part == "laptop":
            curves = await laptop(seconds)
            load_plots.draw_times(arguments.plots, "load-laptop", "Lane A's first token, real model, beside batch pages on lane B", curves)
        elif part == "overload":
            load, capacity = await overload(seconds)
            load_plots.draw_overload(arguments.plots, load, capacity)
        elif part == "faults":
            await faults()
        else:
            load_plots.draw_times(arguments.plots, "load-cache", "An answer to a 500 kB JPEG in a data URI", await cache(seconds))


if __name__ == "__main__":
    uvloop.run(main())
