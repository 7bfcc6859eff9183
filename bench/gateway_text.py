"""Text through a gateway: Sightline as it is started, with everything on, and LiteLLM's proxy, in front of the same engine.

Part of gateway.py. Everything on is: keys with limits, moderation with its classifier, metrics, the ledger, a line of log a call, and an
answer cache that is asked each time and knows nothing, since no question comes twice. A gateway has one core to itself; the engine and
the client, which sends requests and looks for their end and does no more, share another.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from load_client import percentile
from sightline.assembly.trust import open_keys
from sightline.config import load
from sightline.service.ports import Allowance

CLIENTS = 64
ROUNDS = 4
_CONFIGURATION = """
state = "{folder}/state"
[server]
port = 0
[trust]
keys = "required"
[backends.x]
kind = "openai"
url = "{engine}"
dialect = "vllm"
"""
_LANE = '[lanes.{name}]\nbackends = ["x"]\nslots = 128\nwaiting = 256\n'
_LITELLM = """
model_list:
  - model_name: mock
    litellm_params: {{model: openai/mock, api_base: "{engine}/v1", api_key: none}}
general_settings: {{master_key: sk-bench}}
"""
_SEARCHED = re.compile(r"http://[\w.]+:\d+")
_numbers = itertools.count()


class Line(asyncio.Protocol):
    """A connection that asks one thing at a time. The least that a client can do: what it costs is the other side's."""

    def __init__(self) -> None:
        self._got = bytearray()
        self._size: int | None = 0
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._size == 0:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return
            declared = re.search(rb"(?i)content-length: *(\d+)", self._got[:end])
            self._size = end + 4 + int(declared[1]) if declared else None
        if self._got.endswith(b"\r\n0\r\n\r\n") if self._size is None else len(self._got) >= self._size:
            self._end(int(self._got[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(0)

    async def ask(self, request: bytes) -> int:
        """The status of the answer, once all of it is there."""
        self._got.clear()
        self._size = 0
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)  # pyright: ignore[reportAttributeAccessIssue] - of a stream, as this is
        return await self._answer

    @property
    def got(self) -> bytes:
        return bytes(self._got)

    def _end(self, status: int) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(status)


@dataclass
class Gateway:
    """A server under measure. `make` gives the body of a request for so many tokens, streamed or not, by a number that is new each time."""

    name: str
    url: str
    path: str
    make: Callable[[int, int, bool], dict[str, object]]
    pid: int | None = None
    key: str = "none"
    alone: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    spent: list[float] = field(default_factory=list[float])

    def request(self, tokens: int, stream: bool) -> bytes:
        body = json.dumps(self.make(next(_numbers), tokens, stream)).encode()
        path = "/infer_stream" if stream and self.path == "/infer" else self.path
        fields = (
            f"Host: {self.url[7:]}\r\nAuthorization: Bearer {self.key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        return f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body

    def cpu(self) -> float:
        """Seconds of CPU that its process has used."""
        if self.pid is None:
            return 0.0
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MB in memory now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1000


def _question(number: int) -> str:
    return f"What is the capital of France, and why does it matter to question {number}?"


def _ours(number: int, tokens: int, stream: bool) -> dict[str, object]:
    return {"task": "chat", "text": _question(number), "options": {"max_tokens": tokens, "temperature": 0}}


def _chat(model: str) -> Callable[[int, int, bool], dict[str, object]]:
    def make(number: int, tokens: int, stream: bool) -> dict[str, object]:
        messages = [{"role": "user", "content": _question(number)}]
        return {"model": model, "messages": messages, "max_tokens": tokens, "temperature": 0, "stream": stream}

    return make


@contextlib.contextmanager
def _process(command: list[str], ready: Callable[[str], str | None], **environment: str) -> Generator[tuple[str, int]]:
    """A server on the first core, and where it listens, which `ready` finds in a line of what it says."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment})
        _pin(process.pid, first=True)
        try:
            assert process.stdout
            address = next(filter(None, map(ready, process.stdout)), None)
            if address is None:
                log.seek(0)
                raise SystemExit(f"{command[0]} ended:\n{log.read()[-2000:]}")
            yield address, process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _pin(pid: int, *, first: bool) -> None:
    cores = sorted(os.sched_getaffinity(0) if first else range(os.cpu_count() or 1))
    if len(cores) > 1:
        os.sched_setaffinity(pid, cores[:1] if first else cores[1:])


@contextlib.contextmanager
def _sightline(engine: str) -> Iterator[list[Gateway]]:
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        path = Path(folder) / "sightline.toml"
        path.write_text(_CONFIGURATION.format(folder=folder, engine=engine) + "".join(_LANE.format(name=name) for name in "ABC"))
        # Limits that are counted and never met.
        bounds = ("requests_per_minute", "tokens_per_minute", "concurrent", "requests_per_day", "tokens_per_month")
        with open_keys(load(path)) as desk:
            key = desk.keys.create("bench", allowance=Allowance(**dict.fromkeys(bounds, 10**12)))[1]
        command = [sys.executable, "-c", "from sightline.cli import main; main()", "serve", "--config", str(path)]

        def ready(line: str) -> str | None:
            found = _SEARCHED.search(line)
            return found[0] if found else None

        with _process(command, ready) as (url, pid):
            yield [
                Gateway("POST /infer[_stream]", url, "/infer", _ours, pid, key),
                Gateway("POST /v1/chat/completions", url, "/v1/chat/completions", _chat("default"), pid, key),
            ]


@contextlib.contextmanager
def _litellm(python: str, engine: str) -> Iterator[list[Gateway]]:
    with tempfile.TemporaryDirectory(prefix="litellm-bench-") as folder:
        path, port = Path(folder) / "config.yaml", 40_000 + os.getpid() % 10_000
        path.write_text(_LITELLM.format(engine=engine))
        start = "from litellm import run_server; run_server()"
        command = [
            python,
            "-u",
            "-c",
            f"import sys; print('starting'); {start}",
            "--config",
            str(path),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        url = f"http://127.0.0.1:{port}"
        # It asks for prices on the network, and for a terminal's width, unless it is told not to.
        quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
        with _process([*command, "--num_workers", "1", "--telemetry", "False"], lambda _: url, **quiet) as (_, pid):
            yield [Gateway("LiteLLM /v1/chat/completions", url, "/v1/chat/completions", _chat("mock"), pid, "sk-bench")]


async def _connect(gateway: Gateway, seconds: float = 90.0) -> Line:
    """A connection, as soon as the server takes one."""
    loop, until = asyncio.get_running_loop(), time.monotonic() + seconds
    host, _, port = gateway.url[7:].rpartition(":")
    while True:
        try:
            return (await loop.create_connection(Line, host, int(port)))[1]
        except OSError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.2)


async def _load(gateway: Gateway, lines: list[Line], tokens: int, stream: bool, seconds: float) -> list[float]:
    """How long each answer took while every line asks again as soon as it has one."""
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def repeat(line: Line) -> None:
        while (begun := time.perf_counter()) < until:
            status = await line.ask(gateway.request(tokens, stream))
            if status != 200:
                raise SystemExit(f"{gateway.name} answered {status}: {line.got[:500]!r}")
            times.append(time.perf_counter() - begun)

    await asyncio.gather(*map(repeat, lines))
    return times


async def _measure(gateways: list[Gateway], tokens: int, stream: bool, seconds: float) -> None:
    for gateway in gateways:
        gateway.alone, gateway.rates, gateway.spent = [], [], []
        await _load(gateway, [await _connect(gateway) for _ in range(8)], tokens, stream, 1.0)
    lines = {gateway.name: [await _connect(gateway) for _ in range(CLIENTS)] for gateway in gateways}
    for _ in range(ROUNDS):  # in turns, so that what disturbs the machine disturbs all of them
        for gateway in gateways:
            gateway.alone += await _load(gateway, lines[gateway.name][:1], tokens, stream, seconds / ROUNDS / 2)
            before, begun = gateway.cpu(), time.perf_counter()
            count = len(await _load(gateway, lines[gateway.name], tokens, stream, seconds / ROUNDS / 2))
            gateway.rates.append(count / (time.perf_counter() - begun))
            gateway.spent.append((gateway.cpu() - before) / count)


def _print(gateways: list[Gateway], tokens: int, title: str) -> None:
    print(f"\n{title}")
    unit = "tokens/s" if tokens > 1 else "requests/s"
    print(f"{'':<30} {'one by one p50':>15} {'added':>9} {'p99':>9} {unit:>12} {'CPU':>10} {'memory':>9}")
    least = 0.0
    for gateway in gateways:
        gateway.alone.sort()
        p50 = percentile(gateway.alone, 0.5)
        least = least or p50
        rate, cpu = sorted(gateway.rates)[len(gateway.rates) // 2] * tokens, sorted(gateway.spent)[len(gateway.spent) // 2]
        times = f"{1000 * p50:>12.2f} ms {1000 * (p50 - least):>6.2f} ms {1000 * percentile(gateway.alone, 0.99):>6.1f} ms"
        held = f" {1000 * cpu:>7.3f} ms {gateway.memory():>6.0f} MB" if gateway.pid else ""
        print(f"{gateway.name:<30} {times} {rate:>12,.0f}{held}")
    ours, theirs = gateways[2], gateways[-1]
    if theirs is not ours:
        added = [percentile(gateway.alone, 0.5) - least for gateway in (theirs, ours)]
        shares = [sorted(gateway.rates)[len(gateway.rates) // 2] for gateway in (ours, theirs)]
        said = f"{added[0] / added[1]:.0f} times the added time, 1/{shares[0] / shares[1]:.0f} of the rate"
        print(f"LiteLLM against the same path of ours: {said}, {theirs.memory() / ours.memory():.1f} times the memory")


async def compare(engine: str, seconds: float, litellm: str | None) -> None:
    """Prints the tables. `litellm` is the Python of an environment where LiteLLM's proxy is installed."""
    _pin(0, first=False)
    with contextlib.ExitStack() as stack:
        gateways = [Gateway("the engine itself", engine, "/v1/chat/completions", _chat("mock"))]
        gateways += stack.enter_context(_sightline(engine))
        if litellm:
            gateways += stack.enter_context(_litellm(litellm, engine))
        for tokens, stream, title in ((1, False, "Text, 1 token, not streamed"), (64, True, "Text, 64 tokens, streamed")):
            await _measure(gateways, tokens, stream, seconds)
            _print(gateways, tokens, title)
