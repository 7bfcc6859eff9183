"""One answer as it is written: followed piece by piece, with the place of every token, and stopped once it goes round in circles."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec.structs import replace

from sightline.prompt import Delta
from sightline.protocol.receipts import Notice
from sightline.tasks.aligned import Transcript
from sightline.tasks.loops import REPETITION, Loop


class Written:
    """What a model wrote: its text, its tokens, and whether it was ended before it came to its own end."""

    def __init__(self) -> None:
        self.transcript = Transcript()
        self._loop = Loop()
        self.told = ""
        """What was passed on of it, all pieces together."""

    async def follow(self, deltas: AsyncGenerator[Delta]) -> AsyncGenerator[Delta]:
        """Passes on what has text, until the end or the first repetition without end; closes the generation. Raises what it raises."""
        async with aclosing(deltas):
            async for delta in deltas:
                if (piece := self.add(delta)) is not None:
                    yield piece
                if self.circles:
                    return

    def add(self, delta: Delta) -> Delta | None:
        """Goes on with what came now; what of it is to be passed on."""
        self.transcript.add(delta)
        if not delta.text:
            return None
        if not self._loop.add(delta.text):
            self.told += delta.text
            return delta
        # What was told cannot be taken back; of what comes now, only what is no repetition is told.
        fresh = self.transcript.text[len(self.told) : self._loop.start]
        self.told += fresh
        return replace(delta, text=fresh, logprobs=None) if fresh else None

    @property
    def circles(self) -> bool:
        """Whether it goes round in circles: nothing more of it is worth waiting for."""
        return self._loop.start is not None

    @property
    def text(self) -> str:
        """Without what it merely repeated."""
        return self.transcript.text[: self._loop.start]

    @property
    def cut(self) -> bool:
        return self.circles or self.transcript.finish == "length"

    @property
    def finish(self) -> str:
        """`stop` or `length`."""
        return "length" if self.cut else "stop"

    @property
    def notices(self) -> tuple[Notice, ...]:
        return (REPETITION,) if self.circles else ()
