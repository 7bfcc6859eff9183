"""`/static/sightline.js` as a program outside a browser uses it: fetched from the service, run by Node.js."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sightline.cli import sample
from tests.acceptance.javascript.run import HERE, finished, program
from tests.scripted import ACCEPTED, ScriptedService, as_stream, tokens


@pytest.fixture(scope="module")
def came(simulated: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    picture: Path = tmp_path_factory.mktemp("pictures") / "shapes.png"
    picture.write_bytes(sample.picture())
    with ScriptedService(as_stream([ACCEPTED, *tokens("half an ")], cut=True)) as broken:
        return finished([program("node"), str(HERE / "module.mjs"), simulated, str(picture), broken.url])


def test_an_answer_in_one_piece_and_as_it_comes(came: Any) -> None:
    asked, streamed = came["asked"], came["streamed"]
    assert asked["answer"].startswith("Simulated: ")
    assert asked["metadata"]["receipts"][0]["original_width"] == sample.WIDTH
    assert (asked["code"], asked["request_id"][:4]) == (0, "req_")
    assert streamed["types"] == ["accepted", "token", "final"]
    assert streamed["text"] == streamed["answer"]
    assert 0 < streamed["confidence"] <= 1


def test_leaving_early(came: Any) -> None:
    assert came["left"]


def test_an_upload_is_asked_about_and_forgotten(came: Any) -> None:
    assert came["uploaded"]["width"] == sample.WIDTH
    assert came["uploaded"]["gone"]["kind"] == "service"


def test_what_the_service_says_of_itself(came: Any) -> None:
    assert came["ready"] is True
    assert {"vqa", "captioning"} <= set(came["tasks"])


def test_errors_say_what_went_wrong(came: Any) -> None:
    malformed = came["malformed"]
    assert (malformed["kind"], malformed["code"], malformed["field"]) == ("service", 1000, "options.temperature")
    assert malformed["requestId"].startswith("req_")
    assert came["chinese"]["code"] == 1006
    assert "可用任务" in came["chinese"]["hint"]
    assert came["unreachable"]["kind"] == "unreachable"
    assert came["cut"]["kind"] == "cut"
