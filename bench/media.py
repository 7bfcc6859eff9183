"""The media gate against other ways to do the same work; every table is one run, so read its columns against each other.

    python bench/media.py [stills] [handoff] [gate] [request] [pdf] [video] [memory]

Inputs are made on the spot: a 12-megapixel photo-like JPEG, a 300-dpi page as JPEG and as PNG, a 30 s 1080p clip, a PDF.
`pdf` needs poppler's `pdftoppm`, which is what pdf2image runs. Decoders that use threads of their own are held to one.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import simplejpeg
from PIL import Image, ImageDraw, ImageFont

from sightline.assembly import settle
from sightline.media.encode import finish
from sightline.media.gate import Gate
from sightline.media.headers import read_header
from sightline.media.orders import Finish
from sightline.media.picture import Picture
from sightline.media.settings import MediaSettings
from sightline.media.stills import decode_still
from sightline.prompt import View
from sightline.protocol.decode import decode, decode_whole
from sightline.protocol.requests import InferRequest
from sightline.service.ports import Caller, MediaPolicy
from sightline.service.vision import fit

VIEW = View(min_pixels=64 * 1024, max_pixels=1280 * 1024)
EVERYTHING = MediaPolicy(frozenset({"image", "document", "video"}))
CLIENTS, PAGES = 8, 4


class Clock:
    def now(self) -> float:
        return time.monotonic()


# Inputs


def encode(image: Image.Image, name: str, **options: Any) -> bytes:
    held = io.BytesIO()
    image.save(held, name, **options)
    return held.getvalue()


@functools.cache
def page(seed: int = 0, width: int = 2480, height: int = 3508) -> Image.Image:
    """An A4 page of text at 300 dpi."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(36)
    for y in range(150, height - 150, 52):
        draw.text((150, y), " ".join(f"word{random.integers(1e6)}" for _ in range(14)), fill=(20, 20, 30), font=font)
    draw.rectangle((1200, 1500, 2200, 2300), fill=(200, 220, 240))
    return image


@functools.cache
def photo(width: int = 4032, height: int = 3024) -> Image.Image:
    random = np.random.default_rng(1)
    coarse = random.integers(0, 255, (height // 16, width // 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    return Image.fromarray(np.clip(smooth + random.integers(-6, 6, smooth.shape), 0, 255).astype(np.uint8))


def clip(seconds: int = 30, fps: int = 30, width: int = 1920, height: int = 1080) -> bytes:
    """A moving scene, H.264 as phones and screen recorders write it. SIGHTLINE_BENCH_CLIP names a file of one's own."""
    if os.environ.get("SIGHTLINE_BENCH_CLIP"):
        return Path(os.environ["SIGHTLINE_BENCH_CLIP"]).read_bytes()
    held = io.BytesIO()
    random = np.random.default_rng(2)
    scene = cv2.resize(random.integers(0, 255, (180, 440, 3), dtype=np.uint8), None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    container = av.open(held, "w", format="mp4")
    stream: Any = container.add_stream("libx264", rate=fps, options={"preset": "veryfast", "crf": "23"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    for number in range(seconds * fps):
        left, top = number * 2 % (scene.shape[1] - width), number % (scene.shape[0] - height)
        part = np.ascontiguousarray(scene[top : top + height, left : left + width])
        container.mux(stream.encode(av.VideoFrame.from_ndarray(part, format="rgb24")))
    container.mux(stream.encode())
    container.close()
    return held.getvalue()


# Measuring


def best(work: Callable[[], object], times: int = 7) -> float:
    """Least processor time (ms) of this process, so that neighbours on the machine count less."""
    work()
    taken: list[float] = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return 1000 * min(taken)


def table(title: str, head: list[str], rows: list[list[object]]) -> None:
    print(f"\n{title}")
    cells = [head, *[[f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        print(
            "  "
            + "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )


class Lag:
    """How late the event loop comes to a timer, in ms."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    async def watch(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            self.seen.append(1000 * (time.perf_counter() - began) - 1)

    def told(self) -> list[object]:
        ordered = sorted(self.seen)
        return [ordered[int(0.99 * len(ordered))], ordered[-1]] if ordered else [0.0, 0.0]


@asynccontextmanager
async def watched() -> AsyncGenerator[Lag]:
    lag = Lag()
    watcher = asyncio.create_task(lag.watch())
    try:
        yield lag
    finally:
        watcher.cancel()


@asynccontextmanager
async def opened(settings: MediaSettings | None = None) -> AsyncGenerator[Gate]:
    cores = len(os.sched_getaffinity(0))
    async with Gate(settings or MediaSettings(), Clock(), shares={"A": cores, "B": 1, "C": 1}) as gate:
        yield gate


# Tables


def stills() -> None:
    """Decode and fit to a budget of 1.3 megapixels."""
    rows: list[list[object]] = []
    for title, name, data in (
        ("12 MP JPEG", "jpeg", encode(photo(), "JPEG", quality=88)),
        ("300-dpi page, JPEG", "jpeg", encode(page(), "JPEG", quality=85)),
        ("300-dpi page, PNG", "png", encode(page(), "PNG")),
        ("300-dpi page, PNG with alpha", "png", encode(page().convert("RGBA"), "PNG")),
        ("300-dpi page, WebP", "webp", encode(page(), "WEBP", quality=85)),
    ):
        header = read_header(name, data)
        size = fit(header.width, header.height, VIEW)
        pillow = best(functools.partial(_pillow, data, size), 4)
        ours = best(functools.partial(decode_still, name, data, header, size))
        alone = (
            best(lambda data=data, size=size: simplejpeg.decode_jpeg(data, "RGB", min_width=size[0], min_height=size[1]))
            if name == "jpeg"
            else None
        )
        rows.append([title, pillow, ours, pillow / ours, alone if alone else "", ours / alone if alone else ""])
    table("Decode and fit, one thread (ms)", ["input", "Pillow", "Sightline", "times faster", "turbo's scaled decode", "over it"], rows)


def _pillow(data: bytes, size: tuple[int, int]) -> object:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))


def handoff() -> None:
    """What handing 1.3 megapixels to an engine costs."""
    picture = Picture(np.asarray(page().resize((960, 1344))))
    rows: list[list[object]] = []
    for encoding in ("ppm", "bmp", "jpeg", "png"):
        how = Finish(encoding, 90)
        rows.append([encoding, best(lambda how=how: finish(picture, how)), len(finish(picture, how).data) // 1000])
    table("Hand-off of a fitted page (ms, kB)", ["encoding", "ms", "kB"], rows)


async def gate() -> None:
    """Probe and load, eight at a time; how long the event loop was kept waiting meanwhile."""
    rows: list[list[object]] = []
    async with opened() as media:
        for title, data in (
            ("12 MP JPEG", encode(photo(), "JPEG", quality=88)),
            ("300-dpi page, JPEG", encode(page(), "JPEG", quality=85)),
            ("300-dpi page, PNG", encode(page(), "PNG")),
        ):
            source = base64.b64encode(data).decode()
            await _through(media, source)
            async with watched() as lag:
                began, count = time.perf_counter(), 48
                await _clients(count, lambda source=source: _through(media, source))
                rows.append([title, count / (time.perf_counter() - began), *lag.told()])
    table("The gate, 8 at a time", ["input", "a second", "lag p99 (ms)", "lag max (ms)"], rows)


async def _through(media: Gate, source: str, lane: Any = "A") -> Any:
    (probed,) = await media.probe([source], EVERYTHING, Caller())
    return await media.load(probed, VIEW, lane=lane)


async def _clients(count: int, work: Callable[[], Awaitable[object]]) -> None:
    left = iter(range(count))

    async def client() -> None:
        for _ in left:
            await work()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


_SERVICE = """
state = "{state}"
cache_bytes = 0
[backends.stub]
kind = "fake"
prefill = 1e12
decode = 1e12
slots = 64
answer_tokens = 1
"""
_LANE = """
[lanes.{lane}]
backends = ["stub"]
slots = 16
waiting = 256
waiting_tokens = 10000000
cpu = {cores}
"""


async def request() -> None:
    """JSON in, answer out through the whole application as it ships, with an engine that answers at once.

    A4 at 216 dpi is what vLLM's frontend was measured with; 300 dpi is what scanners make.
    """
    for dpi, width, height in ((216, 1786, 2526), (300, 2480, 3508)):
        await _request(dpi, width, height)


async def _request(dpi: int, width: int, height: int) -> None:
    from sightline.assembly import build_app, open_service
    from sightline.config import load

    pages = [base64.b64encode(encode(page(seed, width, height), "JPEG", quality=85)).decode() for seed in range(PAGES)]
    body = json.dumps({"task": "vqa", "images": pages, "text": "What does it say?", "options": {"timeout_ms": 60_000}}).encode()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "sightline.toml")
        written = _SERVICE.format(state=folder) + "".join(_LANE.format(lane=lane, cores=cores) for lane in "ABC")
        await asyncio.to_thread(config.write_text, written)
        settings = load(config)
        async with open_service(settings) as service:
            for engine in service.pool.backends():
                # The simulated engine looks at small pictures; here it is one that looks at 1.3 megapixels.
                engine._info = replace(engine.info, view=VIEW, max_view_pixels=VIEW.max_pixels, context_tokens=1_000_000)
            app = build_app(service, settings)
            # As they come from a socket; taking them apart is no work of the service.
            pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
            await _post(app, pieces)
            async with watched() as lag:
                began, count = time.perf_counter(), 24
                used = resource.getrusage(resource.RUSAGE_SELF)
                await _clients(count, lambda: _post(app, pieces))
                wall = time.perf_counter() - began
                after = resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    table(
        f"Request path: {PAGES} pages of {width}x{height} ({dpi} dpi) a request, {len(body) / 1e6:.1f} MB of JSON, "
        f"{CLIENTS} clients, {cores} cores, engine stubbed",
        ["", "pages/s", "CPU ms a page", "cores used", "lag p99 (ms)", "lag max (ms)", "decoding the body (ms)", "as plain JSON"],
        [
            [
                "Sightline",
                count * PAGES / wall,
                1000 * processor / count / PAGES,
                processor / wall,
                *lag.told(),
                best(lambda: decode(body, InferRequest), 3),
                best(lambda: decode_whole(body, InferRequest), 3),
            ]
        ],
    )


async def _post(app: Any, pieces: list[bytes]) -> None:
    """One request by ASGI, its body in pieces, between which a server turns to others."""
    messages = iter([{"type": "http.request", "body": piece, "more_body": number + 1 < len(pieces)} for number, piece in enumerate(pieces)])
    done = asyncio.Event()
    status = 0
    answer = bytearray()

    async def receive() -> Any:
        await asyncio.sleep(0)
        message = next(messages, None)
        if message is None:
            await done.wait()
            return {"type": "http.disconnect"}
        return message

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            answer.extend(message.get("body", b""))
            if not message.get("more_body"):
                done.set()

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", str(sum(map(len, pieces))).encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/infer",
        "raw_path": b"/infer",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)
    if status != 200:
        raise RuntimeError(f"{status}: {bytes(answer[:300])!r}")


async def pdf() -> None:
    """Pages of a PDF (text, vectors and one scanned page in four) at the budget's size, one process each."""
    images = [page(seed) for seed in range(2)]
    scanned = encode(images[0], "PDF", resolution=300, save_all=True, append_images=[images[1]])
    rows: list[list[object]] = []
    for title, data, pages in (("scanned, 2 pages", scanned, 2), ("text, 24 pages", text_pdf(24), 24)):
        source = base64.b64encode(data).decode()
        async with opened() as media:
            await _through(media, source, "B")
            began = time.perf_counter()
            await _through(media, source, "B")
            ours = pages / (time.perf_counter() - began)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.pdf"
            path.write_bytes(data)
            size = fit(1653, 2339, VIEW)
            command = ["pdftoppm", "-jpeg", "-scale-to-x", str(size[0]), "-scale-to-y", str(size[1]), str(path), f"{folder}/page"]
            theirs = 0.0
            if shutil.which("pdftoppm"):
                began = time.perf_counter()
                await asyncio.to_thread(subprocess.run, command, check=True)
                theirs = pages / (time.perf_counter() - began)
        rows.append([title, theirs or "not installed", ours, ours / theirs if theirs else ""])
    table("PDF, pages a second", ["document", "poppler", "Sightline", "times"], rows)


_WORDS = "lorem ipsum dolor " * 5


def text_pdf(pages: int) -> bytes:
    """A PDF of text and rules, by hand."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for number in range(pages):
        lines = "".join(f"BT /F1 10 Tf 50 {800 - 14 * line} Td (Line {line} of page {number}: {_WORDS}) Tj ET\n" for line in range(54))
        rules = "".join(f"50 {797 - 14 * line} m 540 {797 - 14 * line} l S\n" for line in range(54))
        content = (lines + "0.5 w\n" + rules).encode()
        resources = b"/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R %s >>" % (5 + 2 * number, resources))
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(pages))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, pages)
    out, places = bytearray(b"%PDF-1.7\n"), list[int]()
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))


async def video() -> None:
    """A 30 s 1080p clip, sampled at 2 frames a second and fitted."""
    data = await asyncio.to_thread(clip)
    source = base64.b64encode(data).decode()
    async with opened() as media:
        await _through(media, source, "C")
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken: list[float] = []
        for _ in range(3):
            began = time.perf_counter()
            loaded = await _through(media, source, "C")
            taken.append(time.perf_counter() - began)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = (ended.ru_utime + ended.ru_stime - children.ru_utime - children.ru_stime) / 4
    began = time.perf_counter()
    with av.open(io.BytesIO(data)) as container:
        for _ in container.decode(video=0):
            pass
    whole = time.perf_counter() - began
    table(
        f"Video: 30 s of 1080p, {len(data) / 1e6:.1f} MB",
        ["", "frames", "seconds (best)", "median", "CPU s", "decoding all of it, one thread of Python (s)"],
        [["Sightline", len(loaded.frames), min(taken), statistics.median(taken), processor, whole]],
    )


def memory() -> None:
    """64 uploads of 12 megapixels at once, in a process of their own: its peak against what its settings allow."""
    rows: list[list[object]] = []
    for decoded in (128, 512):
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import media, asyncio; asyncio.run(media.crowd({decoded}))"
        told = json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        rows.append([f"{decoded} MB", told["done"], told["base"], told["held"], told["frames"], told["allowed"], told["peak"]])
    table(
        "64 uploads of 12 MP at once (MB)",
        ["decoded_bytes", "came through", "base", "inputs", "frames", "all that is allowed", "peak"],
        rows,
    )


async def crowd(decoded: int) -> None:
    data = encode(photo(), "JPEG", quality=88)
    photo.cache_clear()
    sources = [base64.b64encode(data).decode()]
    base = _peak(reset=True)
    async with opened(MediaSettings(decoded_bytes=decoded * 1_000_000)) as media:
        loaded = await asyncio.gather(*(_through(media, sources[0]) for _ in range(64)))
    frames = sum(len(one.frames[0].data) for one in loaded) / 1e6
    held = 64 * len(data) / 1e6
    told = {"done": len(loaded), "base": base, "held": held, "frames": frames, "allowed": base + held + decoded + frames, "peak": _peak()}
    print(json.dumps(told))


def _peak(*, reset: bool = False) -> float:
    """Peak resident memory (MB) since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


TABLES: dict[str, Callable[[], Any]] = {
    "stills": stills,
    "handoff": handoff,
    "gate": gate,
    "request": request,
    "pdf": pdf,
    "video": video,
    "memory": memory,
}


def main(wanted: list[str]) -> None:
    cv2.setNumThreads(1)
    settle()
    for name in wanted or list(TABLES):
        result = TABLES[name]()
        if asyncio.iscoroutine(result):
            asyncio.run(result)


if __name__ == "__main__":
    main(sys.argv[1:])
