"""Server-sent events: what is written is what is read, however the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.protocol import sse
from sightline.protocol.errors import Overloaded
from sightline.protocol.events import Accepted, Failed, Token


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.text(), min_size=1, max_size=20), st.lists(st.integers(0, 10_000), max_size=30))
def test_tokens_survive_any_cut(texts: list[str], places: list[int]) -> None:
    data = b"".join(sse.encode(Token(text, index)) + (sse.COMMENT if index % 3 == 0 else b"") for index, text in enumerate(texts))
    parser = sse.Parser()
    messages = [message for chunk in cut(data, places) for message in parser.feed(chunk)]
    assert [message.event for message in messages] == ["token"] * len(texts)
    assert [msgspec.json.decode(message.data)["token"] for message in messages] == texts


@given(st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 1000), max_size=10))
def test_every_line_end_of_the_standard_is_read(end: str, places: list[int]) -> None:
    text = end.join(
        ["\ufeff: comment", "event: a", "data: one", "data:two", "id: 7", "retry: 5", "", "data: three", "", "event: empty", "", ""]
    )
    parser = sse.Parser()
    messages = [message for chunk in cut((text + end).encode(), places) for message in parser.feed(chunk)]
    assert messages == [sse.Message("a", b"one\ntwo"), sse.Message("message", b"three")]


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=8))
def test_arbitrary_bytes_never_break_the_reader(data: bytes, places: list[int]) -> None:
    whole, pieces = sse.Parser(), sse.Parser()
    once = list(whole.feed(data + b"\n\n"))
    assert [message for chunk in [*cut(data, places), b"\n\n"] for message in pieces.feed(chunk)] == once


def test_an_endless_event_is_cut() -> None:
    parser = sse.Parser(limit=1000)
    line = b"data: " + b"x" * 50 + b"\n"
    with pytest.raises(sse.TooLong):
        list(parser.feed(line * 100))


def test_each_event_has_the_name_and_shape_of_the_contract() -> None:
    assert sse.encode(Token("第", 0)) == 'event: token\ndata: {"token":"第","index":0}\n\n'.encode()
    accepted = sse.encode(Accepted(request_id="r", lane="A", model="m", predicted_wait_ms=0))
    assert accepted.startswith(b'event: accepted\ndata: {"request_id":"r"')
    failed = sse.encode(Failed(Overloaded("A", retry_after_ms=1500).body("r", "zh")))
    assert failed.startswith('event: error\ndata: {"request_id":"r","code":2001,"msg":"模型正忙'.encode())
