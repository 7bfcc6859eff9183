"""Requests that no rule describes, found by what they have in common: a linear classifier, trained by `training.moderation`.

Stands beside `rules`: the same question, the same `Match`. A text is weighed in windows, so that a sentence in a long text weighs
what it weighs alone, and only where a word of the lexicon says that it could matter at all. What decides is named in the audit
log as `classifier:CATEGORY` with its score.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.moderation.features import BITS, STRIDE, WINDOW, Alphabet, Features, Places, extract
from sightline.moderation.normalise import VERSION
from sightline.moderation.rules import Match

WEIGHTS = Path(__file__).parent / "data" / "requests.weights"
_HEAD = struct.Struct("<4sff")
_MAGIC = b"SLC1"
_SLOTS = 1 << 17
_WAYS = 4
"""Slots that a feature may stand in."""
_ROW = BITS - 15
"""Bits of a feature's number beside those that say its row of slots. Eight of them stand in the slot: of 256 strangers 255 are told
from who stands there."""
_CATEGORIES = ("child_abuse", "drugs", "self_harm", "weapons")
STEP = 24
"""Characters of a stream between two weighings: what is held back at most, where answers are classified."""
THRESHOLD = 1.5
"""The score (log odds) from which a text is refused, as the development text set it."""


def pack(numbers: Places, weights: NDArray[np.float64], speaks_for: Places, bias: float, categories: Sequence[str]) -> bytes:
    """The file of weights: a head, then for each slot its weight (8 bits), check (8) and category (2).

    Of more features than a row has slots the heaviest stay.
    """
    if tuple(categories) != _CATEGORIES:
        raise ValueError("the categories of a file are fixed")
    heaviest = np.argsort(-np.abs(weights), kind="stable")
    heaviest = heaviest[weights[heaviest] != 0]
    scale = float(np.abs(weights).max()) / 127 or 1.0
    values, checks, speaks = np.zeros(_SLOTS, np.int8), np.zeros(_SLOTS, np.uint8), np.zeros(_SLOTS, np.uint8)
    taken = np.zeros(_SLOTS // _WAYS, np.int64)
    for each in heaviest:
        row = int(numbers[each]) >> _ROW
        if taken[row] < _WAYS:
            slot = row * _WAYS + taken[row]
            taken[row] += 1
            values[slot], checks[slot], speaks[slot] = np.round(weights[each] / scale), _check(numbers[each]), speaks_for[each]
    twos = speaks[0::4] | speaks[1::4] << 2 | speaks[2::4] << 4 | speaks[3::4] << 6
    return _HEAD.pack(_MAGIC, scale, bias) + values.tobytes() + checks.tobytes() + twos.tobytes()


def _check(numbers: Places) -> Places:
    return (numbers >> (_ROW - 8)) & 255


class Classifier:
    """Immutable, shared by all calls."""

    def __init__(self, packed: bytes, *, threshold: float = THRESHOLD) -> None:
        if not packed.startswith(_MAGIC) or len(packed) != _HEAD.size + 2 * _SLOTS + _SLOTS // 4:
            raise ValueError("these are no weights of the classifier")
        _, scale, self._bias = _HEAD.unpack_from(packed)
        self.threshold = threshold
        self.version = hashlib.sha256(VERSION.encode() + packed + struct.pack("<f", threshold)).hexdigest()[:12]
        self._alphabet = Alphabet()
        parts = np.frombuffer(packed, np.uint8, offset=_HEAD.size)
        self._weights = (parts[:_SLOTS].view(np.int8).astype(np.float32) * np.float32(scale)).reshape(-1, _WAYS)
        self._checks = parts[_SLOTS : 2 * _SLOTS].reshape(-1, _WAYS)
        twos = parts[2 * _SLOTS :]
        self._speaks_for = np.stack([twos >> shift & 3 for shift in (0, 2, 4, 6)], axis=1).reshape(-1, _WAYS)

    @classmethod
    def load(cls) -> Classifier:
        """The one that comes with this release."""
        return cls(WEIGHTS.read_bytes())

    def score(self, text: str) -> float:
        """The log odds, by training, that the text holds a request to be refused: of its most suspicious window."""
        return self._heaviest(extract(text, self._alphabet))[0]

    def find(self, text: str) -> Match | None:
        """The most suspicious window, where it must be refused; `start` and `end` are those of the whole text."""
        features = extract(text, self._alphabet)
        score, inside = self._heaviest(features)
        if score < self.threshold:
            return None
        rows, stands = self._look_up(features.numbers[inside])
        heavy = np.maximum(self._weights[rows] * stands * features.values[inside][:, None], 0)
        votes = np.bincount(self._speaks_for[rows].ravel(), weights=heavy.ravel(), minlength=len(_CATEGORIES))
        category = _CATEGORIES[int(votes.argmax())]
        return Match(0, len(text), category, f"classifier:{category} {score:.1f}")

    def _look_up(self, numbers: Places) -> tuple[Places, NDArray[np.bool_]]:
        """The row of each feature, and in which of its slots the feature stands."""
        rows = numbers >> _ROW
        return rows, self._checks[rows] == _check(numbers)[:, None]

    def _weigh(self, features: Features) -> NDArray[np.float32]:
        rows, stands = self._look_up(features.numbers)
        return (self._weights[rows] * stands).sum(axis=1) * features.values

    def _heaviest(self, features: Features) -> tuple[float, slice | NDArray[np.bool_]]:
        if not len(features.matters):
            return -np.inf, slice(None)
        weights = self._weigh(features)
        if features.width <= WINDOW:
            return float(weights.sum()) / len(weights) ** 0.5 + self._bias, slice(None)
        # Sums up to each place, so that a window costs two look-ups.
        sums = np.concatenate(([0.0], np.cumsum(np.bincount(features.places, weights=weights, minlength=features.width + 1))))
        counts = np.concatenate(([0], np.cumsum(np.bincount(features.places, minlength=features.width + 1))))
        starts = [np.arange(0, max(1, features.width - size + STRIDE), STRIDE) for size in (WINDOW, WINDOW // 2)]
        begins = np.concatenate(starts)
        ends = np.minimum(begins + np.repeat((WINDOW, WINDOW // 2), [len(each) for each in starts]), features.width + 1)
        inside = np.maximum(counts[ends] - counts[begins], 1)
        scores = (sums[ends] - sums[begins]) / np.sqrt(inside) + self._bias
        # A window without a word that matters is clean, whatever its form.
        about = np.sort(features.matters)
        scores[np.searchsorted(about, ends) == np.searchsorted(about, begins)] = -np.inf
        best = int(scores.argmax())
        return float(scores[best]), (features.places >= begins[best]) & (features.places < ends[best])


class Watch:
    """Weighs a stream as it comes, at every `STEP` characters of it, however they were cut into pieces.

    `clear` is how far (in code points from its beginning) it was weighed, and may be shown.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._recent = ""
        self._end = 0
        self.clear = 0

    def feed(self, text: str, *, final: bool = False) -> Match | None:
        """Goes on with more text, or ends with `final`. After a match the stream is over."""
        self._recent += text
        self._end += len(text)
        while self._end - self.clear >= STEP or (final and self._end > self.clear):
            upto = min(self.clear + STEP, self._end)
            begin = max(0, upto - WINDOW)
            begun = self._end - len(self._recent)
            if match := self._classifier.find(self._recent[begin - begun : upto - begun]):
                return replace(match, start=begin, end=upto)
            self.clear = upto
        self._recent = self._recent[-(WINDOW + STEP) :]
        return None
