"""Times in answers about clips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.tasks.moments import find_moments


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("The door opens at 3.5 s.", [3.5]),
        ("At 2 seconds a car comes, at 7.25 sec it leaves.", [2.0, 7.25]),
        ("It turns red at 0:07 and green at 1:02.5.", [7.0, 62.5]),
        ("Between 4 and 8 seconds he waits.", [4.0, 8.0]),
        ("from 1.5-3s", [1.5, 3.0]),
        ("at second 12", [12.0]),
        ("第3.5秒门打开，第 8 秒关上。", [3.5, 8.0]),
        ("第2秒到第4秒之间", [2.0, 4.0]),
        ("1分05秒", [65.0]),
        ("Three cars, 12 people, at 14:30:15 local time.", []),
        ("每2秒闪一次", []),
        ("The 2nd car; 5 steps; 10:4", []),
        ("", []),
    ],
)
def test_times_are_found_however_they_are_worded(text: str, seconds: list[float]) -> None:
    assert [moment.seconds for moment in find_moments(text)] == seconds


@given(st.integers(0, 29_999), st.sampled_from(["at {} s", "at {} seconds", "第{}秒", "it ends at {} sec."]))
def test_every_time_reads_back(milliseconds: int, form: str) -> None:
    (moment,) = find_moments(form.format(milliseconds / 1000))
    assert moment.seconds == milliseconds / 1000


@given(st.text())
def test_no_text_upsets_it(text: str) -> None:
    assert all(moment.seconds >= 0 for moment in find_moments(text))
