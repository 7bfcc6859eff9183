"""Log-probabilities to a confidence.

Prose is scored by the geometric mean of its tokens' probabilities: length does not lower it, one wild guess does.
A value in a structure (see the parse tasks) is scored by the joint probability of its free tokens. Reasoning does not count.
A calibrator turns such scores into shares: of the answers that it gives 0.8, eight in ten are right.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from sightline.prompt import Delta, TokenLogprob


class Calibrator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often answers of a score are right, measured for one task and model. Made by `sightline.evaluation.calibration`.

    `what` is `answer`, or the kind of field (`value`). `points` are (score, share right), both 0..1 and not falling; between
    them it is linear, and flat beyond the first and the last.
    """

    task: str
    model: str
    what: str = "answer"
    points: tuple[tuple[float, float], ...]
    samples: int = 0
    """How many answers it was measured on."""
    error_before: float | None = None
    error_after: float | None = None
    """Expected calibration error of the scores as they come, and as they leave, on answers that it was not made from."""

    def __post_init__(self) -> None:
        numbers = [number for point in self.points for number in point]
        if not self.points or not all(0 <= number <= 1 for number in numbers):
            raise ValueError("points must be pairs of numbers from 0 to 1")
        if any(a[0] > b[0] or a[1] > b[1] for a, b in itertools.pairwise(self.points)):
            raise ValueError("points must not fall")

    def share(self, score: float) -> float:
        """The share of right answers at this score, 0..1."""
        after = bisect_right(self.points, score, key=lambda point: point[0])
        if after in (0, len(self.points)):
            return round(self.points[max(0, after - 1)][1], 4)
        (low, left), (high, right) = self.points[after - 1], self.points[after]
        return round(left + (right - left) * (score - low) / (high - low), 4)


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
