"""Scripted stand-ins for the service's ports, for unit tests alone."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from sightline.prompt import Delta, Frame, Prompt, TokenLogprob, Usage, View
from sightline.protocol.events import Final
from sightline.protocol.receipts import Kind, Receipt
from sightline.protocol.requests import InferRequest, Media
from sightline.service.calls import Call, understand
from sightline.service.infer import Inference, Ports
from sightline.service.lanes import Lane, LaneLimits
from sightline.service.ports import AnswerCache, Backend, Calibrators, Caller, Crop, Loaded, MediaPolicy, ModelInfo
from sightline.service.vision import fit, visual_tokens
from sightline.tasks.base import Lane as LaneName

VIEW = View(min_pixels=1024, max_pixels=65536, encoding="png")
INFO = ModelInfo(name="scripted", view=VIEW, max_view_pixels=262144, context_tokens=4096, experts=8, active_experts=2)


class Wall:
    """The clock that the loop goes by, in every thread."""

    def now(self) -> float:
        return time.monotonic()


class Numbers:
    """Request ids 1, 2, 3."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def request_id(self) -> str:
        return f"req_{next(self._count)}"


@dataclass
class Journal:
    """A meter, and a diary in which every double writes what was asked of it, in order."""

    lines: list[str] = field(default_factory=list)

    def first_token(self, lane: LaneName, seconds: float) -> None:
        self.lines.append("first token")

    def answered(self, final: Final, seconds: float) -> None:
        self.lines.append("answered")

    def refused(self, task: str, lane: LaneName | None, code: int) -> None:
        self.lines.append(f"refused {code}")

    def left(self, task: str, lane: LaneName | None) -> None:
        self.lines.append("left")

    def prepared(self, stage: str, seconds: float) -> None:
        pass

    def generated(self, lane: LaneName, waited: float, held: float, between: float | None) -> None:
        pass


@dataclass(frozen=True)
class Picture:
    """A probed input of a given kind and size."""

    index: int
    kind: Kind = "image"
    width: int = 64
    height: int = 64
    format: str = "png"
    sha256: str = "0" * 64
    pages: int = 1
    seconds: float | None = None

    def visual_tokens(self, view: View) -> int:
        return visual_tokens(self.width, self.height, view)


class ScriptedGate:
    """Sees in each source whatever `kinds` says, an image by default."""

    version = "scripted"

    def __init__(self, journal: Journal, kinds: dict[str, Kind] | None = None, error: Exception | None = None) -> None:
        self.journal = journal
        self.kinds = kinds or {}
        self.error = error

    async def probe(self, sources: Sequence[Media], policy: MediaPolicy, caller: Caller) -> Sequence[Picture]:
        self.journal.lines.append("probe")
        if self.error:
            raise self.error
        return [Picture(index, self.kinds.get(str(source), "image")) for index, source in enumerate(sources)]

    async def load(
        self, probed: Picture, view: View, *, lane: LaneName, crop: Crop | None = None, pages: Sequence[int] | None = None
    ) -> Loaded:
        self.journal.lines.append("load")
        shown = (crop.right - crop.left, crop.bottom - crop.top) if crop else (probed.width, probed.height)
        width, height = fit(*shown, view)
        tokens = visual_tokens(*shown, view)
        frame = Frame(b"pixels", "image/png", width, height, tokens, digest=f"{probed.index}")
        receipt = Receipt(probed.index, probed.kind, probed.format, probed.sha256, 6, probed.width, probed.height, width, height, tokens)
        return Loaded(probed.kind, (frame,), receipt)


class ScriptedBackend:
    """Says the given words, one delta each, with a pause before each."""

    def __init__(self, words: Sequence[str] = ("hel", "lo"), *, journal: Journal) -> None:
        self.name = "scripted"
        self.words = words
        self.journal = journal
        self.prompts: list[Prompt] = []
        self.started = 0
        self.closed = 0
        self.said = 0
        self.failures: list[Exception | None] = []
        """What each start meets, in order: an exception before the first word, or None."""
        self.pause: float = 0.0
        self.info: ModelInfo | None = INFO

    def ready(self) -> bool:
        return True

    async def wait_ready(self, seconds: float) -> bool:
        return True

    async def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        self.journal.lines.append("generate")
        self.prompts.append(prompt)
        self.started += 1
        try:
            failure = self.failures.pop(0) if self.failures else None
            if failure:
                raise failure
            for word in self.words:
                await asyncio.sleep(self.pause)
                self.said += 1
                yield Delta(word, (TokenLogprob(word, -0.1),))
            yield Delta(finish="stop", usage=Usage(7, len(self.words)))
        finally:
            self.closed += 1


class OnePool:
    """The same backend for every lane, and the same lighter ones."""

    def __init__(self, *backends: Backend) -> None:
        self.backends = backends
        self.spare: Sequence[Backend] = ()

    def lighter(self, lane: LaneName) -> Sequence[Backend]:
        return self.spare

    def routes(self) -> Mapping[str, Sequence[Backend]]:
        return {}

    def candidates(self, lane: LaneName, model: str | None, task: str | None = None) -> Sequence[Backend]:
        return self.backends

    def models(self) -> Sequence[ModelInfo]:
        return [backend.info for backend in self.backends if backend.info]


@dataclass
class Bench:
    """A whole service out of doubles."""

    words: Sequence[str] = ("hel", "lo")
    kinds: dict[str, Kind] = field(default_factory=dict)
    limits: LaneLimits = field(default_factory=LaneLimits)
    cache: AnswerCache | None = None
    calibrators: Calibrators | None = None

    def __post_init__(self) -> None:
        self.journal = Journal()
        self.clock = Wall()
        self.gate = ScriptedGate(self.journal, self.kinds)
        self.backend = ScriptedBackend(self.words, journal=self.journal)
        names: tuple[LaneName, ...] = ("A", "B", "C")
        self.lanes = {name: Lane(name, self.limits, self.clock) for name in names}
        self.pool = OnePool(self.backend)
        self.ports = Ports(
            media=self.gate, pool=self.pool, clock=self.clock, meter=self.journal, cache=self.cache, calibrators=self.calibrators
        )
        self.relief = {name: Lane(name, self.limits, self.clock) for name in names}
        self.inference = Inference(self.ports, self.lanes, self.relief)

    def call(self, request: InferRequest | None = None, *, request_id: str = "req_t", caller: Caller | None = None) -> Call:
        request = request or InferRequest(task="vqa", images=["a"], text="what is this?")
        return understand(request, caller or Caller(), request_id, self.clock.now())
