"""What is counted of answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from training.scenes.qa import QA
from training.scenes.sampler import sample
from training.scoring import Said
from training.tally import Tally

SIZE = ("shapes", 128, 96)


def asked(answer: str, **how: Any) -> QA:
    return replace(sample(1, "shapes", 128, 128, 1, "en", "vqa").questions[0], text="?", answer=answer, **how)


def test_answers_count_by_skill_kind_size_and_group() -> None:
    tally = Tally()
    assert tally.judge(asked("red", skill="colour"), SIZE, Said("red"))
    assert not tally.judge(asked("3", skill="count"), SIZE, Said("2"))
    skills = tally.result()["skills"]
    assert (skills["all"]["right"], skills["all"]["of"]) == (1, 2)
    assert (skills["colour"]["share"], skills["count"]["share"]) == (1, 0)
    assert skills["size:shapes-128x96"]["of"] == skills["group:scenes_core:shapes"]["of"] == 2
    assert "calibration" not in tally.result()


def test_boxes_are_right_when_all_overlap_by_half() -> None:
    def boxes(*found: list[int]) -> str:
        return json.dumps([{"bbox_2d": box, "label": "a"} for box in found])

    tally = Tally()
    wanted = asked(boxes([0, 0, 100, 100], [500, 500, 700, 700]), task="grounding", skill="boxes_several")
    assert tally.judge(wanted, SIZE, Said(boxes([0, 0, 100, 90], [510, 500, 700, 700])))
    assert not tally.judge(wanted, SIZE, Said(boxes([0, 0, 100, 90], [0, 0, 20, 20])))
    assert tally.result()["skills"]["iou:boxes"]["right"] == 3


def test_confidence_that_comes_true_has_no_error() -> None:
    tally = Tally()
    for right in (True, True, True, False):
        tally.judge(asked("yes", skill="existence"), SIZE, Said("yes" if right else "no", confidence=0.75))
    assert tally.result()["calibration"] == {"error": 0, "auroc": pytest.approx(0.5), "of": 4}


def test_letters_are_counted_where_text_is_read() -> None:
    tally = Tally()
    tally.judge(asked("Total 12", skill="read"), SIZE, Said("Total 13"))
    assert tally.result()["reading"]["all"] == {"character_error_rate": 0.125, "characters": 8, "texts": 1}
