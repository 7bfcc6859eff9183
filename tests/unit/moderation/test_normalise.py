"""How text is read: every character alone, and always the same."""

import unicodedata
from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.moderation.normalise import CoarseTable, Folds, PartedTable, coarse, fold
from sightline.moderation.reading import Reading


@settings(deadline=None)
@given(st.text())
def test_the_fast_way_and_the_exact_way_read_the_same_letters(text: str) -> None:
    folds = Folds()
    reading = Reading(folds)
    reading.read(text)
    assert text.translate(CoarseTable(folds)) == reading.coarse
    assert reading.end == len(text)
    assert all(text[place] == original for place, original in zip(reading.at, reading.originals, strict=True))


@settings(deadline=None)
@given(st.text() | st.text("aAi1@$.,- \tb炸ﬃ\u0301\u200b"))
def test_no_word_begins_where_the_fast_way_sees_none(text: str) -> None:
    folds = Folds()
    reading = Reading(folds)
    reading.read(text)
    parts = text.translate(PartedTable(folds)).split()
    assert "".join(parts) == reading.coarse
    begins = {0, *accumulate(map(len, parts))}
    assert all(index in begins for index in range(len(reading.letters)) if reading.starts_word(index))


@settings(deadline=None)
@given(st.text(), st.integers(0, 50))
def test_reading_in_pieces_reads_the_same(text: str, cut: int) -> None:
    whole, parts = Reading(Folds()), Reading(Folds())
    whole.read(text)
    parts.read(text[:cut])
    parts.read(text[cut:])
    for name in ("letters", "at", "gaps", "coarse", "trailing", "end"):
        assert getattr(whole, name) == getattr(parts, name)


@settings(deadline=None)
@given(st.characters())
def test_folding_ends_and_what_is_folded_stays(character: str) -> None:
    letters, gap = fold(character)
    assert not (letters and gap)
    assert len(coarse(letters)) == len(letters)
    assert "".join(fold(letter)[0] for letter in letters) == letters


@settings(deadline=None)
@given(st.characters(categories=["Lu"]))
def test_case_makes_no_difference_within_a_script(character: str) -> None:
    lower = character.lower()
    if unicodedata.name(character, "").startswith("LATIN") and len(lower) == 1:
        assert fold(character)[0] == fold(lower)[0]
