"""Trains the classifier of requests: `python -m training.moderation.train`. Minutes on one core; the same seed gives the same weights.

One logistic regression says whether a request is to be refused, and one for each category says why. Trained with FTRL-Proximal
(McMahan et al., 2013), whose L1 term leaves most weights at nought. The thresholds are set on the development text
(tests/data/evasion/*.txt); the unseen text beside it is for bench/evasion.py alone.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.moderation.classifier import WEIGHTS, Classifier, pack
from sightline.moderation.features import BITS, extract
from sightline.moderation.normalise import Folds
from training.moderation.text import sentences

DATA = Path(__file__).parents[2] / "tests" / "data" / "evasion"
CATEGORIES = ("child_abuse", "drugs", "self_harm", "weapons")


@dataclass
class Ftrl:
    """FTRL-Proximal for one logistic regression over hashed counts."""

    size: int
    rate: float = 0.15
    one: float = 1.2
    two: float = 2.0

    def __post_init__(self) -> None:
        self.z = np.zeros(self.size)
        self.n = np.zeros(self.size)
        self.bias = 0.0

    def weights(self, at: NDArray[np.int64] | slice) -> NDArray[np.float64]:
        z, n = self.z[at], self.n[at]
        found = -(z - np.sign(z) * self.one) / ((1 + np.sqrt(n)) / self.rate + self.two)
        return np.where(np.abs(z) <= self.one, 0.0, found)

    def learn(self, at: NDArray[np.int64], values: NDArray[np.float64], label: float, weight: float) -> None:
        w = self.weights(at)
        score = float(w @ values) + self.bias
        slope = (1 / (1 + np.exp(-np.clip(score, -30, 30))) - label) * weight
        g = slope * values
        n = self.n[at]
        self.z[at] += g - (np.sqrt(n + g * g) - np.sqrt(n)) / self.rate * w
        self.n[at] = n + g * g
        self.bias -= 0.01 * slope


@dataclass(frozen=True)
class Sample:
    category: str
    at: NDArray[np.int64]
    values: NDArray[np.float64]


def sampled(category: str, text: str, folds: Folds) -> Sample:
    numbers, counts = np.unique(extract(text, folds).numbers, return_counts=True)
    return Sample(category, numbers, counts / np.sqrt(max(counts.sum(), 1)))


def development(language: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Requests with their categories, and clean text."""
    asked: list[tuple[str, str]] = []
    for name in ("requests", "second"):
        category = ""
        for line in (DATA / f"{name}-{language}.txt").read_text("utf-8").splitlines():
            if line.startswith("["):
                category = line.strip("[]")
            elif line and not line.startswith("#"):
                asked.append((category, line))
    clean = [
        line
        for name in ("clean", "close")
        for line in (DATA / f"{name}-{language}.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return asked, clean


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--each", type=int, default=60, help="sentences drawn of every line")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--one", type=float, default=1.2)
    parser.add_argument("--show", action="store_true", help="show what the development text says")
    args = parser.parse_args()
    chance, folds = random.Random(6), Folds()
    samples = [sampled(*drawn, folds) for language in ("en", "zh") for drawn in sentences(language, args.each, chance)]
    print(len(samples), "sentences,", sum(sample.category == "clean" for sample in samples), "clean")
    refuse = Ftrl(1 << BITS, one=args.one)
    why = {category: Ftrl(1 << (BITS - 2), one=args.one) for category in CATEGORIES}
    for _ in range(args.rounds):
        chance.shuffle(samples)
        for sample in samples:
            harmful = sample.category != "clean"
            refuse.learn(sample.at, sample.values, float(harmful), 1.0)
            if harmful:
                folded, where = np.unique(sample.at >> 2, return_inverse=True)
                values = np.bincount(where, weights=sample.values)
                for category, model in why.items():
                    model.learn(folded, values, float(category == sample.category), 1.0)
    everything = slice(None)
    packed = pack(
        refuse.weights(everything), refuse.bias, [(category, model.weights(everything), model.bias) for category, model in why.items()]
    )
    WEIGHTS.write_bytes(packed)
    kept = np.count_nonzero(refuse.weights(everything)) / refuse.size
    print(f"{len(packed)} bytes, {kept:.0%} of the weights are not nought")
    report(Classifier.load(), args.show)


def report(classifier: Classifier, show: bool) -> None:
    for language in ("en", "zh"):
        asked, clean = development(language)
        scores = [classifier.score(text) for _, text in asked]
        harmless = sorted((classifier.score(text), text) for text in clean)
        right = sum((found := classifier.find(text)) is not None and found.category == category for category, text in asked)
        wrong = sum(score >= classifier.threshold for score, _ in harmless)
        print(f"{language}: {right} of {len(asked)} refused in their category, {wrong} of {len(clean)} clean ones refused")
        for at in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0):
            caught, false = sum(score >= at for score in scores), sum(score >= at for score, _ in harmless)
            print(f"  at {at:4}: {caught / len(asked):6.1%} refused, {false / len(clean):6.2%} wrongly")
        if show:
            for score, (category, text) in sorted(zip(scores, asked, strict=True))[:25]:
                print(f"    {score:6.2f} {category} {text}")
            for score, text in harmless[-20:]:
                print(f"    {score:6.2f} clean {text}")


if __name__ == "__main__":
    main()
