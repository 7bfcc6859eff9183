"""`sightline calibrate`: judged answers in, calibrators out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.cli import UNUSABLE, main
from sightline.evaluation.calibration import CalibratorFiles


def judged(folder: Path, count: int) -> Path:
    path = folder / "judged.jsonl"
    about = {"task": "chart_parse", "model": "m", "what": "value"}
    path.write_text("".join(json.dumps({"confidence": n % 100 / 100, "right": n % 3 == 0, **about}) + "\n" for n in range(count)))
    return path


def test_it_writes_what_serving_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", str(judged(tmp_path, 300)), "--out", str(tmp_path / "made")]) == 0
    made = CalibratorFiles.load(tmp_path / "made").find("chart_parse", "m", "value")
    assert made is not None
    assert made.share(0.5) == pytest.approx(1 / 3, abs=0.15)
    assert "300 answers" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["judged.jsonl", "missing.jsonl"])
def test_what_cannot_be_used_is_said(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    judged(tmp_path, 20)
    assert main(["calibrate", str(tmp_path / name), "--out", str(tmp_path / "made")]) == UNUSABLE
    assert "50" in capsys.readouterr().err or name == "missing.jsonl"
    assert not (tmp_path / "made").exists()
