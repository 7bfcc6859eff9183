"""One page read by a generation of its own, and all pages side by side. A page that cannot be read is told and sinks no other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from sightline.prompt import Prompt, TokenLogprob
from sightline.protocol.errors import BackendUnavailable, DamagedMedia, Error, Internal, MalformedRequest, TooLarge
from sightline.protocol.events import Progress
from sightline.tasks.base import Context, Utterance
from sightline.tasks.confidence import Score
from sightline.tasks.documents.pages import Page
from sightline.tasks.parallel import side_by_side

AT_ONCE = 4
"""Pages under way at a time: one is written while the next ones are decoded. How many really run is up to the lane's slots."""
_OF_ONE_PAGE = (BackendUnavailable, DamagedMedia, Internal, MalformedRequest, TooLarge)
"""What may be wrong with a single page. Time that is over and content that is refused concern the whole document."""
_ENGINE_GONE = 3
"""So many pages in a row without an engine, and it is not the pages."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one page said. `error` is set, and `text` empty, where it could not be read; `score` is the prose's, 0..1 or None."""

    page: Page
    text: str = ""
    score: float | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    finish: str = "stop"
    error: Error | None = None


Ask = Callable[[Sequence[Utterance]], Prompt]


async def read_pages(ctx: Context, pages: Sequence[Page], ask: Ask) -> AsyncGenerator[Progress | Reading]:
    """Reads every page: a `Reading` for each as soon as it is done, and how many are, beginning with none.

    Raises what concerns the whole document, and the first page's error where no page could be read.
    """

    async def read(page: Page) -> Reading:
        try:
            return await _read(ctx, page, ask)
        except _OF_ONE_PAGE as error:
            return Reading(page, error=error)

    done, engine_gone = 0, 0
    failures: list[Error] = []
    yield Progress(stage="pages", done=0, total=len(pages))
    async with aclosing(side_by_side([lambda page=page: read(page) for page in pages], AT_ONCE)) as outcomes:
        async for _, reading in outcomes:
            done += 1
            engine_gone = engine_gone + 1 if isinstance(reading.error, BackendUnavailable) else 0
            if reading.error is not None:
                failures.append(reading.error)
                if engine_gone == _ENGINE_GONE or len(failures) == len(pages):
                    raise failures[0] if engine_gone < _ENGINE_GONE else reading.error
            yield reading
            yield Progress(stage="pages", done=done, total=len(pages))


async def _read(ctx: Context, page: Page, ask: Ask) -> Reading:
    text: list[str] = []
    tokens: list[TokenLogprob] | None = []
    score, finish = Score(), "stop"
    async with aclosing(ctx.generate(ask, page.look)) as deltas:
        async for delta in deltas:
            score.add(delta)
            text.append(delta.text)
            finish = delta.finish or finish
            if delta.text and tokens is not None:
                tokens = None if delta.logprobs is None else [*tokens, *delta.logprobs]
    return Reading(page, "".join(text).strip(), score.prose(), None if tokens is None else tuple(tokens), finish)
