"""What the gateway costs: the same tiny question to an engine that answers at once, directly and through Sightline.

    python bench/gateway.py [--seconds 4] [--only text|picture|model]
    python bench/gateway.py --litellm ENVIRONMENT/bin/python      beside LiteLLM's proxy (pip install 'litellm[proxy]')

First text with everything on, on one core (gateway_text.py); with `--litellm`, the Python of an environment that has LiteLLM's proxy, the
same questions to the same engine through that, in turns with ours, and what it comes to against ours.

Then a 64x64 PNG in a data URI; answers of 1 and of 64 tokens. The engine (gateway_upstream.py), the service and the client are processes of
their own on 127.0.0.1. Both ways are measured in turns within one run: read the columns against each other. `CPU` is what the
service's process used for one request, which other work on the machine disturbs least.

The last table is what a person meets: the bundled model in llama.cpp, one question at a time about pictures never seen before, asked
of the engine itself and through Sightline, each picture once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator

import aiohttp
import cv2
import numpy as np
import uvloop

from gateway_text import compare
from load_client import HERE, Child, closed_loop, data_uri, percentile, service, session
from load_client import Outcome as _Outcome
from sightline.backends.dialects import LLAMA_CPP
from sightline.prompt import text_of


def tiny() -> str:
    """A 64x64 PNG of one colour."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff\0\0" * 64) * 64
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return data_uri(content, "image/png")


@contextlib.contextmanager
def upstream() -> Iterator[str]:
    """The engine's address."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import gateway_upstream; gateway_upstream.main()"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
    finally:
        process.kill()
        process.wait()


def configuration(address: str) -> str:
    lanes = "".join(f'[lanes.{name}]\nbackends = ["x"]\nslots = 128\nwaiting = 256\n' for name in "ABC")
    return f'cache_bytes = 0\n[backends.x]\nkind = "openai"\nurl = "{address}"\ndialect = "vllm"\n' + lanes


class Way:
    """One way to the engine: an address and the body of the question."""

    def __init__(self, http: aiohttp.ClientSession, url: str, body: object) -> None:
        self._http = http
        self._url = url
        self._body = json.dumps(body).encode()

    async def ask(self, _: int = 0) -> _Outcome:
        begun = time.perf_counter()
        async with self._http.post(self._url, data=self._body, headers={"Content-Type": "application/json"}) as response:
            await response.read()
            return _Outcome(begun, response.status, 0, None, time.perf_counter() - begun)


async def measure(seconds: float) -> None:
    image = tiny()
    with upstream() as engine, service(configuration(engine)) as child:
        async with session() as http:
            for tokens in (1, 64):
                parts = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": "What is it?"}]
                direct = {"model": "mock", "messages": [{"role": "user", "content": parts}], "stream": True, "max_tokens": tokens}
                ours = {"task": "vqa", "images": [image], "text": "What is it?", "options": {"max_tokens": tokens}}
                ways = {
                    "the engine itself": Way(http, engine + "/v1/chat/completions", direct),
                    "POST /infer": Way(http, child.url + "/infer", ours),
                    "POST /infer_stream": Way(http, child.url + "/infer_stream", ours),
                }
                await _table(child, ways, tokens, seconds)


async def measure_real(seconds: float) -> None:
    """A picture and a question to the bundled model, past the gateway and through it."""
    config = '[backends.x]\nkind = "local"\n' + "".join(f'[lanes.{name}]\nbackends = ["x"]\nslots = 4\n' for name in "ABC")
    text = "How many shapes are there?"
    with service(config) as child:
        engine = await child.tell(engine=True)
        key = next(line.partition(": ")[2] for line in engine["fields"].split("\r\n") if line.startswith("Authorization"))
        prompt = text_of("vqa", "en")
        asked: dict[str, list[float]] = {"the engine itself": [], "POST /infer": []}
        async with session() as http:
            for number in range(round(seconds * 30)):
                for turn, way in enumerate(asked):
                    image = data_uri(drawing(2 * number + turn), "image/png")
                    parts = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": text}]
                    turns = [{"role": "system", "content": prompt}, {"role": "user", "content": parts}]
                    direct = {"messages": turns, "stream": True, "max_tokens": 8, "temperature": 0, "logprobs": True, "top_logprobs": 1}
                    ours = {"task": "vqa", "images": [image], "text": text, "options": {"max_tokens": 8, "temperature": 0, "cache": "off"}}
                    url = f"{engine['url']}/v1/chat/completions" if not turn else child.url + "/infer"
                    body = json.dumps({**direct, **LLAMA_CPP.constant} if not turn else ours)
                    begun = time.perf_counter()
                    headers = {"Content-Type": "application/json"} | ({} if turn else {"Authorization": key})
                    async with http.post(url, data=body, headers=headers) as response:
                        response.raise_for_status()
                        await response.read()
                    asked[way].append(time.perf_counter() - begun)
    print("\nThe bundled model, one question at a time about a new 256x192 picture")
    print(f"{'':<20} {'p50':>10} {'added':>9} {'p99':>10}")
    for times in asked.values():
        times.sort()
    least = percentile(asked["the engine itself"], 0.5)
    for way, times in asked.items():
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        print(f"{way:<20} {1000 * p50:>7.2f} ms {1000 * (p50 - least):>6.2f} ms {1000 * p99:>7.1f} ms")


def drawing(seed: int) -> bytes:
    """A PNG with a few coloured discs."""
    dice = np.random.default_rng(seed)
    pixels = np.full((192, 256, 3), 255, np.uint8)
    for place in dice.permutation(12)[: dice.integers(1, 6)]:
        centre = (int(place % 4) * 64 + int(dice.integers(24, 40)), int(place // 4) * 64 + int(dice.integers(24, 40)))
        cv2.circle(pixels, centre, int(dice.integers(12, 22)), [int(part) for part in dice.integers(0, 200, 3)], -1)
    return cv2.imencode(".png", pixels)[1].tobytes()


async def _table(child: Child, ways: dict[str, Way], tokens: int, seconds: float) -> None:
    alone: dict[str, list[float]] = {name: [] for name in ways}
    busy: dict[str, list[float]] = {name: [] for name in ways}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        await closed_loop(way.ask, 4, 0.3)
    for _ in range(4):  # in turns, so that what disturbs the machine disturbs all of them
        for name, way in ways.items():
            before = await child.tell()
            alone[name] += [each.total for each in await closed_loop(way.ask, 1, seconds / 8)]
            begun = time.perf_counter()
            answered = await closed_loop(way.ask, 64, seconds / 8)
            busy[name].append(sum(each.status == 200 for each in answered) / (time.perf_counter() - begun))
            after = await child.tell()
            spent[name].append((after["cpu"] - before["cpu"]) / max(1, len(answered) + len(alone[name]) / len(busy[name])))
    print(f"\nAnswers of {tokens} token(s)")
    print(f"{'':<20} {'one by one p50':>15} {'added':>9} {'p99':>9} {'64 clients':>12} {'tokens/s':>10} {'CPU':>9}")
    least = 0.0
    for name, times in alone.items():
        times.sort()
        p50, rate, cpu = percentile(times, 0.5), sorted(busy[name])[-2], sorted(spent[name])[1]
        least = least or p50
        cells = f"{1000 * p50:>12.2f} ms {1000 * (p50 - least):>6.2f} ms {1000 * percentile(times, 0.99):>6.1f} ms {rate:>10.0f}/s"
        print(f"{name:<20} {cells} {rate * tokens:>10.0f} {1000 * cpu:>6.2f} ms")
    print(f"memory of the service: {(await child.tell())['rss'] / 2**20:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each way and length of answer")
    parser.add_argument("--only", choices=("text", "picture", "model"), help="one of the three parts")
    parser.add_argument("--litellm", metavar="PYTHON", help="measures LiteLLM's proxy beside us, by the Python of its environment")
    given = parser.parse_args()
    cores = os.sched_getaffinity(0)
    if given.only in (None, "text"):
        with upstream() as engine:
            uvloop.run(compare(engine, given.seconds, given.litellm))
        os.sched_setaffinity(0, cores)
    if given.only in (None, "picture"):
        uvloop.run(measure(given.seconds))
    if given.only in (None, "model"):
        uvloop.run(measure_real(given.seconds))


if __name__ == "__main__":
    main()
