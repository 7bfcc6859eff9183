"""Calibrators: made from answers that were scored and judged, kept as small files, found again by serving.

A calibrator is an isotonic fit (pool adjacent violators: Ayer et al. 1955; for classifiers Zadrozny and Elkan 2002) of right or
wrong on the score, thinned to a few points. It never reorders answers: it says what a score is worth. How good it is, is measured
on answers that it was not made from (cross-validation), as expected calibration error (Guo et al. 2017, arXiv 1706.04599).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from random import Random

import msgspec

from sightline.tasks.confidence import Calibrator

_LEAST = 50
"""Answers below which nothing is fitted: the result would be their noise."""
_MOST_POINTS = 24
_BLOCK = 12
"""Answers that a point of the fit stands on at least."""
_FOLDS = 5
_BINS = 10

Pair = tuple[float, bool]
"""A score, 0..1, and whether the answer was right."""


class Judged(msgspec.Struct, frozen=True):
    """One scored and judged answer, or one field of it, as evaluations write them (JSON lines, or one JSON list).

    `confidence` is the score before any calibration; answers without one are left out. `group` names what belongs together (one
    picture with several fields), so that it is never split between making and measuring.
    """

    confidence: float | None
    right: bool
    task: str = ""
    model: str = ""
    what: str = "answer"
    group: str | int | None = None


def read_judged(path: Path) -> list[Judged]:
    """The answers of a file. Raises `ValueError` naming the line that is none, `OSError`."""
    text = path.read_text("utf-8")
    if text.lstrip().startswith("["):
        return msgspec.json.decode(text, type=list[Judged])
    found: list[Judged] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=Judged))
            except msgspec.MsgspecError as error:
                raise ValueError(f"line {number} of {path.name}: {error}") from None
    return found


def make_calibrators(judged: Iterable[Judged], *, seed: int = 0) -> list[Calibrator]:
    """One calibrator for every task, model and kind of field of which there are answers enough."""
    groups: dict[tuple[str, str, str], list[Judged]] = {}
    for one in judged:
        if one.confidence is not None:
            groups.setdefault((one.task, one.model, one.what), []).append(one)
    return [make_calibrator(ones, seed=seed) for ones in groups.values() if len(ones) >= _LEAST]


def make_calibrator(judged: Sequence[Judged], *, seed: int = 0) -> Calibrator:
    """The calibrator of answers of one task, model and kind. Raises `ValueError` for fewer than 50."""
    pairs = [(one.confidence, one.right) for one in judged if one.confidence is not None]
    if len(pairs) < _LEAST:
        raise ValueError(f"{len(pairs)} answers are too few to calibrate with; {_LEAST} are the least")
    first = judged[0]
    made = Calibrator(task=first.task, model=first.model, what=first.what, points=fit(pairs), samples=len(pairs))
    held_out = _cross_validate(judged, first, seed)
    return msgspec.structs.replace(made, error_before=round(calibration_error(pairs), 4), error_after=round(calibration_error(held_out), 4))


def _cross_validate(judged: Sequence[Judged], about: Judged, seed: int) -> list[Pair]:
    """Every answer with the share that a calibrator gives it which has not seen its group."""
    known = [one for one in judged if one.confidence is not None]
    names = list(dict.fromkeys(_group(one, number) for number, one in enumerate(known)))
    Random(seed).shuffle(names)  # noqa: S311 - folds, not secrets
    fold_of = {name: number % _FOLDS for number, name in enumerate(names)}
    folds: list[list[Pair]] = [[] for _ in range(_FOLDS)]
    for number, one in enumerate(known):
        if one.confidence is not None:
            folds[fold_of[_group(one, number)]].append((one.confidence, one.right))
    outcome: list[Pair] = []
    for held, fold in enumerate(folds):
        rest = [pair for number, other in enumerate(folds) if number != held for pair in other]
        if rest:
            made = Calibrator(task=about.task, model=about.model, what=about.what, points=fit(rest))
            outcome += [(made.share(score), right) for score, right in fold]
    return outcome


def _group(one: Judged, number: int) -> tuple[str, str | int]:
    return ("alone", number) if one.group is None else ("group", one.group)


def fit(pairs: Sequence[Pair]) -> tuple[tuple[float, float], ...]:
    """An isotonic fit of right (1) and wrong (0) on the score: points that do not fall, each standing on a block of answers.

    A share is that of its block with one right and one wrong answer added (Laplace), so that none is ever quite 0 or 1.
    """
    ordered = sorted(pairs)
    size = max(1, min(_BLOCK, len(ordered) // 4))
    # (sum of scores, right answers, answers) of each block.
    blocks: list[tuple[float, float, int]] = []
    for start in range(0, len(ordered), size):
        part = ordered[start : start + size]
        blocks.append((math.fsum(score for score, _ in part), float(sum(right for _, right in part)), len(part)))
        while len(blocks) > 1 and blocks[-2][1] / blocks[-2][2] >= blocks[-1][1] / blocks[-1][2]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    while len(blocks) > _MOST_POINTS:
        # The neighbours that differ least become one.
        nearest = min(
            range(len(blocks) - 1), key=lambda place: blocks[place + 1][1] / blocks[place + 1][2] - blocks[place][1] / blocks[place][2]
        )
        a, b = blocks[nearest], blocks[nearest + 1]
        blocks[nearest : nearest + 2] = [(a[0] + b[0], a[1] + b[1], a[2] + b[2])]
    points: list[tuple[float, float]] = []
    for scores, right, count in blocks:
        share = (right + 1) / (count + 2)
        points.append((round(min(1.0, scores / count), 6), round(max(share, points[-1][1] if points else 0.0), 6)))
    return tuple(points)


def calibration_error(pairs: Sequence[Pair]) -> float:
    """Expected calibration error in ten bins of equal width: the mean distance between what was said and what came true."""
    bins: list[list[Pair]] = [[] for _ in range(_BINS)]
    for score, right in pairs:
        bins[min(_BINS - 1, int(score * _BINS))].append((score, right))
    distance = sum(abs(math.fsum(score for score, _ in one) - sum(right for _, right in one)) for one in bins)
    return distance / len(pairs) if pairs else 0.0


def auroc(pairs: Sequence[Pair]) -> float | None:
    """How often a right answer has a higher score than a wrong one, ties half; None where one of the two is missing."""
    wrong = sorted(score for score, right in pairs if not right)
    scores = [score for score, right in pairs if right]
    if not wrong or not scores:
        return None
    above = sum(bisect_right(wrong, score) - (bisect_right(wrong, score) - _below(wrong, score)) / 2 for score in scores)
    return above / (len(wrong) * len(scores))


def _below(ordered: Sequence[float], score: float) -> int:
    """How many are truly less."""
    count = bisect_right(ordered, score)
    while count > 0 and ordered[count - 1] == score:
        count -= 1
    return count


def save(calibrator: Calibrator, folder: Path) -> Path:
    """Writes a calibrator where `CalibratorFiles` finds it, in one step."""
    name = "-".join(_plain(part) for part in (calibrator.model, calibrator.task, calibrator.what)) + ".json"
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(msgspec.json.encode(calibrator) + b"\n")
    unfinished.replace(path)
    return path


def _plain(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in name)[:80] or "any"


class CalibratorFiles:
    """Implements `ports.Calibrators`: the files that ship with the models, and those of a folder, which come first."""

    def __init__(self, found: Mapping[tuple[str, str, str], Calibrator]) -> None:
        self._found = dict(found)

    @classmethod
    def load(cls, folder: Path | None = None) -> CalibratorFiles:
        """Reads them all. Raises `ValueError` naming a file of the folder that is no calibrator, `OSError`."""
        found: dict[tuple[str, str, str], Calibrator] = {}
        shipped = resources.files("sightline.models").joinpath("calibration")
        contents = [(entry.name, entry.read_bytes()) for entry in shipped.iterdir()] if shipped.is_dir() else []
        if folder is not None:
            contents += [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
        for name, data in contents:
            if not name.endswith(".json"):
                continue
            try:
                one = msgspec.json.decode(data, type=Calibrator)
            except msgspec.MsgspecError as error:
                raise ValueError(f"{name}: {error}") from None
            found[one.task, one.model, one.what] = one
        return cls(found)

    def find(self, task: str, model: str, what: str) -> Calibrator | None:
        """See the port."""
        return self._found.get((task, model, what))
