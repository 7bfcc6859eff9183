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
        self._waiting: asyncio.Future[None] | None = None
        """Of the reader, once it has had all there is."""
        self._ended = False
        self._error: BaseException | None = None
        self.touched = False
        """Whether anything was ever put: after that an engine's failure cannot be hidden by asking again."""

    def put(self, delta: Delta) -> None:
        self.touched = True
        self._pending.append(delta)
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """No more deltas; the reader gets what is pending, then the error if there is one."""
        self._ended, self._error = True, error
        self._wake()

    async def get(self) -> Delta | None:
        """All that is pending as one delta; None at the end. Raises the error that ended the generation."""
        while not self._pending:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        pending, self._pending = self._pending, []
        return merge(pending)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def merge(deltas: list[Delta]) -> Delta:
    """Several deltas as one: texts joined, log-probabilities in order (unknown as soon as one text's are), last finish and usage."""
    if len(deltas) == 1:
        return deltas[0]
    text: list[str] = []
    reasoning: list[str] = []
    tokens: list[TokenLogprob] = []
    known = True
    finish, usage, experts = None, None, None
    for delta in deltas:
        text.append(delta.text)
        reasoning.append(delta.reasoning)
        known = known and (delta.logprobs is not None or not delta.text)
        tokens.extend(delta.logprobs or ())
        finish, usage, experts = delta.finish or finish, delta.usage or usage, delta.experts or experts
    return Delta("".join(text), tuple(tokens) if known else None, "".join(reasoning), finish, usage, experts)
