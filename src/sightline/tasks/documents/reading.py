"""One page read by a generation of its own, and all pages side by side. A page that cannot be read is told and sinks no other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from sightline.protocol.errors import BackendUnavailable, DamagedMedia, Error, Internal, MalformedRequest, TooLarge
from sightline.protocol.events import Progress
from sightline.tasks.aligned import Transcript
from sightline.tasks.base import Context, Render
from sightline.tasks.documents.pages import Page
from sightline.tasks.parallel import side_by_side
from sightline.tasks.transcribe import transcribe

AT_ONCE = 4
"""Pages under way at a time: one is written while the next ones are decoded. How many really run is up to the lane's slots."""
_OF_ONE_PAGE = (BackendUnavailable, DamagedMedia, Internal, MalformedRequest, TooLarge)
"""What may be wrong with a single page. Time that is over and content that is refused concern the whole document."""
_ENGINE_GONE = 3
"""So many pages in a row without an engine, and it is not the pages."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one page said, `cut` where it was ended early. `error` is set, and nothing else, where it could not be read."""

    page: Page
    text: str = ""
    transcript: Transcript | None = None
    cut: bool = False
    error: Error | None = None

    @property
    def score(self) -> float | None:
        """The prose's, 0..1; None where it is not known."""
        return self.transcript.prose() if self.transcript else None


async def read_pages(ctx: Context, pages: Sequence[Page], ask: Render, *, stage: str = "pages") -> AsyncGenerator[Progress | Reading]:
    """Reads every page: a `Reading` for each as soon as it is done, and how many are at this `stage`, beginning with none.

    Raises what concerns the whole document, and the first page's error where no page could be read.
    """

    async def read(page: Page) -> Reading:
        try:
            written = await transcribe(ctx, ask, page.look)
        except _OF_ONE_PAGE as error:
            return Reading(page, error=error)
        return Reading(page, written.text.strip(), written.transcript, written.cut)

    done, engine_gone = 0, 0
    failures: list[Error] = []
    yield Progress(stage=stage, done=0, total=len(pages))
    async with aclosing(side_by_side([lambda page=page: read(page) for page in pages], AT_ONCE)) as outcomes:
        async for _, reading in outcomes:
            done += 1
            engine_gone = engine_gone + 1 if isinstance(reading.error, BackendUnavailable) else 0
            if reading.error is not None:
                failures.append(reading.error)
                if engine_gone == _ENGINE_GONE:
                    raise reading.error
                if len(failures) == len(pages):
                    raise failures[0]
            yield reading
            yield Progress(stage=stage, done=done, total=len(pages))
