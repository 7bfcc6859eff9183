"""One generation read to its end, for tasks that work on the whole of an answer; an answer that goes round in circles is stopped."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sightline.protocol.receipts import Notice
from sightline.tasks.aligned import Transcript
from sightline.tasks.base import Context, Look, Render, Said
from sightline.tasks.loops import REPETITION, Loop


class Written:
    """What a model wrote: its text, the place of every token in it, and whether it was ended before it came to its own end."""

    def __init__(self) -> None:
        self.transcript = Transcript()
        self._loop = Loop()

    async def follow(self, ctx: Context, render: Render, *looks: Look) -> AsyncGenerator[Said]:
        """Generates, and tells it as it comes. Raises what the context's `generate` raises."""
        async with aclosing(ctx.generate(render, *looks)) as deltas:
            async for delta in deltas:
                self.transcript.add(delta)
                if delta.text:
                    yield Said(delta.text, delta.logprobs)
                if self._loop.add(delta.text):
                    return

    @property
    def told(self) -> str:
        """All of it."""
        return self.transcript.text

    @property
    def text(self) -> str:
        """Without what it merely repeated."""
        return self.transcript.text[: self._loop.start]

    @property
    def cut(self) -> bool:
        return self._loop.start is not None or self.transcript.finish == "length"

    @property
    def notices(self) -> tuple[Notice, ...]:
        return (REPETITION,) if self._loop.start is not None else ()


async def transcribe(ctx: Context, render: Render, *looks: Look) -> Written:
    """A generation that nobody follows. Raises what the context's `generate` raises."""
    writing = Written()
    async with aclosing(writing.follow(ctx, render, *looks)) as pieces:
        async for _ in pieces:
            pass
    return writing
