"""Log-probabilities to a confidence.

Prose is scored by the geometric mean of its tokens' probabilities: length does not lower it, one wild guess does.
A value in a structure (see the parse tasks) is scored by the joint probability of its free tokens. Reasoning does not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from sightline.prompt import Delta, TokenLogprob


class Score:
    """Gathers the log-probabilities of one answer as its deltas come."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0
        self._known = True

    def add(self, delta: Delta) -> None:
        if delta.logprobs is not None:
            self._sum += sum(token.logprob for token in delta.logprobs)
            self._count += len(delta.logprobs)
        elif delta.text:
            self._known = False

    def prose(self) -> float | None:
        """Geometric mean of the probabilities, 0..1; None where any token's is unknown or there is no token."""
        if not self._known or self._count == 0:
            return None
        return round(min(1.0, math.exp(self._sum / self._count)), 4)


def joint(tokens: Iterable[TokenLogprob]) -> float:
    """Joint probability of the tokens of one value, 0..1."""
    return min(1.0, math.exp(sum(token.logprob for token in tokens)))
