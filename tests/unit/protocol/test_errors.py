"""The error table is the contract's table, in two languages, and never says more than it should."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from sightline.protocol import errors
from sightline.protocol.errors import TABLE, MalformedRequest, TooLarge, UnknownTask
from sightline.protocol.language import Bilingual, from_accept_language, of_text

CONTRACT = {
    1000: 400, 1001: 415, 1002: 422, 1003: 422, 1004: 413, 1005: 422, 1006: 400, 2001: 503, 2002: 504, 3001: 403,
    4001: 401, 4002: 403, 4003: 429, 4004: 429, 5000: 500, 5001: 503,
}  # fmt: skip


def test_codes_and_statuses_are_those_that_clients_know() -> None:
    assert {code: kind.status for code, kind in TABLE.items()} == CONTRACT


@pytest.mark.parametrize("kind", TABLE.values(), ids=lambda kind: kind.__name__)
def test_every_error_speaks_both_languages_and_says_what_to_do(kind: type[errors.Error]) -> None:
    values = {name: "X" for name in inspect.signature(kind.__init__).parameters if name != "self"}
    for sentence in (kind.message, kind.hint):
        assert any("\u4e00" <= character <= "\u9fff" for character in sentence.zh)
        assert not any("\u4e00" <= character <= "\u9fff" for character in sentence.en)
        gaps = {part.split("}")[0] for part in sentence.en.split("{")[1:]}
        assert gaps == {part.split("}")[0] for part in sentence.zh.split("{")[1:]}
        assert gaps <= {*values, "allowed", "tasks"}


def test_the_body_on_the_wire_carries_the_numbers() -> None:
    error = TooLarge(Bilingual("图片", "The image"), 60_000_000, 50_000_000, "pixels", input=0)
    body = msgspec.to_builtins(error.body("req_1", "en"))
    assert body["code"] == 1004
    assert body["msg"] == "The image is too large: 60000000 pixels, the limit is 50000000 pixels."
    assert body["error"]["type"] == "too_large"
    assert body["error"]["details"] == {"what": "The image", "actual": 60_000_000, "limit": 50_000_000, "unit": "pixels", "input": 0}
    assert error.body("req_1", "zh").msg.startswith("图片过大")


def test_a_cause_is_for_the_log_alone() -> None:
    error = errors.BackendUnavailable(cause="connect to 10.0.0.7:8000 refused")
    assert b"10.0.0.7" not in msgspec.json.encode(error.body("r", "en"))
    assert error.cause == "connect to 10.0.0.7:8000 refused"


def test_lists_of_allowed_values_are_read_out() -> None:
    assert UnknownTask("paint", ["captioning", "vqa"]).advise("en") == "The tasks are: captioning, vqa"
    error = MalformedRequest("options.detail", Bilingual("坏", "bad"), ["low", "high"])
    assert error.advise("zh") == "允许的值：low, high"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,zh;q=0.5", "en"),
        ("fr,zh;q=0.3", "zh"),
        ("fr", "en"),
        ("zh;q=x", "en"),
        ("zh;q=0", "en"),
    ],
)
def test_the_readers_language_is_found(header: str | None, language: str) -> None:
    assert from_accept_language(header) == language


@pytest.mark.parametrize(
    ("text", "language"), [("图里有什么", "zh"), ("how many 圆?", "zh"), ("how many", "en"), ("123 ?", None), ("", None)]
)
def test_the_language_of_a_text_is_found(text: str, language: str | None) -> None:
    assert of_text(text) == language
