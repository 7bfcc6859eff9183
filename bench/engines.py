"""Pages through the gateway into vLLM, against the same pages into vLLM itself, in one run.

    python bench/engines.py --vllm .venv-vllm/bin/vllm [--rounds 6]        starts one with the bundled model (`make test-vllm` installs it)
    python bench/engines.py --url http://127.0.0.1:8000 --model NAME       measures one that runs; its key is in SIGHTLINE_KEY

Each request holds four scanned pages of 1786x2526 as JPEG (no page comes twice) and one question, in the same words to both, streamed,
over OpenAI's interface. The ways take turns: within a round each is asked twice by one caller alone, for the time to the first token,
and then by four callers at once, for pages a second. Both see the pages at the same size: the gateway has the budget of pixels that
the model's own processor has. `input` is what vLLM counted, pictures and words; the gateway adds words between pictures. `CPU` is what
a page cost the gateway, vLLM's own interface (where pages are decoded) and vLLM's engine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.vllm.server import KEY, running

from load_client import data_uri, percentile, service, session

WIDTH, HEIGHT, PAGES, CALLERS = 1786, 2526, 4, 4
QUESTION = "What is written on these pages?"


def page(number: int) -> bytes:
    """A scanned page: lines of text on paper that is not quite white."""
    noise = np.random.default_rng(number)
    paper = np.full((HEIGHT, WIDTH, 3), 244, np.uint8)
    for line in range(48):
        words = " ".join("".join(chr(97 + letter) for letter in noise.integers(0, 26, 7)) for _ in range(9))
        cv2.putText(paper, words, (110, 120 + line * 49), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (30, 30, 30), 2, cv2.LINE_AA)
    grain = noise.integers(0, 12, (HEIGHT // 2, WIDTH // 2, 1), dtype=np.uint8)
    paper = cv2.subtract(paper, cv2.cvtColor(cv2.resize(grain, (WIDTH, HEIGHT)), cv2.COLOR_GRAY2BGR))
    return cv2.imencode(".jpg", paper, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


@dataclass
class Way:
    """One way to the model, and what was seen of it; times are seconds."""

    name: str
    url: str
    headers: dict[str, str]
    model: str
    first: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    tokens: set[int] = field(default_factory=set[int])
    cpu: dict[str, float] = field(default_factory=dict[str, float])
    asked: int = 0

    def body(self, pages: list[str]) -> bytes:
        parts = [{"type": "image_url", "image_url": {"url": uri}} for uri in pages]
        content = [*parts, {"type": "text", "text": QUESTION}]
        fields = {"model": self.model, "messages": [{"role": "user", "content": content}], "max_tokens": 8, "temperature": 0}
        return json.dumps({**fields, "stream": True, "stream_options": {"include_usage": True}}).encode()

    async def ask(self, http: aiohttp.ClientSession, body: bytes) -> float:
        """Seconds to the first word. Raises `RuntimeError` where there is none."""
        begun, first = time.perf_counter(), None
        async with http.post(self.url + "/v1/chat/completions", data=body, headers=self.headers) as response:
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                event: dict[str, Any] = json.loads(line[6:])
                if first is None and any(choice.get("delta", {}).get("content") for choice in event.get("choices", [])):
                    first = time.perf_counter() - begun
                if event.get("usage"):
                    self.tokens.add(event["usage"]["prompt_tokens"])
            if first is None:
                raise RuntimeError(f"{self.name}: HTTP {response.status} without a word")
        self.asked += 1
        return first


class Pages:
    """Fresh pages, drawn before they are needed: drawing is not measured."""

    def __init__(self) -> None:
        self._next = 0

    def requests(self, way: Way, count: int) -> list[bytes]:
        bodies: list[bytes] = []
        for _ in range(count):
            bodies.append(way.body([data_uri(page(self._next + number)) for number in range(PAGES)]))
            self._next += PAGES
        return bodies


def spent(interface: int | None, gateway: int) -> dict[str, float]:
    """CPU seconds of the processes that there are, by what they are."""
    ticks = os.sysconf("SC_CLK_TCK")

    def of(pid: int) -> float:
        with contextlib.suppress(OSError):
            return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) / ticks
        return 0.0

    processes = {"gateway": [gateway, *descendants(gateway)]}
    if interface is not None:
        processes |= {"interface": [interface], "engine": descendants(interface)}
    return {name: sum(map(of, pids)) for name, pids in processes.items()}


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [inner for child in map(int, children) for inner in (child, *descendants(child))]


def listening(url: str) -> int | None:
    """The process that a loopback address belongs to; None where it cannot be told."""
    port = f":{int(url.rsplit(':', 1)[1]):04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(port) and row[3] == "0A"}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(each) in sockets for each in (process / "fd").iterdir()):
                return int(process.name)
    return None


async def measure(url: str, key: str, model: str, pixels: int, rounds: int) -> None:
    lanes = "".join(f'[lanes.{name}]\nbackends = ["x"]\nslots = 16\n' for name in "ABC")
    engine = f'[backends.x]\nkind = "openai"\nurl = "{url}"\ndialect = "vllm"\nmodel = "{model}"\nkey_env = "SIGHTLINE_KEY"\n'
    budget = f"min_pixels = 4096\nmax_pixels = {pixels}\nmost_pixels = {pixels}\n"
    os.environ["SIGHTLINE_KEY"] = key
    with service("cache_bytes = 0\n" + engine + budget + lanes) as child:
        json_type = {"Content-Type": "application/json"}
        ways = [
            Way("vLLM itself", url, {**json_type, "Authorization": f"Bearer {key}"}, model),
            Way("gateway", child.url, json_type, "default"),
        ]
        interface = listening(url)
        pages = Pages()
        async with session() as http:
            for way in ways:  # a first request pays for what is made once
                await way.ask(http, pages.requests(way, 1)[0])
            for way in ways:
                way.asked = 0
            for turn in range(rounds):
                for way in ways if turn % 2 == 0 else ways[::-1]:
                    alone, together = pages.requests(way, 2), pages.requests(way, 2 * CALLERS)
                    before = spent(interface, child.pid)
                    way.first += [await way.ask(http, body) for body in alone]
                    begun = time.perf_counter()
                    await _together(way, http, together)
                    way.rates.append(PAGES * len(together) / (time.perf_counter() - begun))
                    for name, seconds in spent(interface, child.pid).items():
                        way.cpu[name] = way.cpu.get(name, 0.0) + seconds - before[name]
    report(ways)


async def _together(way: Way, http: aiohttp.ClientSession, bodies: list[bytes]) -> None:
    waiting = iter(bodies)

    async def caller() -> None:
        for body in waiting:
            await way.ask(http, body)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


def report(ways: list[Way]) -> None:
    print(f"{PAGES} pages of {WIDTH}x{HEIGHT} a request, {ways[0].asked} requests each way\n")
    print("| way | first token, median ms | p90 ms | pages/s, 4 callers | input tokens | CPU a page: gateway, interface, engine (ms) |")
    print("|---|---|---|---|---|---|")
    for way in ways:
        first = sorted(way.first)
        cpu = ", ".join(f"{1000 * way.cpu.get(name, 0.0) / (PAGES * way.asked):.0f}" for name in ("gateway", "interface", "engine"))
        tokens = ", ".join(map(str, sorted(way.tokens)))
        figures = f"{1000 * statistics.median(first):.0f} | {1000 * percentile(first, 0.9):.0f} | {statistics.median(way.rates):.2f}"
        print(f"| {way.name} | {figures} | {tokens} | {cpu} |")


@contextlib.contextmanager
def bundled(command: str) -> Iterator[tuple[str, int]]:
    """A vLLM with the bundled model: its address, and the most pixels that its processor leaves a picture."""
    from tests.vllm.export import export

    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        model = Path(folder) / "sight-nano"
        export(model)
        pixels = json.loads((model / "preprocessor_config.json").read_text("utf-8"))["size"]["longest_edge"]
        with running(str(Path(command).resolve()), model) as url:
            yield url, pixels


def main() -> None:
    parser = argparse.ArgumentParser(description="Pages through the gateway into vLLM, against the same pages into vLLM itself.")
    parser.add_argument("--vllm", default=os.environ.get("SIGHTLINE_VLLM"), help="vLLM's command, to be started with the bundled model")
    parser.add_argument("--url", help="a vLLM that runs already")
    parser.add_argument("--model", default="sight-nano")
    parser.add_argument("--pixels", type=int, default=65536, help="the most that its processor leaves a picture; with --url")
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    if options.url:
        key = os.environ.get("SIGHTLINE_KEY", KEY)
        asyncio.run(measure(options.url.rstrip("/"), key, options.model, options.pixels, options.rounds))
    elif options.vllm:
        with bundled(options.vllm) as (url, pixels):
            asyncio.run(measure(url, KEY, options.model, pixels, options.rounds))
    else:
        print("needs a vLLM: --vllm COMMAND (`make test-vllm` installs one) or --url ADDRESS")


if __name__ == "__main__":
    main()
