"""Trains the classifier of requests: `python -m training.moderation.train`. Minutes on one core; the same seed gives the same weights.

A logistic regression over the features that were seen often enough, trained with FTRL-Proximal (McMahan et al., 2013), whose L1
term leaves most weights at nought. The text is drawn from english.txt and chinese.txt; the threshold was set on the development
text (tests/data/evasion/*.txt), which the report shows. The unseen text beside it is for bench/evasion.py alone.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.moderation.classifier import WEIGHTS, Classifier, pack
from sightline.moderation.features import Alphabet, Features, extract
from training.moderation.text import sentences

DATA = Path(__file__).parents[2] / "tests" / "data" / "evasion"
CATEGORIES = ("child_abuse", "drugs", "self_harm", "weapons")
SCALE = 8.0
"""What a sentence's counts are multiplied by, over the root of how many there are."""


@dataclass
class Ftrl:
    """FTRL-Proximal for a logistic regression over sparse values."""

    size: int
    rate: float
    one: float
    two: float = 1.0

    def __post_init__(self) -> None:
        self.z = np.zeros(self.size)
        self.n = np.zeros(self.size)
        self.bias = 0.0

    def weights(self, at: NDArray[np.int64] | slice) -> NDArray[np.float64]:
        z, n = self.z[at], self.n[at]
        found = -(z - np.sign(z) * self.one) / ((1 + np.sqrt(n)) / self.rate + self.two)
        return np.where(np.abs(z) <= self.one, 0.0, found)

    def learn(self, at: NDArray[np.int64], values: NDArray[np.float64], label: float) -> None:
        w = self.weights(at)
        slope = 1 / (1 + np.exp(-np.clip(float(w @ values) + self.bias, -30, 30))) - label
        g = slope * values
        n = self.n[at]
        self.z[at] += g - (np.sqrt(n + g * g) - np.sqrt(n)) / self.rate * w
        self.n[at] = n + g * g
        self.bias -= 0.01 * slope


@dataclass(frozen=True)
class Sample:
    category: str
    at: NDArray[np.int64]
    """Places in the vocabulary."""
    values: NDArray[np.float64]


def draw(each: int, least: int, chance: random.Random) -> tuple[NDArray[np.int64], list[Sample]]:
    """The vocabulary (features seen in at least `least` sentences), and the sentences in it."""
    alphabet = Alphabet()
    raw = [
        (category, *_merged(extract(text, alphabet, wholly=True)))
        for language in ("en", "zh")
        for category, text in sentences(language, each, chance)
    ]
    seen, often = np.unique(np.concatenate([numbers for _, numbers, _ in raw]), return_counts=True)
    vocabulary = seen[often >= least]
    samples: list[Sample] = []
    for category, numbers, values in raw:
        at = np.minimum(np.searchsorted(vocabulary, numbers), len(vocabulary) - 1)
        known = vocabulary[at] == numbers
        samples.append(Sample(category, at[known], values[known].astype(np.float64)))
    return vocabulary.astype(np.int64), samples


def _merged(features: Features) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Each feature once, with what it counts for in a sentence of that length."""
    own, where = np.unique(features.numbers.astype(np.int32), return_inverse=True)
    total = max(len(features.numbers), 1)
    return own, (np.bincount(where, weights=features.values) * SCALE / np.sqrt(total)).astype(np.float32)


def speaks_for(samples: list[Sample], size: int) -> NDArray[np.int64]:
    """By feature: the category in which it has the greatest share."""
    shares = np.zeros((len(CATEGORIES), size))
    for number, category in enumerate(CATEGORIES):
        own = [sample for sample in samples if sample.category == category]
        for sample in own:
            shares[number, sample.at] += 1 / len(own)
    return shares.argmax(axis=0)


def development(language: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Requests with their categories, and clean text."""
    asked: list[tuple[str, str]] = []
    for name in ("requests", "second"):
        category = ""
        for line in _lines(f"{name}-{language}.txt"):
            if line.startswith("["):
                category = line.strip("[]")
            else:
                asked.append((category, line))
    return asked, [*_lines(f"clean-{language}.txt"), *_lines(f"close-{language}.txt")]


def _lines(name: str) -> list[str]:
    return [line for line in (DATA / name).read_text("utf-8").splitlines() if line and not line.startswith("#")]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--each", type=int, default=50, help="sentences drawn of every line")
    parser.add_argument("--least", type=int, default=4, help="sentences that a feature must be seen in")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--one", type=float, default=1.0, help="the L1 term")
    parser.add_argument("--show", action="store_true", help="show the development text at the margin")
    parser.add_argument("--report", action="store_true", help="only report on the weights that are there")
    args = parser.parse_args()
    if not args.report:
        chance = random.Random(6)
        vocabulary, samples = draw(args.each, args.least, chance)
        print(len(samples), "sentences,", sum(sample.category == "clean" for sample in samples), "clean;", len(vocabulary), "features")
        model = Ftrl(len(vocabulary), args.rate, args.one)
        for _ in range(args.rounds):
            chance.shuffle(samples)
            for sample in samples:
                model.learn(sample.at, sample.values, float(sample.category != "clean"))
        weights = model.weights(slice(None))
        packed = pack(vocabulary, weights * SCALE, speaks_for(samples, len(vocabulary)), model.bias, CATEGORIES)
        WEIGHTS.write_bytes(packed)
        print(f"{len(packed)} bytes, {np.count_nonzero(weights)} weights are not nought")
    report(Classifier.load(), args.show)


def report(classifier: Classifier, show: bool) -> None:
    for language in ("en", "zh"):
        asked, clean = development(language)
        scores = [classifier.score(text) for _, text in asked]
        harmless = sorted((classifier.score(text), text) for text in clean)
        right = sum((found := classifier.find(text)) is not None and found.category == category for category, text in asked)
        wrong = sum(score >= classifier.threshold for score, _ in harmless)
        print(f"{language}: {right} of {len(asked)} refused in their category, {wrong} of {len(clean)} clean ones refused")
        for at in (-2.0, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0):
            caught, false = sum(score >= at for score in scores), sum(score >= at for score, _ in harmless)
            print(f"  at {at:4}: {caught / len(asked):6.1%} refused, {false / len(clean):6.2%} wrongly")
        if show:
            for score, (category, text) in sorted(zip(scores, asked, strict=True))[:15]:
                print(f"    {score:6.2f} {category} {text}")
            for score, text in harmless[-20:]:
                print(f"    {score:6.2f} clean {text}")


if __name__ == "__main__":
    main()
