"""JSON with the place of every value, whole or cut anywhere."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.tasks.charts.spans import read

_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6), st.text(max_size=8))
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4), max_leaves=12
)
_WHOLE = _VALUES.filter(lambda value: isinstance(value, list | dict))


@settings(deadline=None)
@given(_WHOLE, st.sampled_from(["", "```json\n", "Here it is: "]), st.booleans())
def test_it_reads_what_json_reads_whatever_stands_around_it(value: Any, before: str, compact: bool) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":") if compact else (", ", ": "))
    node = read(f"{before}{text}\n```")
    assert node is not None
    assert node.whole
    assert node.plain() == value


@settings(deadline=None)
@given(_WHOLE)
def test_every_place_holds_its_value(value: Any) -> None:
    text = json.dumps(value)
    node = read(text)
    assert node is not None
    for scalar in node.scalars():
        assert json.loads(text[scalar.start : scalar.end]) == scalar.value


@settings(deadline=None)
@given(_WHOLE, st.data())
def test_of_a_text_that_was_cut_only_whole_values_are_kept(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value, separators=(",", ":"))
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    node = read(cut)
    assert node is not None
    assert not node.whole
    kept = list(node.scalars())
    everything = list(read(text).scalars())  # type: ignore[union-attr]
    assert [one.value for one in kept] == [one.value for one in everything[: len(kept)]]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_without_harm(text: str) -> None:
    read(text)


def test_a_number_at_the_very_end_may_have_gone_on() -> None:
    node = read('{"a":[1,12')
    assert node is not None
    assert node.plain() == {"a": [1]}


def test_nesting_without_end_is_no_recursion_without_end() -> None:
    assert read("[" * 100_000) is not None
