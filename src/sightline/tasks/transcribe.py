"""One generation read to its end, for tasks that work on the whole of an answer."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass

from sightline.protocol.receipts import Notice
from sightline.tasks.aligned import Transcript
from sightline.tasks.base import Context, Look, Render
from sightline.tasks.loops import REPETITION, Loop


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote: its text, without what it merely repeated, and where each token stands in it."""

    text: str
    transcript: Transcript
    cut: bool
    """Whether it was ended before it came to its own end."""
    notices: tuple[Notice, ...] = ()


async def transcribe(ctx: Context, render: Render, *looks: Look, bare: bool = False) -> Written:
    """Generates, and stops an answer that goes round in circles. Raises what the context's `generate` raises."""
    transcript, loop = Transcript(), Loop()
    async with aclosing(ctx.generate(render, *looks, bare=bare)) as deltas:
        async for delta in deltas:
            transcript.add(delta)
            if loop.add(delta.text):
                break
    text = transcript.text[: loop.start]
    looped = loop.start is not None
    return Written(text, transcript, looped or transcript.finish == "length", (REPETITION,) if looped else ())
