"""Answers that go round in circles are found; tables and rules that merely look alike are not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.tasks.loops import Loop


def follow(text: str, step: int = 3) -> int | None:
    """Where it was cut; None where it went on well."""
    loop = Loop()
    for place in range(0, len(text), step):
        if loop.add(text[place : place + step]):
            return loop.start
    return None


@settings(deadline=None)
@given(
    before=st.text(max_size=40),
    piece=st.text(st.characters(categories=["L"]), min_size=1, max_size=60),
    step=st.integers(1, 200),
)
def test_a_piece_that_is_written_again_and_again_is_cut_near_the_first(before: str, piece: str, step: int) -> None:
    cut = follow(before + piece * (600 // len(piece) + 20), step)
    assert cut is not None
    assert cut <= len(before) + 2 * len(piece)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"| row {number} | {number * 3} | {number * 7} |" for number in range(100)),
        "| " + " | ".join(["---"] * 30) + " |\n",
        "Contents " + "." * 400 + " 12",
        "0 | 0 | 0 | 0 | " * 10,
        "ha" * 10,
        "The quick brown fox jumps over the lazy dog. " * 3,
        ",".join(f'{{"label":"{number}","value":0}}' for number in range(100)),
        "很好，" * 8,
    ],
)
def test_what_people_write_is_left_alone(text: str) -> None:
    assert follow(text) is None


def test_lines_of_signs_without_end_are_found_too() -> None:
    assert follow("a" + "." * 5000) is not None
