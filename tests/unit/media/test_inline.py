"""Base64 and data URIs in the forms that people send."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.media.inline import decode_inline, scheme, start_of
from sightline.media.refusals import Over
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.lifting import Held

CONTENT = bytes(range(256)) * 3 + b"\xfb\xff"
STANDARD = base64.b64encode(CONTENT).decode()
URL_SAFE = base64.urlsafe_b64encode(CONTENT).decode()


@pytest.mark.parametrize(
    "text",
    [
        STANDARD,
        URL_SAFE,
        STANDARD.rstrip("="),
        URL_SAFE.rstrip("="),
        "\n".join(STANDARD[at : at + 76] for at in range(0, len(STANDARD), 76)) + "\r\n",
        f"  {STANDARD}\t",
        f"data:image/png;base64,{STANDARD}",
        f"data:image/png;charset=utf-8;base64,{STANDARD}",
        f"data:;base64,{URL_SAFE}",
        f"DATA:image/png;BASE64,{STANDARD}",
        "data:image/png;base64," + STANDARD.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
        "data:application/octet-stream," + "".join(f"%{byte:02X}" for byte in CONTENT),
    ],
)
def test_forms(text: str) -> None:
    assert decode_inline(text, 0, 10_000) == CONTENT
    for literal in (json.dumps(text), json.dumps(text).replace("/", "\\/")):
        assert decode_inline(held(literal), 0, 10_000) == CONTENT


def held(literal: str) -> Held:
    """As a long string comes, its JSON not read yet."""
    return Held(memoryview(literal.encode()))


def test_a_held_string_begins_as_it_reads() -> None:
    assert start_of(held(json.dumps("data:image/png;base64,AAAA"))) == "data:image/png;base64,AAAA"
    assert start_of(held('"data:image\\/png;base64,AAAA"')) == "data:image/png;base64,AAAA"
    # Where it breaks off after a few hundred bytes, no character is cut in two.
    for shift in range(8):
        read = start_of(held(json.dumps("x" * shift + "é" * 200)))
        assert read
        assert set(read) == {"x", "é"} if shift else {"é"}


@pytest.mark.parametrize("text", ["!!!", "a photo.jpg", STANDARD + "*", "data:image/png;base64", "AAAAA", "data:;base64,§", "你好", "A=A="])
def test_what_is_not_base64_names_its_place(text: str) -> None:
    for given_text in (text, held(json.dumps(text)), held(json.dumps(text, ensure_ascii=False))):
        with pytest.raises(MalformedRequest) as refused:
            decode_inline(given_text, 3, 10_000)
        assert refused.value.details["field"] == "images[3]"


def test_a_held_string_that_is_no_json() -> None:
    with pytest.raises(MalformedRequest) as refused:
        decode_inline(held('"AAAA\n"'), 3, 10_000)
    assert refused.value.details["field"] == "body"


def test_bounds() -> None:
    with pytest.raises(Over) as over:
        decode_inline(base64.b64encode(bytes(5000)).decode(), 0, 3000)
    assert over.value.limit == 3000
    with pytest.raises(Over):
        decode_inline(base64.b64encode(bytes(3001)).decode(), 0, 3000)
    for text in ("data:," + "a" * 3001, held(f'"{base64.b64encode(bytes(5000)).decode()}"'), held(f'"{"A" * 4004}"')):
        with pytest.raises(Over):
            decode_inline(text, 0, 3000)
    assert len(decode_inline(base64.b64encode(bytes(3000)).decode(), 0, 3000)) == 3000


@given(st.binary(max_size=300), st.integers(1, 80))
@settings(deadline=None)
def test_whatever_is_encoded_comes_back(content: bytes, width: int) -> None:
    for text in (base64.b64encode(content).decode(), base64.urlsafe_b64encode(content).decode().rstrip("=")):
        broken_up = " \n".join(text[at : at + width] for at in range(0, len(text), width))
        assert decode_inline(broken_up, 0, 1000) == content


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_is_decoded_or_refused(text: str) -> None:
    with contextlib.suppress(MalformedRequest, Over):
        decode_inline(text, 0, 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://x/", "https"),
        ("file:/etc/passwd", "file"),
        (" DATA:,", "data"),
        ("iVBORw0KGgo", None),
        ("C:/x", None),
        ("a b:c", None),
        ("", None),
    ],
)
def test_scheme(text: str, expected: str | None) -> None:
    assert scheme(text) == expected
