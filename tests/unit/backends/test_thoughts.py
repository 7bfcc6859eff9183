"""Thoughts in the text of an answer are told apart, wherever its pieces are cut."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.backends.stream import Answer
from sightline.backends.thoughts import Thoughts
from sightline.protocol.sse import Message


def split(pieces: list[str]) -> tuple[str, str]:
    thoughts = Thoughts()
    halves = [*map(thoughts.split, pieces), thoughts.end()]
    return "".join(thought for thought, _ in halves), "".join(text for _, text in halves)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in itertools.pairwise(places)]


@settings(deadline=None)
@given(thought=st.text(max_size=20), answer=st.text(max_size=20), cuts=st.lists(st.integers(0, 100), max_size=6))
def test_it_does_not_matter_where_the_pieces_are_cut(thought: str, answer: str, cuts: list[int]) -> None:
    if "</think>" in thought:
        return
    whole = f"\n<think>{thought}</think>\n\n{answer}"
    assert split(pieces_of(whole, cuts)) == (thought, answer.lstrip())


@settings(deadline=None)
@given(text=st.text(max_size=40), cuts=st.lists(st.integers(0, 100), max_size=6))
def test_an_answer_without_thoughts_is_left_as_it_is(text: str, cuts: list[int]) -> None:
    if not text.lstrip().startswith("<think>"):
        assert split(pieces_of(text, cuts)) == ("", text)


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        ("<think>never done", ("never done", "")),
        ("<think>a</thi", ("a</thi", "")),
        ("<thi", ("", "<thi")),
        ("It says <think>.", ("", "It says <think>.")),
        ("", ("", "")),
    ],
)
def test_what_is_cut_or_stands_elsewhere(text: str, halves: tuple[str, str]) -> None:
    assert split([text]) == halves


def test_tokens_of_thoughts_do_not_count_for_the_answer() -> None:
    answer = Answer()

    def event(text: str) -> Message:
        choice = {"delta": {"content": text}, "logprobs": {"content": [{"token": text, "logprob": -1.0}]}}
        return Message("message", json.dumps({"choices": [choice]}).encode())

    answer.feed([event(text) for text in ("<thi", "nk>", "hm", "</think>", "\n\n", "4", "2")])
    answer.feed([Message("message", b'{"choices":[{"delta":{},"finish_reason":"stop"}]}'), Message("message", b"[DONE]")])
    delta = answer.take()
    assert delta is not None
    assert (delta.reasoning, delta.text) == ("hm", "42")
    assert [token.token for token in delta.logprobs or ()] == ["4", "2"]
