"""Requests that no rule describes, found by what they have in common: a linear classifier, trained by `training.moderation`.

Stands beside `rules`: the same question, the same `Match`. A text is weighed in windows, so that a sentence in a long text
weighs what it weighs alone; what decides is named in the audit log as `classifier:CATEGORY` with its score.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.moderation.features import BITS, STRIDE, WINDOW, Features, Places, extract
from sightline.moderation.normalise import VERSION, Folds
from sightline.moderation.rules import Match

WEIGHTS = Path(__file__).parent / "data" / "requests.weights"
_HEAD = struct.Struct("<4sfff")
_MAGIC = b"SLC1"
_SLOTS = 1 << 17
_CHECK = BITS - 17
"""Bits of a feature's number beside those that say its slot, so that of 256 strangers 255 are told from who stands there."""
_CATEGORIES = ("child_abuse", "drugs", "self_harm", "weapons")
THRESHOLD = 0.0
"""The score (log odds) from which a text is refused, as the development text set it."""


def pack(numbers: Places, weights: NDArray[np.float64], speaks_for: Places, bias: float, categories: Sequence[str]) -> bytes:
    """The file of weights: a head, then for each slot its weight (8 bits), check (8) and category (2). Of two in a slot the heavier stays."""
    if tuple(categories) != _CATEGORIES:
        raise ValueError("the categories of a file are fixed")
    heavier = np.argsort(np.abs(weights), kind="stable")
    scale = float(np.abs(weights).max()) / 127 or 1.0
    slots = numbers[heavier] >> _CHECK
    values, checks, speaks = np.zeros(_SLOTS, np.int8), np.zeros(_SLOTS, np.uint8), np.zeros(_SLOTS, np.uint8)
    values[slots] = np.round(weights[heavier] / scale)
    checks[slots] = numbers[heavier] & ((1 << _CHECK) - 1)
    speaks[slots] = speaks_for[heavier]
    twos = speaks[0::4] | speaks[1::4] << 2 | speaks[2::4] << 4 | speaks[3::4] << 6
    return _HEAD.pack(_MAGIC, scale, bias, 0.0) + values.tobytes() + checks.tobytes() + twos.tobytes()


class Classifier:
    """Immutable, shared by all calls."""

    def __init__(self, packed: bytes, *, threshold: float = THRESHOLD) -> None:
        magic, scale, self._bias, _ = _HEAD.unpack_from(packed)
        if magic != _MAGIC or len(packed) != _HEAD.size + 2 * _SLOTS + _SLOTS // 4:
            raise ValueError("these are no weights of the classifier")
        self.threshold = threshold
        self.version = hashlib.sha256(VERSION.encode() + packed + struct.pack("<f", threshold)).hexdigest()[:12]
        self._folds = Folds()
        parts = np.frombuffer(packed, np.uint8, offset=_HEAD.size)
        self._weights = parts[:_SLOTS].view(np.int8).astype(np.float32) * np.float32(scale)
        self._checks = parts[_SLOTS : 2 * _SLOTS].astype(np.int64)
        twos = parts[2 * _SLOTS :]
        self._speaks_for = np.stack([twos >> shift & 3 for shift in (0, 2, 4, 6)], axis=1).reshape(-1)

    @classmethod
    def load(cls) -> Classifier:
        """The one that comes with this release."""
        return cls(WEIGHTS.read_bytes())

    def score(self, text: str) -> float:
        """The log odds, by training, that the text holds a request to be refused: of its most suspicious window."""
        return self._heaviest(extract(text, self._folds))[0]

    def find(self, text: str) -> Match | None:
        """The most suspicious window, where it must be refused; `start` and `end` are those of the whole text."""
        features = extract(text, self._folds)
        score, inside = self._heaviest(features)
        if score < self.threshold:
            return None
        slots = features.numbers[inside] >> _CHECK
        votes = np.bincount(self._speaks_for[slots], weights=np.maximum(self._weigh(features.numbers[inside]), 0), minlength=4)
        category = _CATEGORIES[int(votes.argmax())]
        return Match(0, len(text), category, f"classifier:{category} {score:.1f}")

    def _weigh(self, numbers: Places) -> NDArray[np.float32]:
        slots = numbers >> _CHECK
        return self._weights[slots] * (self._checks[slots] == (numbers & ((1 << _CHECK) - 1)))

    def _heaviest(self, features: Features) -> tuple[float, slice | NDArray[np.bool_]]:
        weights = self._weigh(features.numbers)
        if not len(weights):
            return -np.inf, slice(None)
        if features.width <= WINDOW:
            return float(weights.sum()) / len(weights) ** 0.5 + self._bias, slice(None)
        # Sums up to each place, so that a window costs two look-ups.
        sums = np.concatenate(([0.0], np.cumsum(np.bincount(features.places, weights=weights, minlength=features.width + 1))))
        counts = np.concatenate(([0], np.cumsum(np.bincount(features.places, minlength=features.width + 1))))
        begins = np.arange(0, max(1, features.width - WINDOW + STRIDE), STRIDE)
        ends = np.minimum(begins + WINDOW, features.width + 1)
        inside = np.maximum(counts[ends] - counts[begins], 1)
        scores = (sums[ends] - sums[begins]) / np.sqrt(inside) + self._bias
        best = int(scores.argmax())
        return float(scores[best]), (features.places >= begins[best]) & (features.places < ends[best])
