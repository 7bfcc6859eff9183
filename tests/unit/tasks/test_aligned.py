"""Which tokens wrote which characters."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.prompt import Delta, TokenLogprob
from sightline.tasks.aligned import Transcript, place


def transcript(*tokens: tuple[str, float]) -> Transcript:
    made = Transcript()
    for token, probability in tokens:
        made.add(Delta(token, (TokenLogprob(token, math.log(probability)),)))
    return made


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=5), max_size=20))
def test_tokens_that_are_the_text_stand_where_they_were_written(tokens: list[str]) -> None:
    text = "".join(tokens)
    placed = place(text, [TokenLogprob(token, 0.0) for token in tokens])
    assert [text[one.start : one.end] for one in placed] == tokens


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "12", "中", "文字", '":', "}"]), min_size=1, max_size=20), st.data())
def test_characters_in_pieces_do_not_lose_what_follows(tokens: list[str], data: st.DataObject) -> None:
    """Of some tokens only broken halves are told: a character's first bytes in one, its last in the next."""
    told: list[TokenLogprob] = []
    whole: list[tuple[int, str]] = []
    at = 0
    for token in tokens:
        if not token.isascii() and data.draw(st.booleans()):
            told += [TokenLogprob("\ufffd", 0.0), TokenLogprob("", 0.0)]
        else:
            told.append(TokenLogprob(token, 0.0))
            whole.append((at, token))
        at += len(token)
    placed = place("".join(tokens), told)
    digits = [(start, token) for start, token in whole if token == "12"]
    found = {(one.start, "".join(tokens)[one.start : one.end]) for one in placed}
    # Where the same sign stands just before, it may be taken for it; a value is never lost altogether.
    assert len([one for one in found if one[1].endswith("12")]) >= len(set(digits)) or not digits


def test_a_value_is_as_sure_as_all_its_own_tokens_together() -> None:
    made = transcript(('{"value":', 0.01), ("1", 0.9), ("2", 0.5), ("}", 0.3))
    start = made.text.index("12")
    assert made.joint(start, start + 2) == pytest.approx(0.45)


def test_a_token_that_also_writes_the_next_sign_counts_for_the_value() -> None:
    made = transcript(('{"value":', 1.0), ("12}", 0.6))
    assert made.joint(9, 11) == pytest.approx(0.6)


def test_nothing_is_known_where_the_engine_tells_no_tokens() -> None:
    made = Transcript()
    made.add(Delta("12", None))
    assert made.joint(0, 2) is None
    assert made.prose() is None


def test_a_place_that_no_token_wrote_is_not_known() -> None:
    made = transcript(("ab", 0.5))
    assert made.joint(0, 3) is None
