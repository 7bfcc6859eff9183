"""A document for the tests of tasks: pages that say what a test wrote on them, to a model that reads nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sightline.prompt import Delta, Frame, Prompt, TokenLogprob, Usage, View
from sightline.protocol.errors import DamagedMedia
from sightline.protocol.events import Event
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Kind, Receipt
from sightline.protocol.requests import InferRequest, Media
from sightline.service.ports import Caller, Crop, Loaded, MediaPolicy
from sightline.tasks.base import Lane
from tests.doubles import Bench, Picture, ScriptedBackend, ScriptedGate


@dataclass(frozen=True)
class Written:
    """One input: an image, or the pages of a document; a page that holds None is damaged."""

    pages: Sequence[str | None]
    kind: Kind = "document"


class Shelf(ScriptedGate):
    """Hands out documents by their names, page by page."""

    documents: Mapping[str, Written]

    def __init__(self, bench: Bench, documents: Mapping[str, Written]) -> None:
        super().__init__(bench.journal)
        self.documents = documents
        self.sources: Sequence[Media] = ()
        self.held = 0
        self.most_held = 0

    async def probe(self, sources: Sequence[Media], policy: MediaPolicy, caller: Caller) -> Sequence[Picture]:
        self.sources = sources
        found = [self.documents[str(source)] for source in sources]
        return [Picture(index, item.kind, pages=len(item.pages)) for index, item in enumerate(found)]

    async def load(
        self, probed: Picture, view: View, *, lane: Lane, crop: Crop | None = None, pages: Sequence[int] | None = None
    ) -> Loaded:
        self.held += 1
        self.most_held = max(self.most_held, self.held)
        await asyncio.sleep(0)
        written = self.documents[str(self.sources[probed.index])].pages
        numbers = list(pages or range(1, len(written) + 1))
        frames: list[Frame] = []
        for number in numbers:
            said = written[number - 1]
            if said is None:
                self.held -= 1
                raise DamagedMedia(probed.index, "PDF", Bilingual("数据不完整", "its data is not complete"))
            page = number if probed.kind == "document" else None
            frames.append(Frame(said.encode(), "image/png", 32, 32, 1, digest=said, page=page))
        seen = tuple(numbers) if probed.kind == "document" else ()
        receipt = Receipt(probed.index, probed.kind, "pdf", probed.sha256, 6, 64, 64, 32, 32, 1, pages=seen)
        return Loaded(probed.kind, tuple(frames), receipt)


class Reader(ScriptedBackend):
    """Answers with what stands on the page that it sees; without a page, with `reply`."""

    def __init__(self, bench: Bench, shelf: Shelf, reply: str = "") -> None:
        super().__init__((), journal=bench.journal)
        self.shelf = shelf
        self.reply = reply
        self.answer: Callable[[Prompt], str] | None = None
        """What it says to a prompt, where a test decides that."""

    async def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        self.prompts.append(prompt)
        self.started += 1
        try:
            said = self.answer(prompt) if self.answer else " ".join(frame.data.decode() for frame in prompt.frames) or self.reply
            self.shelf.held -= bool(prompt.frames)
            for word in said.split(" "):
                await asyncio.sleep(self.pause)
                piece = word if word == said.split(" ")[0] else f" {word}"
                yield Delta(piece, (TokenLogprob(piece, -0.1),))
            yield Delta(finish="stop", usage=Usage(7, 3))
        finally:
            self.closed += 1


def library(documents: Mapping[str, Written], reply: str = "", bench: Bench | None = None) -> tuple[Bench, Reader]:
    """A service over these documents, and the model that reads them."""
    bench = bench or Bench()
    shelf = Shelf(bench, documents)
    reader = Reader(bench, shelf, reply)
    bench.gate, bench.backend = shelf, reader
    bench.pool.backends = (reader,)
    bench.ports = replace(bench.ports, media=shelf)
    bench.inference = type(bench.inference)(bench.ports, bench.lanes, bench.relief)
    return bench, reader


async def ask(bench: Bench, request: InferRequest) -> list[Event]:
    return [event async for event in bench.inference.stream(bench.call(request))]
