"""A service that answers as the question says, behind the real HTTP face: what the page shows is then known exactly.

The question chooses the scene: `error 2001` is refused, `break 5001` fails after two words, `cut` ends without an end,
`say X` is answered with X, `slowly` and `quickly` set the pace; `unsure`, `unknown`, `warn`, `lighter`, `simulated` and
`long` colour the answer.
"""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import uvicorn
from msgspec.structs import replace as altered
from PIL import Image

from sightline.protocol import errors
from sightline.protocol.events import Accepted, Degraded, Event, Final, Metadata, Token
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice, Receipt
from sightline.server.app import Face, create_app
from sightline.server.metrics import Metrics
from sightline.service.calls import Call
from tests.doubles import INFO, Numbers, OnePool, Wall

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


def _answer(text: str) -> str:
    scene, _, rest = text.partition(" ")
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
    final = Final(answer=answer, metadata=metadata, confidence=0.9412, request_id=call.request_id)
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
    if isinstance(source, str) and source.startswith("data:"):
        content = base64.b64decode(source.partition(",")[2])
        with Image.open(io.BytesIO(content)) as image:
            width, height, kind, size = image.width, image.height, (image.format or "").lower(), len(content)
    return Receipt(
        index=index,
        kind="image",
        format=kind,
        sha256="9f" * 32,
        bytes=size,
        original_width=width,
        original_height=height,
        sent_width=256,
        sent_height=192,
        visual_tokens=48,
        changes=("resized",),
        ms=2.1,
    )


class Engine:
    """A backend that only says whether it is there."""

    name = "scripted"
    info = replace(INFO, name="sight-nano")

    def __init__(self) -> None:
        self.up = True

    def ready(self) -> bool:
        return self.up


@contextmanager
def serve(service: ScriptedService, engine: Engine, prefix: str = "") -> Iterator[str]:
    """The address of the service, with a trailing slash, while the block runs."""
    stand_in: Any = service
    backend: Any = engine
    unused: Any = None
    app = create_app(
        inference=stand_in,
        pool=OnePool(backend),
        metrics=Metrics({}),
        clock=Wall(),
        ids=Numbers(),
        files=unused,
        media=unused,
        face=Face(root_path=prefix),
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
