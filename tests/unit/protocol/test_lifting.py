"""Long strings stay where they are: what comes of a body is what decoding all of it gives, whatever is sent."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.protocol import lifting
from sightline.protocol.decode import decode, decode_whole
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.lifting import LEAST, Held, lift
from sightline.protocol.requests import InferRequest
from sightline.server.openai_wire import ChatRequest

LONG = "A" * (LEAST + 1)


def body(**fields: Any) -> bytes:
    return json.dumps({"task": "vqa", **fields}).encode()


def read(value: Any) -> Any:
    """The same with every string read."""
    if isinstance(value, Held):
        return value.read()
    if isinstance(value, list):
        return [read(entry) for entry in value]
    if isinstance(value, msgspec.Struct):
        return {name: read(getattr(value, name)) for name in value.__struct_fields__}
    return bytes(value) if isinstance(value, msgspec.Raw) else value


def outcome(kind: type[msgspec.Struct], sent: bytes, how: Any) -> Any:
    try:
        return read(how(sent, kind))
    except MalformedRequest as error:
        return error.details["field"], error.message
    except (msgspec.DecodeError, UnicodeDecodeError):
        with pytest.raises(MalformedRequest) as whole:
            decode_whole(b'"\x01"', str)
        return "body", whole.value.message


CHAT = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": LONG}}, {"type": "text", "text": "?"}]}


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (body(images=[LONG, "short", "data:image/png;base64," + LONG]), InferRequest),
        (body(images=[{"data": LONG}], messages=[{"role": "user", "images": [LONG]}]), InferRequest),
        (json.dumps({"messages": [CHAT]}).encode(), ChatRequest),
    ],
)
def test_pictures_are_left_unread(sent: bytes, kind: type[msgspec.Struct]) -> None:
    found = decode(sent, kind)
    assert "Held" in repr(found)
    assert LONG not in repr(found)
    assert read(found) == read(decode_whole(sent, kind))


@pytest.mark.parametrize(
    "fields",
    [
        {"text": LONG},
        {"text": "x" * 200_001},
        {"images": [{"url": LONG}]},
        {"images": [{"file_id": LONG}]},
        {"images": [{"data": LONG, "url": "u"}]},
        {"images": [{LONG: "u"}]},
        {"images": [LONG], "options": {"system": LONG}},
        {"images": [LONG], "nonsense": 1},
        {"images": [LONG], "text": 'a quote " and a backslash \\'},
        {"messages": [{"role": "assistant", "images": [LONG]}]},
        {LONG: 1},
    ],
)
def test_long_strings_elsewhere_are_judged_as_ever(fields: dict[str, Any]) -> None:
    sent = body(**fields)
    assert outcome(InferRequest, sent, decode) == outcome(InferRequest, sent, decode_whole)


def test_a_name_that_comes_twice_and_a_string_that_never_ends() -> None:
    twice = b'{"task":"vqa","images":["' + LONG.encode() + b'"],"images":["' + LONG.encode() + b'","b"]}'
    assert read(decode(twice, InferRequest)) == read(decode_whole(twice, InferRequest))
    for broken in (twice[:-4], twice.replace(b"A", b"\n", 1), twice.replace(b"A", b"\\", 1), twice.replace(b"A", b"\xff", 1)):
        assert outcome(InferRequest, broken, decode) == outcome(InferRequest, broken, decode_whole)


def test_bodies_that_would_take_long_to_search_are_decoded_as_a_whole() -> None:
    assert lift(body(images=["a"] * 2000 + [LONG])) is None
    assert lift(body(images=["\\" * 1000, LONG])) is None
    assert lift(body(images=['"' * 2000, LONG])) is None
    assert lift(body(images=["a"])) is None


ODD = st.text(st.sampled_from('"\\/a,:{}[]é\n\x7f\u20ac😀'), max_size=12)
STRINGS = ODD | st.text(max_size=8) | st.from_regex(r"(data:image/png;base64,)?[A-Za-z0-9+/]{0,20}={0,2}", fullmatch=True)
MEDIA = STRINGS | st.fixed_dictionaries({}, optional={"url": STRINGS, "data": STRINGS, "file_id": STRINGS, "held": STRINGS})
REQUESTS = st.fixed_dictionaries(
    {"task": STRINGS},
    optional={
        "images": st.lists(MEDIA, max_size=4),
        "text": STRINGS,
        "options": st.dictionaries(STRINGS, STRINGS | st.integers(), max_size=2),
        "messages": st.lists(st.fixed_dictionaries({"role": st.just("user")}, optional={"text": STRINGS, "images": st.lists(MEDIA)})),
    },
)
SLIPS = st.lists(st.tuples(st.integers(0, 400), st.sampled_from([b"", b'"', b"\\", b"\\u12", b"\n", b"\xff", b",", b"]"])), max_size=3)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REQUESTS, SLIPS, st.booleans(), st.integers(0, 6))
def test_any_json_comes_out_the_same(request: dict[str, Any], slips: list[tuple[int, bytes]], ascii_only: bool, least: int) -> None:
    sent = json.dumps(request, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    for number, slip in slips:
        place = number % len(sent)
        sent = sent[:place] + slip + sent[place + 1 :]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifting, "LEAST", least)
        assert outcome(InferRequest, sent, decode) == outcome(InferRequest, sent, decode_whole)
