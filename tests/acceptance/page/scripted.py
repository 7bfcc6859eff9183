"""A service that answers as the question says, behind the real HTTP face: what the page shows is then known exactly.

The question chooses the scene: `error 2001` is refused, `break 5001` fails after two words, `cut` ends without an end,
`say X` is answered with X; `slowly`, `quickly` and `steadily 300 3000` (words a second, words) set the pace; `unsure`,
`unknown`, `warn`, `lighter`, `simulated` and `long` colour the answer; `chart`, `charts`, `boxes`, `text`, `pages`, `fields`,
`moments` and `markdown` bring a structured result as the tasks do.
"""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import uvicorn
from msgspec.structs import replace as altered
from PIL import Image

from sightline.prompt import Frame, View
from sightline.protocol import errors
from sightline.protocol.events import Accepted, Degraded, Event, Final, Metadata, Progress, Token
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice, Receipt
from sightline.server.app import Face, create_app
from sightline.server.console import AuditFinding, AuditState, KeyRow, Premises, UseRow
from sightline.server.metrics import EngineState, Metrics
from sightline.service.calls import Call
from sightline.service.lanes import Claim, Lane, LaneLimits
from sightline.service.ports import Caller, Crop, Loaded, MediaPolicy, StoredFile
from sightline.tasks.base import Lane as LaneName
from tests.acceptance.page import results
from tests.doubles import INFO, Numbers, OnePool, Picture, Wall

ERRORS: dict[int, errors.Error] = {
    1000: errors.MalformedRequest("options.top_p", Bilingual("数值超出范围", "the number is out of range"), "over 0, up to 1"),
    1001: errors.UnsupportedMedia(0, "SVG", "JPEG, PNG, WebP"),
    1002: errors.VideoTooLong(0, 42.0, 30.0),
    1003: errors.MediaUnreachable(0, Bilingual("地址没有应答", "the address does not answer"), "timeout"),
    1004: errors.TooLarge(Bilingual("图片", "The picture"), 120, 40, "MP", input=0),
    1005: errors.DamagedMedia(0, "JPEG", Bilingual("文件不完整", "the file ends too early")),
    1006: errors.UnknownTask("juggle", ["captioning", "vqa"]),
    2001: errors.Overloaded("A", retry_after_ms=2500),
    2002: errors.DeadlineExceeded(30_000, "queue", 41_000),
    3001: errors.SensitiveContent("violence", "aud_7f"),
    4001: errors.Unauthenticated(),
    4002: errors.NotAllowed(Bilingual("密钥无此权限", "the key lacks this scope")),
    4003: errors.RateLimited(Bilingual("每分钟 60 次", "60 a minute"), retry_after_ms=1200),
    4004: errors.QuotaExceeded("2026-12-01T00:00:00Z"),
    5000: errors.Internal(),
    5001: errors.BackendUnavailable(retry_after_ms=None),
}
"""One error of every code in the table."""

SHORT = "There is a red circle and a yellow star."
SHORT_ZH = "图中有一个红色的圆形和一颗黄色的星。"
SLOW = " ".join(["one", "two", "three"] * 40)
QUICK = " ".join(f"word{index}" for index in range(3000))
STRUCTURED: dict[str, Any] = {
    "chart": results.CHART,
    "charts": results.MANY,
    "boxes": results.BOXES,
    "text": results.TEXT,
    "pages": results.PAGES,
    "fields": results.FIELDS,
    "moments": results.MOMENTS,
}
SAID = {
    "chart": results.CHART["derived"]["text"],
    "charts": '[{"chart_type": "line"}]',
    "text": "Invoice 2026-114\nTotal: 1,280.00 EUR",
    "fields": '{"total": 1280.5}',
    "markdown": results.MARKDOWN,
    "moments": "It stops at second 3, not at second 90.",
}
"""Answers of scenes that are not the ordinary one."""


class ScriptedService:
    """Stands in for `service.infer.Inference`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.left = 0
        """Streams that were closed before their end."""
        self.refusals: int | None = None
        """How many more times an `error` question is refused before it is answered; None is for ever."""

    async def stream(self, call: Call) -> AsyncGenerator[Event]:
        self.calls.append(call)
        scene, _, code = call.text.partition(" ")
        if scene == "error" and self.refusals != 0:
            self.refusals = self.refusals and self.refusals - 1
            raise ERRORS[int(code)]
        yield Accepted(request_id=call.request_id, lane="A", model="sight-nano", predicted_wait_ms=0)
        answer = _answer(call.text)
        if scene == "pages":
            for page in range(6):
                yield Progress(stage="pages", done=page, total=5)
                await asyncio.sleep(0.02)
        if scene == "steadily":
            async for event in _steadily(*map(int, code.split())):
                yield event
            yield _final(call, answer, len(answer.split()))
            return
        pause = {"slowly": 0.3, "quickly": 0.0}.get(scene, 0.005)
        words = answer.split(" ")
        try:
            for index, word in enumerate(words):
                await asyncio.sleep(pause)
                yield Token(word if index == 0 else f" {word}", index)
                if scene == "break" and index == 1:
                    raise ERRORS[int(code)]
                if scene == "cut" and index == 1:
                    return
        except (GeneratorExit, asyncio.CancelledError):
            self.left += 1
            raise
        yield _final(call, answer, len(words))


async def _steadily(rate: int, count: int) -> AsyncGenerator[Event]:
    """`count` words, `rate` a second, as an engine sends them."""
    begun = time.monotonic()
    for index in range(count):
        await asyncio.sleep(max(0.0, begun + index / rate - time.monotonic()))
        yield Token(_word(index), index)


def _word(index: int) -> str:
    return f"word{index} "


def _answer(text: str) -> str:
    scene, _, rest = text.partition(" ")
    if scene == "steadily":
        return "".join(map(_word, range(int(rest.split()[1]))))
    if scene in SAID:
        return SAID[scene]
    if scene in {"say", "slowly", "quickly"}:
        return {"say": rest, "slowly": SLOW, "quickly": QUICK}[scene]
    return SHORT_ZH if any(character > "\u3400" for character in text) else SHORT


def _final(call: Call, answer: str, count: int) -> Final:
    scene = call.text.partition(" ")[0]
    metadata = Metadata(
        processing_time_ms=212,
        activated_experts=2,
        input_tokens=71,
        output_tokens=count,
        model="sight-nano",
        task=call.task.name,
        lane="A",
        finish_reason="length" if scene == "long" else "stop",
        first_token_ms=31,
        receipts=tuple(_receipt(index, source) for index, source in enumerate(call.sources)),
    )
    final = Final(answer=answer, metadata=metadata, confidence=0.9412, request_id=call.request_id, structured=STRUCTURED.get(scene))
    blurry = Notice("blurry", Bilingual("图片模糊", "The picture is blurry"), Bilingual("请拿稳相机", "Hold the camera still"), input=0)
    simulated = Notice("simulated", Bilingual("这是模拟引擎的回答", "A simulated engine answered, not a model"))
    degraded = Degraded(requested="sight-large", served="sight-nano", reason="overloaded")
    language = call.caller.language
    scenes: dict[str, dict[str, Any]] = {
        "unsure": {"confidence": 0.41},
        "unknown": {"confidence": None},
        "warn": {"warnings": (blurry.show(language),)},
        "simulated": {"warnings": (simulated.show(language),), "metadata": altered(metadata, model="fake")},
        "lighter": {"code": 2001, "metadata": altered(metadata, degraded=degraded)},
    }
    return altered(final, **scenes.get(scene, {}))


def _receipt(index: int, source: Any) -> Receipt:
    """What the media gate would say of a data URI of a picture; an address is taken for a photo."""
    width, height, kind, size = 4032, 3024, "jpeg", 2_400_000
    content = base64.b64decode(source.partition(",")[2]) if isinstance(source, str) and source.startswith("data:") else b""
    common = {"index": index, "sha256": "9f" * 32, "visual_tokens": 48, "sent_width": 256, "sent_height": 192, "ms": 2.1}
    if not isinstance(source, str):
        pages = {"pages": tuple(range(1, PAGES + 1)), "page_count": PAGES}
        return Receipt(kind="document", format="pdf", bytes=90_000, original_width=595, original_height=842, **pages, **common)
    if content.startswith(b"\x1aE\xdf\xa3"):
        seen = {"seconds": 4.0, "timestamps": tuple(half / 2 for half in range(8))}
        return Receipt(kind="video", format="webm", bytes=len(content), original_width=192, original_height=128, **seen, **common)
    if content:
        with Image.open(io.BytesIO(content)) as image:
            width, height, kind, size = image.width, image.height, (image.format or "").lower(), len(content)
    return Receipt(kind="image", format=kind, bytes=size, original_width=width, original_height=height, changes=("resized",), **common)


PAGES = 5
"""Of every document."""


class Shelf:
    """Uploads in memory, and their pages: stands in for the file store and the media gate."""

    version = "shelf"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.count = 0
        self.drawn: list[int] = []

    async def put(self, content: AsyncIterator[bytes], tenant: str) -> StoredFile:
        self.count += 1
        file_id = f"file_{self.count}"
        self.files[file_id] = b"".join([piece async for piece in content])
        return StoredFile(file_id, len(self.files[file_id]), 2_000_000_000)

    async def get(self, file_id: str, tenant: str) -> bytes | None:
        return self.files.get(file_id)

    async def delete(self, file_id: str, tenant: str) -> bool:
        return self.files.pop(file_id, None) is not None

    async def probe(self, sources: Sequence[Any], policy: MediaPolicy, caller: Caller) -> list[Picture]:
        if sources[0].file_id not in self.files:
            raise errors.MalformedRequest("images[0].file_id", Bilingual("没有这个文件", "there is no such file"))
        return [Picture(0, "document", pages=PAGES)]

    async def load(
        self, probed: Picture, view: View, *, lane: LaneName, crop: Crop | None = None, pages: Sequence[int] | None = None
    ) -> Loaded:
        assert pages
        self.drawn.append(pages[0])
        receipt = Receipt(0, "document", "pdf", "9f" * 32, 1, 595, 842, 424, 600, 1)
        return Loaded("document", (Frame(results.page_picture(pages[0]), "image/jpeg", 424, 600, 1, digest="9f"),), receipt)


class Engine:
    """A backend that only says whether it is there."""

    name = "scripted"
    info = replace(INFO, name="sight-nano")

    def __init__(self) -> None:
        self.up = True

    def ready(self) -> bool:
        return self.up


LANES: tuple[LaneName, ...] = ("A", "B", "C")


class SteadyClock:
    """For lanes that are made before there is a loop."""

    def now(self) -> float:
        return time.monotonic()


class Books:
    """Keys, their use and the audit log of a service, as the console shows them. `meter` and `lanes` are the running service's."""

    def __init__(self) -> None:
        self.lanes: dict[LaneName, Lane] = {}
        self.meter = Metrics({})
        self.whole = True
        self.asked: list[tuple[str, str]] = []

    def keys(self) -> list[KeyRow]:
        made = {"tenant": "acme", "created_at": 1_790_000_000}
        return [
            KeyRow(
                id="key_1",
                prefix="sl-abc123",
                name="the web shop",
                state="valid",
                expires_at=1_900_000_000,
                admin=False,
                only=["vqa"],
                limits={"requests_per_minute": 1200},
                **made,
            ),
            KeyRow(id="key_2", prefix="sl-def456", name="operator", state="valid", expires_at=None, admin=True, only=[], limits={}, **made),
            KeyRow(
                id="key_3", prefix="sl-old789", name="last year", state="revoked", expires_at=None, admin=False, only=[], limits={}, **made
            ),
        ]

    def usage(self, since: str, until: str) -> list[UseRow]:
        self.asked.append((since, until))
        row = UseRow(
            day="2026-11-21",
            key_id="key_1",
            name="the web shop",
            task="vqa",
            requests=1432,
            failed=3,
            input_tokens=310_240,
            output_tokens=22_001,
        )
        return [row] if since <= row.day <= until else []

    def usage_csv(self, since: str, until: str) -> str:
        return "day,key_id\r\n2026-11-21,key_1\r\n"

    def audit(self) -> AuditState:
        lost = AuditFinding("20261122T101500-1.head", 3, Bilingual("一条记录被改动", "an entry was changed"))
        return AuditState(entries=12, chains=2, findings=() if self.whole else (lost,))

    def bustle(self) -> None:
        """A quarter of an hour in lane A, at once."""
        for hundredths in range(10, 60):
            self.meter.first_token("A", hundredths / 100)
        lane = self.lanes["A"]
        for _ in range(5):
            lane.enter(Claim(100, SteadyClock().now() + 1e6, 30_000))
        self.meter.refused("vqa", "A", 2001)
        self.meter.refused("vqa", None, 4003)


@contextmanager
def serve(service: ScriptedService, engine: Engine, shelf: Shelf, prefix: str = "", books: Books | None = None) -> Iterator[str]:
    """The address of the service, with a trailing slash, while the block runs."""
    books = books or Books()
    stand_in: Any = service
    backend: Any = engine
    kept: Any = shelf
    lanes = {name: Lane(name, LaneLimits(slots=3, waiting=8), SteadyClock()) for name in LANES}
    metrics = Metrics(lanes, engines=lambda: [EngineState("scripted", engine.ready(), 1)])
    books.lanes, books.meter = lanes, metrics
    app = create_app(
        inference=stand_in,
        pool=OnePool(backend),
        metrics=metrics,
        clock=Wall(),
        ids=Numbers(),
        files=kept,
        media=kept,
        face=Face(root_path=prefix),
        premises=Premises(lanes, books, books.audit),
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}{prefix}/"
    finally:
        server.should_exit = True
        thread.join(5)
