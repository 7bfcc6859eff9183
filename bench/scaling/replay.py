"""The held-out trace through the real gateway: are the metrics that it exports those that the simulation is made of?

The gateway runs as in bench/load.py, with a simulated engine, in a process of its own; an hour takes two minutes, and the engine is as
much faster. Calls arrive when the trace says. Its /metrics page is read as a cluster's Prometheus would read it, the autoscaler decides
by what stands there, and the lane's slots are set to those of the replicas that would be ready. The simulation gets the same arrivals and
draws the same loading times. Nothing was fitted to this trace; what a call is priced at was read from one call before it began.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

import aiohttp
import numpy as np

from load_client import Child, Outcome, service, session, strangers_cpu

from .hpa import SYNC_SECONDS, Autoscaler, AverageValue, Value
from .plots import draw_replay
from .pool import LAG, STEP, Scaling, loading, simulate
from .pool import Outcome as Served
from .search import Values, scaling
from .traces import A, Trace, trace

FASTER = 30
"""Times."""
SMALL = replace(A, name="A small", peak=1.6, slots=2, answer=120, parts=1, waiting=4096)
"""Lane A on smaller replicas and with fewer people, so that one machine can play all of it."""
SEED = 5
_TEXT = "What should I know about this?"


def course(input_tokens: int, fixed_price: int) -> Trace:
    """The held-out trace, of calls that the simulated engine can be made to take: each answer is as long as its max_tokens."""
    given = trace("market day (held out)", SMALL, SEED)
    rng = np.random.default_rng(SEED)
    answers = np.clip(rng.lognormal(np.log(SMALL.answer) - 0.18, 0.6, len(given.at)), 8, 1000).astype(int)
    prefill = input_tokens / SMALL.prefill
    return Trace(
        given.name,
        given.seconds,
        given.at,
        (fixed_price + answers).tolist(),
        (prefill + 1 / SMALL.decode + 0 * answers).tolist(),
        (prefill + answers / SMALL.decode).tolist(),
    )


def small(values: Values) -> Scaling:
    """The chart's choice for lane A, for replicas of this size: as much of their slots' work."""
    full = SMALL.slots * (40 + SMALL.answer)
    share = values["tokensPerReplica"] / (A.slots * (sum(A.shown) / 2 + A.longest))
    chosen = scaling({**values, "tokensPerReplica": round(full * share)})
    return replace(chosen, settings=replace(chosen.settings, most=20))


class Gateway:
    """The real one, watched and resized."""

    def __init__(self, child: Child, http: aiohttp.ClientSession) -> None:
        self._child = child
        self._http = http

    async def page(self) -> dict[str, float]:
        """Every sample of lane A on its metrics page, by name."""
        async with self._http.get(self._child.url + "/metrics") as response:
            text = await response.text()
        found = re.findall(r'^sightline_(\w+)\{lane="A"\} (\S+)$', text, re.MULTILINE)
        return {name: float(value) for name, value in found}

    async def resize(self, slots: int) -> None:
        await self._child.tell(slots={"A": slots})

    async def ask(self, tokens: int) -> dict[str, int]:
        """One question; the token counts of its answer."""
        body = {"task": "chat", "text": _TEXT, "options": {"max_tokens": tokens, "cache": "off"}}
        async with self._http.post(self._child.url + "/infer", data=json.dumps(body).encode()) as response:
            told = json.loads(await response.read())
        return told["result"]["metadata"] if "result" in told else {}


async def replay(values: Values, plots: Path | None) -> dict[str, tuple[float, float]]:
    """Prints and returns, by name, what the gateway told and what the simulation says."""
    config = f'cache_bytes = 0\n[backends.x]\nkind = "fake"\nprefill = {SMALL.prefill * FASTER}\ndecode = {SMALL.decode * FASTER}\n'
    config += "slots = 400\nanswer_tokens = 1000\n"
    config += "".join(f'[lanes.{lane}]\nbackends = ["x"]\nslots = 2\nwaiting = {SMALL.waiting}\n' for lane in "ABC")
    with service(config) as child:
        async with session() as http:
            gateway = Gateway(child, http)
            told = await gateway.ask(100)
            load = course(told["input_tokens"], await _fixed_price(gateway))
            strangers = strangers_cpu()
            begun = time.perf_counter()
            real = await _drive(gateway, load, small(values))
            took = time.perf_counter() - begun
            strangers = (strangers_cpu() - strangers) / took
    model = simulate(SMALL, load, small(values), seed=SEED, start=2)
    rows = {name: (_mean(real, column), _mean(model, column)) for name, column in COLUMNS.items()}
    rows |= {
        "wait for a slot, mean (s)": (real.first[0], float(np.mean(model.first)) - load.first[0]),
        "time in a slot, mean (s)": (real.first[1], float(np.mean(load.held))),
        "GPU hours": (real.gpu_seconds / 3600, model.gpu_seconds / 3600),
    }
    print(f"\nThe held-out trace through the real gateway, {FASTER} times faster, {took:.0f} s; strangers {strangers:.0%}")
    print(f"{'':<38} {'gateway':>10} {'simulated':>10} {'apart':>8}")
    for name, (seen, said) in rows.items():
        print(f"{name:<38} {seen:>10.3f} {said:>10.3f} {seen / said - 1:>+8.1%}")
    draw_replay(plots, load, real, model)
    return rows


COLUMNS = {"replicas": 1, "waiting tokens, mean": 3, "running tokens, mean": 4, "predicted wait, mean (s)": 5}


def _mean(outcome: Served, column: int) -> float:
    return float(np.mean([watched[column] for watched in outcome.watched]))


async def _fixed_price(gateway: Gateway) -> int:
    """The price of a call besides its max_tokens, from the gauge of what runs."""
    asking = asyncio.create_task(gateway.ask(900))
    price = 0.0
    while not asking.done():
        price = max(price, (await gateway.page())["lane_running_tokens"])
    await asking
    return round(price) - 900


async def _drive(gateway: Gateway, load: Trace, chosen: Scaling) -> Served:
    """`pool.simulate` with a real lane: its times are those of the trace, FASTER times those of the clock."""
    scaler, load_time = Autoscaler(chosen.settings), loading(SEED)
    ready, coming = 2, list[float]()
    seen: deque[tuple[float, float]] = deque([(0.0, 0.0)], maxlen=LAG + 1)
    outcome = Served(seconds=load.seconds)
    await gateway.resize(ready * SMALL.slots)
    before = await gateway.page()
    begun = time.perf_counter()
    arriving = asyncio.create_task(_arrive(gateway, load, begun))
    for step in range(1, int(load.seconds / STEP) + 1):
        now = step * STEP
        outcome.gpu_seconds += STEP * (ready + len(coming))
        while coming and coming[0] <= now - STEP:
            coming.pop(0)
            ready += 1
            await gateway.resize(ready * SMALL.slots)
        await asyncio.sleep(max(0.0, begun + now / FASTER - time.perf_counter()))
        page = await gateway.page()
        waiting, running = page["lane_waiting_tokens"], page["lane_running_tokens"]
        wait = page["lane_predicted_wait_seconds"] * FASTER
        outcome.watched.append((now, ready + len(coming), ready, int(waiting), int(running), wait))
        seen.append((waiting + running, wait))
        if step % round(SYNC_SECONDS / STEP) == 0:
            work, waited = seen[0]
            metrics = [AverageValue(work, chosen.tokens), Value(waited, chosen.wait)]
            change = scaler.sync(now, ready + len(coming), ready, metrics) - ready - len(coming)
            if change:
                outcome.changes.append((now, change))
            coming = sorted([*coming, *(now + load_time() for _ in range(change))])
            for _ in range(-change):
                if coming:
                    coming.pop()
                else:
                    ready -= 1
                    outcome.gpu_seconds += 120.0
            await gateway.resize(ready * SMALL.slots)
    outcomes = await arriving
    after = await gateway.page()
    outcome.refused = sum(not each.answered for each in outcomes)

    def mean(name: str) -> float:
        count = after[f"{name}_seconds_count"] - before.get(f"{name}_seconds_count", 0)
        return FASTER * (after[f"{name}_seconds_sum"] - before.get(f"{name}_seconds_sum", 0)) / count

    outcome.first = [mean("queue"), mean("generation")]
    return outcome


async def _arrive(gateway: Gateway, load: Trace, begun: float) -> list[Outcome]:
    """Calls when the trace says, whether or not earlier ones were answered."""
    fixed = load.price[0] - round((load.held[0] - load.first[0] + 1 / SMALL.decode) * SMALL.decode)

    async def one(number: int) -> Outcome:
        sent = time.perf_counter()
        told = await gateway.ask(load.price[number] - fixed)
        return Outcome(sent - begun, 200 if told else 503, 0 if told else -1, None, time.perf_counter() - sent)

    jobs: list[asyncio.Task[Outcome]] = []
    for number, at in enumerate(load.at):
        await asyncio.sleep(max(0.0, begun + at / FASTER - time.perf_counter()))
        jobs.append(asyncio.create_task(one(number)))
    return list(await asyncio.gather(*jobs))
