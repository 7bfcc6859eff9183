"""The bundled engine by itself: threads alone and beside work like a decoder's, and what handing it pixels costs.

    python bench/engine.py [--model PATH.gguf] [--requests 16] [threads] [encodings]

Every table is one run; read its columns against each other.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Sequence

import cv2
import numpy as np

from sightline.backends.local import LocalBackend
from sightline.prompt import Frame, Message, Prompt, Sampling

_MIMES = {"bmp": "image/bmp", "ppm": "image/x-portable-pixmap", "jpeg": "image/jpeg", "png": "image/png"}


def picture(width: int, height: int, seed: int, encoding: str = "bmp") -> Frame:
    """A picture with structure: blocks of colour under mild noise."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 255, (height // 32, width // 32, 3), dtype=np.uint8)
    pixels = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
    pixels = cv2.add(pixels, random.integers(0, 12, pixels.shape, dtype=np.uint8))
    return Frame(encode(pixels, encoding), _MIMES[encoding], width, height, width * height // 1024, f"{seed:064x}")


def encode(pixels: np.ndarray, encoding: str) -> bytes:
    options = {"jpeg": [cv2.IMWRITE_JPEG_QUALITY, 92], "png": [cv2.IMWRITE_PNG_COMPRESSION, 1]}.get(encoding, [])
    return cv2.imencode({"jpeg": ".jpg"}.get(encoding, f".{encoding}"), pixels, options)[1].tobytes()


def ask(frame: Frame, tokens: int) -> Prompt:
    return Prompt((Message("user", (frame, "What is in the picture?")),), Sampling(tokens, temperature=0.0))


async def timed(backend: LocalBackend, prompt: Prompt) -> tuple[float, float]:
    """Seconds to the first delta, and to the last."""
    start, first = time.perf_counter(), None
    async for _ in backend.generate(prompt, tenant="bench"):
        first = first or time.perf_counter() - start
    return first or 0.0, time.perf_counter() - start


def decode_for_ever() -> None:
    """Work like that of a media process: decoding and shrinking a 12-megapixel JPEG, again and again."""
    pixels = np.random.default_rng(0).integers(0, 255, (3000, 4000, 3), dtype=np.uint8)
    data = np.frombuffer(encode(cv2.blur(pixels, (9, 9)), "jpeg"), np.uint8)
    cv2.setNumThreads(1)
    while True:
        cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR), (1312, 960), interpolation=cv2.INTER_AREA)


async def compare_threads(model: str, requests: int, most: int) -> None:
    print(f"{requests} questions about new 256x256 pictures, 32 tokens each, 4 at a time; seconds")
    print(f"{'threads':>8} {'neighbours':>11} {'all':>7} {'first p50':>10} {'first max':>10} {'one alone':>10}")
    for threads in range(1, most + 1):
        for neighbours in (0, 1, 2):
            backend = LocalBackend("bench", model, slots=4, threads=threads)
            await backend.start()
            others = [multiprocessing.Process(target=decode_for_ever, daemon=True) for _ in range(neighbours)]
            for other in others:
                other.start()
            try:
                await asyncio.sleep(1.0 if others else 0.2)
                alone = (await timed(backend, ask(picture(256, 256, 999), 32)))[1]
                gate = asyncio.Semaphore(4)

                async def one(seed: int, gate: asyncio.Semaphore = gate, backend: LocalBackend = backend) -> float:
                    async with gate:
                        return (await timed(backend, ask(picture(256, 256, seed), 32)))[0]

                start = time.perf_counter()
                firsts: Sequence[float] = await asyncio.gather(*(one(seed) for seed in range(requests)))
                took = time.perf_counter() - start
            finally:
                for other in others:
                    other.kill()
                await backend.close()
            print(f"{threads:>8} {neighbours:>11} {took:>7.2f} {statistics.median(firsts):>10.3f} {max(firsts):>10.3f} {alone:>10.3f}")


async def compare_encodings(model: str) -> None:
    print("one picture asked about again and again (its tokens are cached): milliseconds, median of 7")
    print(f"{'pixels':>10} {'encoding':>9} {'KiB':>6} {'encode':>7} {'answered':>9} {'sum':>7}")
    backend = LocalBackend("bench", model, slots=1, threads=1)
    await backend.start()
    try:
        for width, height in ((256, 256), (1312, 960)):
            for encoding in _MIMES:
                frame = picture(width, height, 1, encoding)
                pixels = cv2.imdecode(np.frombuffer(frame.data, np.uint8), cv2.IMREAD_COLOR)
                encoded = [seconds(lambda pixels=pixels, encoding=encoding: encode(pixels, encoding)) for _ in range(7)]
                await timed(backend, ask(frame, 1))
                answered = [(await timed(backend, ask(frame, 1)))[1] for _ in range(7)]
                cost = 1000 * statistics.median(encoded), 1000 * statistics.median(answered)
                size = len(frame.data) // 1024
                print(f"{width}x{height:<5} {encoding:>9} {size:>6} {cost[0]:>7.1f} {cost[1]:>9.1f} {sum(cost):>7.1f}")
    finally:
        await backend.close()


def seconds(work: object) -> float:
    start = time.perf_counter()
    work()  # pyright: ignore[reportCallIssue] - called with what the caller made callable
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tables", nargs="*", choices=["threads", "encodings", []], help="which tables; all by default")
    parser.add_argument("--model", default="sight-nano")
    parser.add_argument("--requests", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2, help="the most threads to try")
    options = parser.parse_args()
    if "threads" in options.tables or not options.tables:
        asyncio.run(compare_threads(options.model, options.requests, options.threads))
    if "encodings" in options.tables or not options.tables:
        asyncio.run(compare_encodings(options.model))


if __name__ == "__main__":
    main()
