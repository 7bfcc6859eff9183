"""The other side of a load measurement: starts the service in a child process, sends it requests over HTTP, notes what came and when."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np

HERE = Path(__file__).parent
MOST_IN_FLIGHT = 4000


@dataclass(slots=True)
class Outcome:
    """One request: when it was sent (seconds from the start of its load), how it ended, and how long that took. Times are seconds."""

    sent: float
    status: int = 0
    code: int = -1
    first_token: float | None = None
    total: float = 0.0

    @property
    def answered(self) -> bool:
        return self.status == 200 and self.code in (0, 2001)


@dataclass(slots=True)
class Load:
    """All of one part."""

    seconds: float
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    memory: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def first_tokens(self) -> list[float]:
        return sorted(each.first_token for each in self.outcomes if each.answered and each.first_token is not None)

    def refusals(self) -> list[float]:
        return sorted(each.total for each in self.outcomes if not each.answered)


def percentile(values: list[float], share: float) -> float:
    """Of sorted values; not a number where there is none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def picture(width: int, height: int, seed: int, quality: int = 90) -> bytes:
    """A JPEG with structure: blocks of colour under noise."""
    noise = np.random.default_rng(seed)
    blocks = noise.integers(0, 255, (max(1, height // 32), max(1, width // 32), 3), dtype=np.uint8)
    pixels = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
    pixels = cv2.add(pixels, noise.integers(0, 40, pixels.shape, dtype=np.uint8))
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def data_uri(content: bytes, mime: str = "image/jpeg") -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


class Child:
    """A service in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{self._line()['port']}"
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """Ends it as a kernel does that has run out of memory."""
        self._process.kill()
        self._process.wait()

    async def tell(self, **order: Any) -> dict[str, Any]:
        """Gives an order (`start`, `stop`, or none) and returns how the service is."""
        async with self._lock:
            assert self._process.stdin
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return await asyncio.to_thread(self._line)

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the service ended; its log above says why")
        return json.loads(line)


@contextlib.contextmanager
def service(config: str, port: int = 0) -> Iterator[Child]:
    """A running service with this TOML configuration, on a free port if none is given."""
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        path = Path(folder) / "sightline.toml"
        path.write_text(f'state = "{folder}/state"\n' + config)
        process = subprocess.Popen(
            [sys.executable, "-c", "import load_service; load_service.main()", str(path), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE)},
        )
        try:
            yield Child(process)
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.asynccontextmanager
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=MOST_IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=90)) as opened:
        yield opened


def question(images: list[str], text: str, **options: Any) -> bytes:
    return json.dumps({"task": "vqa", "images": images, "text": text, "options": options}).encode()


async def ask(http: aiohttp.ClientSession, url: str, body: bytes, started: float, *, stream: bool = True) -> Outcome:
    """One request, timed from before it is sent."""
    begun = time.perf_counter()
    outcome = Outcome(begun - started)
    path = "/infer_stream" if stream else "/infer"
    try:
        async with http.post(url + path, data=body, headers={"Content-Type": "application/json"}) as response:
            outcome.status = response.status
            if stream and response.status == 200:
                rest = b""
                async for chunk in response.content.iter_any():
                    rest = (rest + chunk)[-65536:]
                    if outcome.first_token is None and b"event: token" in rest:
                        outcome.first_token = time.perf_counter() - begun
                outcome.code = _last_code(rest)
            else:
                outcome.code = json.loads(await response.read()).get("code", -1)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        outcome.status = 0
    outcome.total = time.perf_counter() - begun
    return outcome


def _last_code(tail: bytes) -> int:
    last = tail.strip().rsplit(b"\n\n", 1)[-1]
    for line in last.splitlines():
        if line.startswith(b"data: "):
            return json.loads(line[6:]).get("code", -1)
    return -1


async def open_loop(make: Callable[[int], Coroutine[Any, Any, Outcome]], rate: float, seconds: float, seed: int = 1) -> list[Outcome]:
    """Requests at random moments, `rate` a second on average, whether or not earlier ones were answered; waits for all."""
    chance = random.Random(seed)
    started = time.perf_counter()
    jobs: list[asyncio.Task[Outcome]] = []
    due = 0.0
    while (due := due + chance.expovariate(rate)) < seconds:
        await asyncio.sleep(max(0.0, started + due - time.perf_counter()))
        if sum(not job.done() for job in jobs[-MOST_IN_FLIGHT:]) < MOST_IN_FLIGHT:
            jobs.append(asyncio.create_task(make(len(jobs))))
    return list(await asyncio.gather(*jobs))


async def closed_loop(make: Callable[[int], Coroutine[Any, Any, Outcome]], clients: int, seconds: float) -> list[Outcome]:
    """So many clients, each of which asks again as soon as it has its answer."""
    until = time.perf_counter() + seconds
    outcomes: list[Outcome] = []

    async def client(number: int) -> None:
        while time.perf_counter() < until:
            outcomes.append(await make(number))

    await asyncio.gather(*(client(number) for number in range(clients)))
    return outcomes


def strangers_cpu() -> float:
    """CPU seconds, since the machine started, of everything but this process and those that it started: what disturbs a measurement."""
    ticks = os.sysconf("SC_CLK_TCK")
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    spent: dict[int, float] = {}
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            # utime and stime, also of children that have ended
            spent[int(entry.name)] = sum(map(int, fields[11:15])) / ticks
            parents[int(entry.name)] = int(fields[1])
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return (user + nice + system + irq + softirq) / ticks - sum(spent[pid] for pid in ours)
