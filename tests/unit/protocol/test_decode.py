"""Bytes to requests: what is wrong is named by its field, with a reason and the allowed values, whatever comes in."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.protocol.decode import decode
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.requests import InferRequest, MediaObject, Options

EXISTING = (
    b'{"task": "vqa", "images": ["https://example.com/a.jpg", "https://example.com/b.jpg"], "text": "?", '
    b'"options": {"max_tokens": 512, "temperature": 0.7, "top_p": 0.9, "stream": false}}'
)


def test_the_request_that_existing_clients_send_is_understood() -> None:
    request = decode(EXISTING, InferRequest)
    assert (request.task, len(request.images), request.text) == ("vqa", 2, "?")
    options = decode(request.options, Options)
    assert (options.max_tokens, options.temperature, options.top_p, options.stream) == (512, 0.7, 0.9, False)


def test_an_image_may_be_an_object() -> None:
    request = decode(b'{"task":"vqa","images":["u",{"url":"http://a/"},{"data":"AA=="},{"file_id":"f"}]}', InferRequest)
    assert request.images[1:] == [MediaObject(url="http://a/"), MediaObject(data="AA=="), MediaObject(file_id="f")]


@pytest.mark.parametrize(
    ("body", "field", "said", "allowed"),
    [
        (b"{", "body", "not valid JSON", "a JSON object in UTF-8"),
        (b"\xff\xfe", "body", "not valid JSON", "a JSON object in UTF-8"),
        (b'{"options":' + b"[" * 100_000, "body", "not valid JSON", None),
        (b"[1]", "body", "should be an object, not an array", None),
        (b"{}", "task", "missing", None),
        (b'{"task":1}', "task", "should be a string, not a whole number", None),
        (b'{"task":"vqa","imgs":[]}', "imgs", "no such field", "images, messages, options, task, text"),
        (b'{"task":"vqa","images":"a"}', "images", "should be an array", None),
        (b'{"task":"vqa","images":[3]}', "images[0]", "should be a string or an object", None),
        (b'{"task":"vqa","images":[{"url":"a","data":"b"}]}', "images[0]", "exactly one of", None),
        (b'{"task":"vqa","images":[{"uri":"a"}]}', "images[0].uri", "no such field", "data, file_id, url"),
        (b'{"task":"vqa","messages":[{"role":"robot"}]}', "messages[0].role", "not one of", "assistant, user"),
        (b'{"task":"vqa","messages":[{"role":"assistant","images":["a"]}]}', "messages[0]", "cannot hold images", None),
    ],
)
def test_each_mistake_is_named(body: bytes, field: str, said: str, allowed: str | None) -> None:
    with pytest.raises(MalformedRequest) as raised:
        decode(body, InferRequest)
    error = raised.value
    assert error.details["field"] == field
    assert said in error.say("en")
    assert error.say("zh") != error.say("en")
    if allowed:
        assert allowed in error.advise("en")


@pytest.mark.parametrize(
    ("body", "field", "allowed"),
    [
        (b'{"max_tokens":0}', "options.max_tokens", "1..32768"),
        (b'{"max_tokens":1.5}', "options.max_tokens", "1..32768"),
        (b'{"temperature":3}', "options.temperature", "0..2"),
        (b'{"top_p":0}', "options.top_p", "over 0, up to 1"),
        (b'{"detail":"ultra"}', "options.detail", "auto, high, low"),
        (b'{"language":"fr"}', "options.language", "en, zh"),
        (b'{"stop":["a","b","c","d","e"]}', "options.stop", "0..4 entries"),
        (b'{"seed":-1}', "options.seed", "0..4294967295"),
        (b'{"n":2}', "options.n", "max_tokens"),
    ],
)
def test_options_name_what_is_allowed(body: bytes, field: str, allowed: str) -> None:
    with pytest.raises(MalformedRequest) as raised:
        decode(body, Options, at="options")
    assert raised.value.details["field"] == field
    assert allowed in raised.value.advise("en")


@given(st.binary(max_size=400))
def test_no_bytes_cause_anything_but_a_clear_refusal(body: bytes) -> None:
    try:
        decode(body, InferRequest)
    except MalformedRequest as error:
        assert error.say("zh")
        assert error.body("r", "en").code == 1000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["task", "images", "text", "options", "messages", "url", "role", "x"]), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_json_causes_anything_but_a_clear_refusal(value: object) -> None:
    try:
        request = decode(msgspec.json.encode(value), InferRequest)
        decode(request.options, Options, at="options")
    except MalformedRequest as error:
        assert error.details["field"]
        msgspec.json.encode(error.body("r", "zh"))
