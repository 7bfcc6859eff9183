"""Which tokens wrote which characters: an answer's text with the place of every token, so that a part of it has a confidence.

Engines tell tokens as text, one after the other; together they are the answer. Where a character is made of several tokens,
their texts are broken and do not stand in the answer: such a token gets an empty place at the character that it helped to
write, and what follows is found again.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from sightline.prompt import Delta, TokenLogprob

_BROKEN = "\ufffd"
_NEAR = 12
"""Characters within which a token that does not follow directly is looked for."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A token that wrote `text[start:end]`."""

    start: int
    end: int
    logprob: float


class Transcript:
    """Gathers one generation as its deltas come."""

    def __init__(self) -> None:
        self.text = ""
        self._tokens: list[TokenLogprob] = []
        self._known = True
        self._placed: tuple[Placed, ...] | None = None
        self.finish = "stop"

    def add(self, delta: Delta) -> None:
        self.text += delta.text
        self.finish = delta.finish or self.finish
        if delta.logprobs is not None:
            self._tokens += delta.logprobs
        elif delta.text:
            self._known = False
        self._placed = None

    @property
    def tokens(self) -> tuple[Placed, ...]:
        """The tokens in their places; none where the engine tells none."""
        if self._placed is None:
            self._placed = place(self.text, self._tokens) if self._known else ()
        return self._placed

    def joint(self, start: int, end: int) -> float | None:
        """The probability, 0..1, that `text[start:end]` was written as it was; None where it is not known."""
        tokens = self.within(start, end)
        if not tokens or sum(token.end - token.start for token in tokens) < end - start:
            return None
        return min(1.0, math.exp(sum(token.logprob for token in tokens)))

    def within(self, start: int, end: int) -> tuple[Placed, ...]:
        """The tokens that wrote any of `text[start:end]`."""
        tokens = self.tokens
        first = bisect_right(tokens, start, key=lambda token: token.end)
        last = bisect_left(tokens, end, key=lambda token: token.start)
        # Tokens without a place of their own belong to the character that they stand before.
        while first > 0 and tokens[first - 1].start == tokens[first - 1].end == start:
            first -= 1
        return tokens[first : max(first, last)]

    def prose(self) -> float | None:
        """Geometric mean of the probabilities of all tokens, 0..1; None where they are not known."""
        if not self._known or not self._tokens:
            return None
        return round(min(1.0, math.exp(sum(token.logprob for token in self._tokens) / len(self._tokens))), 4)


def place(text: str, tokens: list[TokenLogprob]) -> tuple[Placed, ...]:
    """The tokens of a text in their places, in order."""
    placed: list[Placed] = []
    at = 0
    for token in tokens:
        said = token.token
        if said and not text.startswith(said, at):
            said = said.strip(_BROKEN)
            found = text.find(said, at, at + len(said) + _NEAR) if said and _BROKEN not in said else -1
            if found < 0:
                placed.append(Placed(at, at, token.logprob))
                continue
            if found > at and placed:  # the characters in between were written by the broken tokens before
                placed[-1] = Placed(placed[-1].start, found, placed[-1].logprob)
            at = found
        placed.append(Placed(at, at + len(said), token.logprob))
        at += len(said)
    if placed and at < len(text) <= at + _NEAR:  # a last character in pieces
        placed[-1] = Placed(placed[-1].start, len(text), placed[-1].logprob)
    return tuple(placed)
