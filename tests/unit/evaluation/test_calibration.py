"""Calibrators: they say what a score is worth, keep the order of answers, and are found again."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.evaluation.calibration import (
    CalibratorFiles,
    Judged,
    auroc,
    calibration_error,
    fit,
    make_calibrator,
    make_calibrators,
    read_judged,
    save,
)
from sightline.tasks.confidence import Calibrator

_PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=120)


def overconfident(count: int = 2000, seed: int = 1) -> list[Judged]:
    """A model that is right half as often as it says."""
    rng = Random(seed)
    scores = [rng.random() for _ in range(count)]
    return [Judged(score, rng.random() < score / 2, "chart_parse", "m", "value", number // 4) for number, score in enumerate(scores)]


@settings(deadline=None)
@given(_PAIRS)
def test_a_fit_never_falls_and_stays_a_share(pairs: list[tuple[float, bool]]) -> None:
    made = Calibrator(task="t", model="m", points=fit(pairs))
    shares = [made.share(score / 50) for score in range(51)]
    assert shares == sorted(shares)
    assert all(0 < share < 1 for share in shares)


@settings(deadline=None)
@given(_PAIRS)
def test_how_well_scores_separate_right_from_wrong_is_counted_by_pairs(pairs: list[tuple[float, bool]]) -> None:
    right = [score for score, good in pairs if good]
    wrong = [score for score, good in pairs if not good]
    found = auroc(pairs)
    if not right or not wrong:
        assert found is None
    else:
        wins = sum((a > b) + (a == b) / 2 for a in right for b in wrong)
        assert found == pytest.approx(wins / (len(right) * len(wrong)))


def test_scores_twice_too_high_are_halved_and_the_error_is_measured_on_others() -> None:
    made = make_calibrator(overconfident())
    assert made.share(0.8) == pytest.approx(0.4, abs=0.08)
    assert made.share(0.2) == pytest.approx(0.1, abs=0.08)
    assert made.error_before == pytest.approx(0.25, abs=0.03)
    assert made.error_after is not None
    assert made.error_after < 0.06
    assert made.samples == 2000
    assert len(made.points) <= 24


def test_the_error_of_honest_scores_is_nothing() -> None:
    assert calibration_error([(0.5, True), (0.5, False)]) == 0
    assert calibration_error([(1.0, False)]) == 1
    assert calibration_error([]) == 0


def test_too_few_answers_make_no_calibrator() -> None:
    assert make_calibrators(overconfident(49)) == []
    with pytest.raises(ValueError, match="49"):
        make_calibrator(overconfident(49))


def test_every_task_model_and_kind_has_its_own() -> None:
    other = [msgspec.structs.replace(one, model="n") for one in overconfident(60)]
    unknown = [Judged(None, True, "vqa", "m")] * 100
    made = make_calibrators([*overconfident(60), *other, *unknown])
    assert [(one.task, one.model, one.what) for one in made] == [("chart_parse", "m", "value"), ("chart_parse", "n", "value")]


@pytest.mark.parametrize("as_list", [True, False])
def test_judged_answers_are_read_as_a_list_or_line_by_line(tmp_path: Path, as_list: bool) -> None:
    judged = overconfident(5)
    path = tmp_path / "judged.json"
    path.write_bytes(msgspec.json.encode(judged) if as_list else b"\n".join(msgspec.json.encode(one) for one in judged) + b"\n\n")
    assert read_judged(path) == judged


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"
    path.write_text('{"confidence":0.5,"right":true}\n{"confidence":"high","right":true}\n')
    with pytest.raises(ValueError, match="line 2"):
        read_judged(path)


def test_what_was_saved_is_found(tmp_path: Path) -> None:
    made = make_calibrator(overconfident(200))
    path = save(made, tmp_path / "calibration")
    assert path.name == "m-chart_parse-value.json"
    files = CalibratorFiles.load(tmp_path / "calibration")
    assert files.find("chart_parse", "m", "value") == made
    assert files.find("chart_parse", "m", "answer") is None
    assert files.find("chart_parse", "other", "value") is None


@pytest.mark.parametrize("points", ["[]", "[[0.5,2]]", "[[0.5,0.5],[0.4,0.6]]", "[[0.4,0.6],[0.5,0.5]]"])
def test_a_file_that_is_no_calibrator_is_named(tmp_path: Path, points: str) -> None:
    (tmp_path / "odd.json").write_text(f'{{"task":"t","model":"m","points":{points}}}')
    with pytest.raises(ValueError, match=r"odd\.json"):
        CalibratorFiles.load(tmp_path)
