"""How work is shared among replicas of different speed, against an ideal that knows everything; and what happens when one fails.

    python bench/balance.py [--seeds 5] [--seconds 12] [--simulated]

Four replicas (speeds 1, 1.5, 2 and 4; four slots each), a Poisson stream of questions at 70 % of what they can do together. The ideal
sends each question, when it comes, to the replica that will truly have it done first: it knows every length, every speed and what all
gateways have sent. First simulated (scaling/speeds.py), with 1, 3 and 24 gateways and against chance; then the same arrivals over HTTP,
to four server processes (tests/replica.py), through the pool as the settings build it. Then 60 pictures, asked about again and again: how
often a question reaches the replica that has seen its picture, against chance. Last, at full load, one replica is killed (SIGKILL), hangs
(SIGSTOP) or becomes ten times slower: failed questions that had no token.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import statistics
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx

from scaling.speeds import SPEEDS, WARM_S, Question, ideal, questions, simulate
from sightline.assembly.engines import build_engine
from sightline.backends.pool import Engine
from sightline.config import RemoteEngine
from sightline.prompt import Frame, Message, Prompt, Sampling
from sightline.protocol.errors import BackendUnavailable

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.replica import Started, replicas

SAME = (2.0, 2.0, 2.0, 2.0)


@dataclass(slots=True)
class Outcome:
    """Seconds of the answers, and questions that failed before and after their first token."""

    times: list[float] = field(default_factory=list[float])
    unbegun: int = 0
    broken: int = 0


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def prompt(question: Question, picture: int | None) -> Prompt:
    shown = () if picture is None else (Frame(b"\xff\xd8", "image/jpeg", 64, 64, 4, digest=f"{picture:064x}"),)
    return Prompt((Message("user", (*shown, "?")),), Sampling(question.tokens))


async def play(backend: Engine, work: Sequence[Question], pictures: int = 0) -> Outcome:
    """The questions, each at its time whether or not earlier ones were answered."""
    loop, draw = asyncio.get_running_loop(), Random(5)
    begun = loop.time()
    outcome = Outcome()

    async def ask(question: Question, picture: int | None) -> None:
        await asyncio.sleep(max(0.0, begun + question.at - loop.time()))
        asked, first = loop.time(), False
        try:
            async for _ in backend.generate(prompt(question, picture), tenant="t"):
                first = True
        except BackendUnavailable:
            outcome.unbegun += not first
            outcome.broken += first
        else:
            outcome.times.append(loop.time() - asked)

    async with asyncio.TaskGroup() as group:
        for question in work:
            group.create_task(ask(question, draw.randrange(pictures) if pictures else None))
    return outcome


@contextlib.asynccontextmanager
async def opened(speeds: Sequence[float], *, affinity: bool = True) -> AsyncGenerator[tuple[Engine, Started]]:
    """The pool over server processes, as the settings build it."""
    with replicas(*(("--speed", str(speed)) for speed in speeds)) as started:
        settings = RemoteEngine(
            replicas=[url for _, url in started], dialect="vllm", affinity=affinity, slow_start_s=0, probe_s=1.0, connect_s=1.0, stall_s=8.0
        )
        backend = build_engine("pool", settings)
        await backend.start()
        try:
            yield backend, started
        finally:
            await backend.close()


def simulated(seeds: int) -> None:
    print("simulated, p99 of the answers' times over the ideal's; by seeds")
    for known in (True, False):
        for gateways in (1, 3, 24):
            rows = dict[str, list[float]]()
            for seed in range(1, seeds + 1):
                work = questions(60 + WARM_S, seed, 0.7, gateways, known=known)
                warm = sum(question.at < WARM_S for question in work)
                best = percentile(ideal(work)[warm:], 0.99)
                for way in ("shipped", "random"):
                    rows.setdefault(way, []).append(percentile(simulate(work, way, gateways, seed)[warm:], 0.99) / best)
            told = "; ".join(f"{way} {' '.join(f'{each:.2f}' for each in found)}" for way, found in rows.items())
            print(f"  {gateways:>2} gateway(s), lengths {'known' if known else 'unknown'}: {told}", flush=True)


async def over_http(seconds: float, seeds: int) -> None:
    ratios: list[float] = []
    async with opened(SPEEDS) as (backend, _):
        await play(backend, questions(4, 99, 0.6))  # it learns their paces
        for seed in range(1, seeds + 1):
            work = questions(seconds, seed, 0.7)
            outcome, best = await play(backend, work), ideal(work)
            ours, least = ((percentile(each, 0.5), percentile(each, 0.99)) for each in (outcome.times, best))
            ratios.append(ours[1] / least[1])
            print(
                f"over HTTP, seed {seed}, {len(work)} questions: p50 {1000 * ours[0]:.0f} ms, p99 {1000 * ours[1]:.0f} ms; "
                f"ideal {1000 * least[0]:.0f} and {1000 * least[1]:.0f}; p99 {ratios[-1]:.2f} x the ideal",
                flush=True,
            )
            assert outcome.unbegun == outcome.broken == 0, outcome
    print(f"over HTTP: p99 {statistics.median(ratios):.2f} x the ideal (median; worst {max(ratios):.2f})")


async def pictures_found(seconds: float) -> None:
    told = list[str]()
    for affinity in (True, False):
        async with opened(SAME, affinity=affinity) as (backend, started):
            await play(backend, questions(seconds, 3, 0.6), pictures=60)
            async with httpx.AsyncClient() as client:
                pages: list[dict[str, Any]] = [(await client.get(f"{url}/asked")).json() for _, url in started]
        shown, again = sum(page["shown"] for page in pages), sum(page["again"] for page in pages)
        told.append(f"{100 * again / (shown - 60):.0f} % {'with' if affinity else 'without'} affinity")
    print(f"pictures asked about again, where they were seen: {', '.join(told)}", flush=True)


async def troubled(seconds: float) -> None:
    for trouble in ("killed", "hung", "slow"):
        async with opened(SAME) as (backend, started):
            process, url = started[1]
            loop = asyncio.get_running_loop()
            loop.call_later(seconds / 3, spoil, trouble, process, url)
            outcome = await play(backend, questions(seconds, 4, 0.65))
            process.send_signal(signal.SIGCONT)
        count = outcome.unbegun + outcome.broken + len(outcome.times)
        print(
            f"one {trouble}: of {count} questions {outcome.unbegun} failed without a token, {outcome.broken} that had one; "
            f"p99 {1000 * percentile(outcome.times, 0.99):.0f} ms",
            flush=True,
        )


def spoil(trouble: str, process: subprocess.Popen[str], url: str) -> None:
    if trouble == "slow":
        httpx.post(f"{url}/speed", content="0.2")
    else:
        process.send_signal(signal.SIGKILL if trouble == "killed" else signal.SIGSTOP)


async def measure(seconds: float, seeds: int) -> None:
    await over_http(seconds, seeds)
    await pictures_found(seconds)
    await troubled(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12.0, help="for each part over HTTP")
    parser.add_argument("--seeds", type=int, default=5, help="streams of questions that are simulated; three of them over HTTP")
    parser.add_argument("--simulated", action="store_true", help="nothing over HTTP")
    arguments = parser.parse_args()
    logging.getLogger("sightline").setLevel(logging.CRITICAL)
    simulated(arguments.seeds)
    if not arguments.simulated:
        asyncio.run(measure(arguments.seconds, min(3, arguments.seeds)))


if __name__ == "__main__":
    main()
