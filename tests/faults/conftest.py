"""A whole service around an engine that a test can break, and a real model that never stops talking by itself."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import gguf
import msgspec
import pytest

from sightline.backends.pool import Engine, FixedPool
from sightline.media.gate import Gate
from sightline.media.settings import MediaSettings
from sightline.protocol.errors import Error
from sightline.protocol.events import Event, Final, Token
from sightline.protocol.requests import InferRequest
from sightline.server.metrics import Metrics
from sightline.service.calls import Call, understand
from sightline.service.infer import Inference, Ports
from sightline.service.lanes import Lane, LaneLimits
from sightline.service.ports import Caller
from sightline.tasks.base import Lane as LaneName
from tests.doubles import Wall
from tests.pictures import RED, data_uri, png


@dataclass
class Heard:
    """What one caller got: the words, then the final event or the error."""

    words: str
    final: Final | None
    error: Error | None

    @property
    def code(self) -> int:
        assert (self.final is None) != (self.error is None)
        return self.final.code if self.final else self.error.code if self.error else -1


class Service:
    """The one path with real media, real lanes and the given engines."""

    def __init__(self, engines: list[Engine], lighter: list[Engine], limits: LaneLimits, media: Gate) -> None:
        self.clock = Wall()
        names: tuple[LaneName, ...] = ("A", "B", "C")
        self.lanes = {name: Lane(name, limits, self.clock) for name in names}
        self.relief = {name: Lane(name, limits, self.clock) for name in names}
        self.pool = FixedPool(dict.fromkeys(names, engines), dict.fromkeys(names, lighter))
        self.metrics = Metrics(self.lanes)
        self.inference = Inference(Ports(media=media, pool=self.pool, clock=self.clock, meter=self.metrics), self.lanes, self.relief)

    def call(self, image: str = RED, **options: object) -> Call:
        given = msgspec.Raw(msgspec.json.encode({"cache": "off", **options}))
        request = InferRequest(task="vqa", images=[image], text="What is it?", options=given)
        return understand(request, Caller(), "req_t", self.clock.now())

    def stream(self, call: Call | None = None) -> AsyncGenerator[Event]:
        return self.inference.stream(call or self.call())

    async def ask(self, call: Call | None = None, *, speaking: asyncio.Event | None = None) -> Heard:
        """One call from beginning to end; `speaking` is set at its first word."""
        words: list[str] = []
        final: Final | None = None
        try:
            async for event in self.stream(call):
                if isinstance(event, Token):
                    words.append(event.token)
                    if speaking:
                        speaking.set()
                elif isinstance(event, Final):
                    final = event
        except Error as error:
            return Heard("".join(words), None, error)
        return Heard("".join(words), final, None)

    @property
    def idle(self) -> bool:
        return all(
            (lane.running, lane.expected, lane.expected_tokens) == (0, 0, 0) for lane in (*self.lanes.values(), *self.relief.values())
        )


@asynccontextmanager
async def service(*engines: Engine, lighter: list[Engine] | None = None, limits: LaneLimits | None = None) -> AsyncGenerator[Service]:
    """A running service; its engines are started and closed with it."""
    async with Gate(MediaSettings(), Wall(), shares={"A": 1, "B": 1, "C": 1}) as media:
        running = Service(list(engines), lighter or [], limits or LaneLimits(), media)
        await running.pool.start()
        try:
            yield running
        finally:
            await running.pool.close()


def colour(number: int) -> str:
    """A picture of its own for each number."""
    return data_uri(png(64, 64, (number % 256, number // 256 % 256, 128)))


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model with its end-of-turn tokens renamed, so that it talks until it is stopped or max_tokens."""
    models = Path(str(resources.files("sightline.models")))
    if not (models / "sight-nano.gguf").exists():
        pytest.skip("the bundled model is not part of this checkout")
    folder = tmp_path_factory.mktemp("endless")
    path = folder / "endless.gguf"
    content = (models / "sight-nano.gguf").read_bytes()
    # In the token list and in the chat template alike, at the same length: llama.cpp knows such tokens by their names.
    path.write_bytes(content.replace(b"<|im_end|>", b"<|im_xxx|>").replace(b"<|endoftext|>", b"<|endoftexx|>"))
    shutil.copy(models / "sight-nano-mmproj.gguf", folder / "endless-mmproj.gguf")
    reader = gguf.GGUFReader(path, "r+")
    unused = reader.fields["tokenizer.ggml.tokens"].contents().index("<|video_pad|>")
    end = reader.fields["tokenizer.ggml.eos_token_id"]
    end.parts[end.data[0]][0] = unused
    reader.data.flush()
    return path
