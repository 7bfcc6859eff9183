"""Patterns: bounded when they are loaded, and the same language as regular expressions where both can say it."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.moderation.normalise import Folds
from sightline.moderation.pattern import LONGEST, Pattern, PatternFault
from sightline.moderation.reading import Reading


def whole(pattern: Pattern, text: str) -> bool:
    """Whether the pattern matches a text from its beginning to its end."""
    reading = Reading(Folds())
    reading.read(text)
    stop, _ = pattern.match(reading, 0, final=True)
    return stop == len(text)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("bo*mb", r"no longest length"),
        ("bo+mb", r"no longest length"),
        ("ab.{3,}c", r"no longest length"),
        ("ab(c|d)*", r"no longest length"),
        ("ab.{0,201}", "counts are"),
        ("ab(c{0,100}){0,3}", "limit is"),
        ("ab(.{0,60}){0,60}", "too large|limit is"),
        ("(a?)(b?)", "nothing at all"),
        ("a?b?c?", "nothing at all"),
        ("", "nothing at all"),
        ("---", "nothing at all"),
        ("(ab", "never closed"),
        ("ab)", "never opened"),
        ("[ab", "never closed"),
        ("[]ab", "never closed"),
        ("ab[z-a]", "backwards"),
        ("ab{2,1}", "counts are"),
        ("ab{x}", "a count is"),
        ("?ab", "cannot stand"),
        ("^ab$", "cannot stand"),
        ("ab\\q", "unknown escape"),
        ("ab(?=c)", r"no \(\?"),
        (".ab", "must begin"),
        ("a", "must begin"),
        ("a.{0,5}b", "must begin"),
        ("[^a]bc", "must begin"),
        ("(" * 5000, "nested"),
        ("ab" * 300, "limit is"),
        ("(" + "|".join(f"a{number:04}" for number in range(1000)) + ")", "too large"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_its_reason(source: str, word: str) -> None:
    with pytest.raises(PatternFault, match=word) as told:
        Pattern(source)
    assert told.value.reason.zh


_atoms = st.sampled_from(["a", "b", "c", "[ab]", "[^a]", ".", "(ab|c)", "(a|bc)"])
_counts = st.sampled_from(["", "", "?", "{2}", "{0,2}", "{1,3}"])
_sources = st.lists(st.tuples(_atoms, _counts).map("".join), max_size=5).map("".join)


@settings(deadline=None)
@given(_sources, _sources, st.text("abcd", max_size=12))
def test_it_is_the_language_of_regular_expressions(left: str, right: str, tail: str) -> None:
    source, text = f"xy({left}|{right}){left}z", f"xy{tail}z"
    expected = re.match(source, text)
    # The shortest match ends where a word ends: here, at the end of the text.
    assert whole(Pattern(source), text) == bool(re.fullmatch(source, text)), (source, text, expected)


@settings(deadline=None)
@given(_sources, st.text("abcdxyz", max_size=20), st.integers(0, 20))
def test_more_text_only_comes_where_it_was_said_that_it_may(source: str, text: str, cut: int) -> None:
    pattern = Pattern(f"xy{source}z")
    text = "xy" + text
    reading = Reading(Folds())
    reading.read(text[: 2 + cut])
    stop, alive = pattern.match(reading, 0, final=False)
    reading.read(text[2 + cut :])
    later, _ = pattern.match(reading, 0, final=True)
    if stop is not None:
        assert later == stop
    elif not alive:
        assert later is None


@settings(deadline=None)
@given(_sources, _sources, st.text("abcdxyz4@1lI80", max_size=20))
def test_what_matches_could_end(left: str, right: str, text: str) -> None:
    pattern = Pattern(f"ab({left})({right})")
    reading = Reading(Folds())
    reading.read("ab" + text)
    stop, _ = pattern.match(reading, 0, final=True)
    assert stop is None or pattern.may_end(reading.coarse)


def test_a_question_about_something_else_is_told_by_its_end() -> None:
    pattern = Pattern("how (to|do i) (make|build) .{0,12}(bombs?|guns?)")
    assert pattern.may_end("howtomakeabomb")
    assert not pattern.may_end("howtomakeacake")


def test_matches_are_no_longer_than_said() -> None:
    pattern = Pattern("how to (make|build) (an? )?.{0,12}bombs?")
    assert pattern.longest == len("howto") + 5 + 2 + 12 + 5 <= LONGEST
    assert pattern.leads == {"howtomak", "howtobui"}


def test_no_pattern_takes_exponential_time() -> None:
    pattern = Pattern("ab(a?){60}a{60}b")
    reading = Reading(Folds())
    reading.read("ab" + "a" * 5000)
    begin = time.perf_counter()
    assert pattern.match(reading, 0, final=True)[0] is None
    assert time.perf_counter() - begin < 5, "backtracking would take longer than the world is old"


def test_signs_for_letters_are_read_but_digits_stay_digits() -> None:
    assert whole(Pattern("hello world"), "h3ll0w0rld")
    assert whole(Pattern(r"no\d{3}"), "no123")
    assert not whole(Pattern(r"no\d{3}"), "noabc")
