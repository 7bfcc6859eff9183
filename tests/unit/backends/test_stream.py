"""Completion chunks to deltas."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sightline.backends.stream import Answer, BrokenStream
from sightline.protocol.sse import Parser
from tests.contract.backends.servers import DONE, chunk, usage

PIECES = st.lists(st.tuples(st.text(min_size=1, max_size=4), st.floats(-20, 0)), max_size=8)


@given(PIECES, st.lists(st.integers(0, 4000), max_size=12))
def test_however_the_bytes_are_cut_the_answer_is_the_same(pieces: list[tuple[str, float]], cuts: list[int]) -> None:
    stream = b"".join(chunk(text, logprob=logprob) for text, logprob in pieces) + chunk(finish="stop") + usage(3, len(pieces)) + DONE
    borders = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    parser, answer, deltas = Parser(), Answer(), []
    for start, end in pairwise(borders):
        answer.feed(parser.feed(stream[start:end]))
        if (delta := answer.take()) is not None:
            deltas.append(delta)
    assert answer.done
    assert "".join(delta.text for delta in deltas) == "".join(text for text, _ in pieces)
    assert [token.token for delta in deltas for token in delta.logprobs or ()] == [text for text, _ in pieces]
    assert [delta.finish for delta in deltas] == [None] * (len(deltas) - 1) + ["stop"]
    assert deltas[-1].usage is not None


@given(
    st.lists(st.one_of(st.binary(max_size=200), st.sampled_from([chunk("a"), chunk(finish="stop"), DONE, b"data: [1]\n\n"])), max_size=10)
)
def test_any_bytes_are_an_answer_or_a_broken_stream(pieces: list[bytes]) -> None:
    parser, answer = Parser(), Answer()
    try:
        for piece in pieces:
            answer.feed(parser.feed(piece))
            answer.take()
    except BrokenStream:
        return
    assert not answer.done or DONE in b"".join(pieces)
