"""What the gateway costs: the same tiny question to an engine that answers at once, directly and through Sightline.

    python bench/gateway.py [--seconds 4]

A 64x64 PNG in a data URI; answers of 1 and of 64 tokens. The engine (gateway_upstream.py), the service and the client are processes of
their own on 127.0.0.1. Both ways are measured in turns within one run: read the columns against each other. `CPU` is what the
service's process used for one request, which other work on the machine disturbs least.
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
import uvloop

from load_client import HERE, Child, closed_loop, data_uri, percentile, service, session
from load_client import Outcome as _Outcome


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
    uvloop.run(measure(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
