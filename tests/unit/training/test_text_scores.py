"""How much of a text was read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.text_scores import character_errors, fields_right, reading_of

TEXT = st.text("ab 1\n", max_size=12)


@pytest.mark.parametrize(
    ("said", "wanted", "errors"),
    [("abc", "abc", 0), (" abc\n", "abc", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("总额：12", "总额：42", 1), ("a\nb", "a b", 1)],
)
def test_characters_that_are_wrong(said: str, wanted: str, errors: int) -> None:
    assert character_errors(said, wanted) == errors


@settings(max_examples=50)
@given(TEXT, TEXT)
def test_errors_are_a_distance(one: str, other: str) -> None:
    errors = character_errors(one, other)
    assert errors == character_errors(other, one)
    assert (errors == 0) == (one.strip() == other.strip())
    assert errors <= max(len(one.strip()), len(other.strip()))


def test_fields_are_compared_by_value() -> None:
    wanted = '{"total":1250.50,"buyer":"Ann","tax":null}'
    assert fields_right('{"tax": null, "total": 1250.5, "buyer": "Ann"}', wanted) == [True, True, True]
    assert fields_right('{"total": "1250.50", "buyer": "Anna"}', wanted) == [False, False, False]
    assert fields_right("no form", wanted) == fields_right("[1]", wanted) == [False] * 3


def test_the_error_rate_weighs_long_texts_more() -> None:
    assert reading_of([(1, 10), (0, 90)]) == {"character_error_rate": 0.01, "characters": 100, "texts": 2}
