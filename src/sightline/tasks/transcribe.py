"""One generation read to its end, for tasks that work on the whole of an answer."""

from __future__ import annotations

from contextlib import aclosing

from sightline.tasks.base import Context, Look, Render
from sightline.tasks.writing import Written


async def transcribe(ctx: Context, render: Render, *looks: Look) -> Written:
    """A generation that nobody follows. Raises what the context's `generate` raises."""
    written = Written()
    async with aclosing(written.follow(ctx.generate(render, *looks))) as pieces:
        async for _ in pieces:
            pass
    return written
