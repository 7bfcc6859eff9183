"""A generation handed from the task that drives the engine to the reader, who may be slow.

The engine's side never waits: what has not been read yet is merged into one delta, so that tokens which arrive together
leave together and the engine's slot is free as soon as it is done. What is held is bounded by the generation's max_tokens.
"""

from __future__ import annotations

import asyncio

from sightline.prompt import Delta, TokenLogprob


class Relay:
    """One writer, one reader."""

    def __init__(self) -> None:
        self._pending: list[Delta] = []
        self._changed = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None
        self.touched = False
        """Whether anything was ever put: after that an engine's failure cannot be hidden by asking again."""

    def put(self, delta: Delta) -> None:
        self.touched = True
        self._pending.append(delta)
        self._changed.set()

    def end(self, error: BaseException | None = None) -> None:
        """No more deltas; the reader gets what is pending, then the error if there is one."""
        self._ended, self._error = True, error
        self._changed.set()

    async def get(self) -> Delta | None:
        """All that is pending as one delta; None at the end. Raises the error that ended the generation."""
        await self._changed.wait()
        if self._pending:
            merged = merge(self._pending)
            self._pending = []
            if not self._ended:
                self._changed.clear()
            return merged
        if self._error is not None:
            raise self._error
        return None


def merge(deltas: list[Delta]) -> Delta:
    """Several deltas as one: texts joined, log-probabilities in order (unknown as soon as one text's are), last finish and usage."""
    if len(deltas) == 1:
        return deltas[0]
    known = all(delta.logprobs is not None for delta in deltas if delta.text)
    tokens: list[TokenLogprob] = []
    for delta in deltas:
        tokens.extend(delta.logprobs or ())
    return Delta(
        text="".join(delta.text for delta in deltas),
        logprobs=tuple(tokens) if known else None,
        reasoning="".join(delta.reasoning for delta in deltas),
        finish=next((delta.finish for delta in reversed(deltas) if delta.finish), None),
        usage=next((delta.usage for delta in reversed(deltas) if delta.usage), None),
        experts=next((delta.experts for delta in reversed(deltas) if delta.experts), None),
    )
