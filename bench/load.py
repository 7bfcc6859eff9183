"""Under load: does a person notice the batch job next door, what happens at five times the capacity, what does a cached answer cost,
and what do callers see of a fault?

    python bench/load.py [--quick] [isolation] [laptop] [overload] [cache] [faults] [--plots docs/images]

The real HTTP service runs in a child process on 127.0.0.1. Engines are simulated, of a known speed, except in `laptop` and `faults`:
two real llama.cpp processes over the bundled model. People's requests (lane A) come over HTTP; work for B and C is made inside the
service's process (see load_service.py). Every comparison stands in one run: read its rows against each other. `strangers` is what
processes of others used meanwhile, in cores: the nearer to nothing, the better the figures; `load` is what this process used itself.
--quick takes 8 s a row instead of 60; --plots draws what was measured (needs the extra `dev`).
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

import load_plots
from load_client import Child, Load, ask, closed_loop, data_uri, open_loop, percentile, picture, question, service, session
from load_faults import faults
from load_isolation import isolation, laptop
from load_setup import fake, lane, people


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


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], "isolation", "laptop", "overload", "cache", "faults"], help="default: all")
    parser.add_argument("--quick", action="store_true", help="8 s a row")
    parser.add_argument("--seconds", type=float, help="length of a row")
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
            load_plots.draw_faults(arguments.plots, await faults())
        else:
            load_plots.draw_times(arguments.plots, "load-cache", "An answer to a 500 kB JPEG in a data URI", await cache(seconds))


if __name__ == "__main__":
    uvloop.run(main())
