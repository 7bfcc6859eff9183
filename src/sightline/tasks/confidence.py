"""What a score is worth: a calibrator turns scores into shares, so that of the answers that it gives 0.8, eight in ten are right.

Scores are made of tokens (`aligned.Transcript`): prose by the geometric mean of their probabilities, so that length does not
lower it and one wild guess does; a value in a structure by the joint probability of its own tokens, those that a grammar forced
left out. Reasoning does not count.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right

import msgspec


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
