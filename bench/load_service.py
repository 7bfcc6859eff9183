"""The service under load, in a child process: the real HTTP face, and beside it batch work on lanes B (doc_analyze) and C.

Nothing that is reachable over HTTP belongs to C without a video, and an HTTP client of the batch would cost as much as the batch: so work
for B and C is made here, in the same process and the same event loop, through the one path (`Inference.stream`) that everything takes. It
is told what to do by lines of JSON on stdin, and answers with one line each.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import logging
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from msgspec.structs import replace

from sightline.assembly import Service, build_app, open_service, settle
from sightline.config import load
from sightline.protocol.errors import Error
from sightline.protocol.events import Final
from sightline.protocol.requests import InferRequest, Media
from sightline.server.run import listen, run
from sightline.tasks.base import Task
from sightline.tasks.doc_analyze import DocAnalyze
from sightline.tasks.vqa import Vqa


class OnC(Vqa):
    """A task of lane C."""

    lane = "C"


class Background:
    """Closed loops of calls on a lane: `count` are always under way."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._jobs: list[asyncio.Task[None]] = []
        self._numbers = itertools.count()
        self._stopping = False
        self.done = 0
        self.failed = 0

    def start(self, lane: str, count: int, pictures: list[Media]) -> None:
        task: Task = {"A": Vqa, "B": DocAnalyze, "C": OnC}[lane]()
        self._jobs += [asyncio.create_task(self._repeat(task, pictures)) for _ in range(count)]

    async def stop(self) -> None:
        self._stopping = True
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        self._jobs.clear()
        self._stopping = False

    async def _repeat(self, task: Task, pictures: list[Media]) -> None:
        while not self._stopping:  # a call that fails in the moment of being cancelled ends with its failure
            request = InferRequest(
                task="doc_analyze" if task.lane == "B" else "vqa", images=pictures, text=f"What is in picture {next(self._numbers)}?"
            )
            try:
                call = replace(self._service.call(request), task=task)
                async for event in self._service.stream(call):
                    self.done += isinstance(event, Final)
            except Error:
                self.failed += 1
                await asyncio.sleep(0.05)


def memory() -> int:
    """Bytes of this process that are in memory now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def address_of_engine(service: Service) -> dict[str, str]:
    """Where the first engine process listens, and the key that it was given: secrets of the service, for measuring past it."""
    backend: Any = next(backend for backend in service.pool.backends() if getattr(backend, "_child", None))
    endpoint = backend._child.client._endpoint
    return {"url": f"http://{endpoint._host}:{endpoint._port}", "fields": endpoint._fields}


def shift_clock(seconds: float, real: Callable[[], float] = time.time) -> None:
    """Lets the wall clock of this process, as Python code reads it, be wrong by so much."""
    time.time = lambda: real() + seconds


async def obey(service: Service) -> None:
    """Does what the lines on stdin say, until it is closed."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=64 * 2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    background = Background(service)
    while line := await reader.readline():
        order: dict[str, Any] = json.loads(line)
        if lanes := order.get("start"):
            contents = [await asyncio.to_thread(Path(path).read_bytes) for path in order["pictures"]]
            for lane, count in lanes.items():
                background.start(lane, count, [base64.b64encode(content).decode() for content in contents])
        if order.get("stop"):
            await background.stop()
        for name, slots in order.get("slots", {}).items():
            service.lanes[name].resize(slots)
        if "clock" in order:
            shift_clock(order["clock"])
        if order.get("engine"):
            print(json.dumps(address_of_engine(service)), flush=True)
            continue
        state = {name: (lane.running, lane.waiting) for name, lane in service.lanes.items()}
        used = resource.getrusage(resource.RUSAGE_SELF)
        told = {"rss": memory(), "cpu": used.ru_utime + used.ru_stime, "done": background.done, "failed": background.failed, "lanes": state}
        print(json.dumps(told), flush=True)
    await background.stop()


async def serve(path: Path, port: int) -> None:
    settings = load(path)
    with listen("127.0.0.1", port) as bound:
        port = bound.getsockname()[1]
        async with open_service(settings) as service:
            settle()
            started = asyncio.Event()
            serving = asyncio.create_task(run(build_app(service, settings), bound, drain_seconds=1, started=started.set))
            await started.wait()
            print(json.dumps({"port": port, "at": time.time()}), flush=True)
            await obey(service)
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving


def main() -> None:
    logging.basicConfig(level="ERROR")
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
