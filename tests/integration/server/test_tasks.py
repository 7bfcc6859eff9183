"""Tasks over HTTP as callers meet them: a document page by page, a task and a persona out of a folder, what can be asked."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import FAKE, lanes, serving
from tests.pictures import png
from tests.unit.media.files import pdf_of

GUIDE = Path(__file__).parents[3] / "docs/guide/writing-a-task.md"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose folder holds what the guide shows, letter by letter."""
    folder = tmp_path_factory.mktemp("tasks")
    text = GUIDE.read_text("utf-8")
    examples = re.findall(r"```toml elsewhere\n(.*?)```", text, re.DOTALL)
    for example in examples:
        name = re.search(r'^name = "(\w+)"', example, re.MULTILINE)
        assert name
        (folder / f"{name[1]}.toml").write_text(example, "utf-8")
    (persona,) = re.findall(r"```text\n(---\n.*?)```", text, re.DOTALL)
    (folder / "safety_officer.en.txt").write_text(persona, "utf-8")
    with serving(tmp_path_factory.mktemp("service"), f'{FAKE}\n[tasks]\nfolder = "{folder}"\n{lanes()}') as service:
        yield service.url


def data(content: bytes) -> str:
    return base64.b64encode(content).decode()


def post(address: str, task: str, content: bytes, text: str = "", **options: Any) -> httpx.Response:
    body = {"task": task, "images": [data(content)], "text": text, "options": options}
    return httpx.post(f"{address}/infer", json=body, timeout=30)


def test_a_document_is_read_page_by_page(served: str) -> None:
    document = pdf_of((200, 200), (200, 300), (200, 200))
    body = {"task": "doc_analyze", "images": [data(document)], "text": "Who signed it?"}
    with httpx.stream("POST", f"{served}/infer_stream", json=body, timeout=30) as response:
        assert response.status_code == 200
        events = [(name, json.loads(said)) for name, said in re.findall(r"event: (\w+)\ndata: (.*)\n", response.read().decode())]
    accepted, final = events[0][1], events[-1][1]
    assert accepted["timeout_ms"] == 90_000
    told = [said for name, said in events if name == "progress" and said["stage"] == "pages"]
    assert [(said["done"], said["total"]) for said in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert [each["page"] for each in final["structured"]["citations"]] == [1, 2, 3]
    assert all(0 < each["confidence"] < 1 and each["snippet"].startswith("Simulated") for each in final["structured"]["citations"])
    assert final["metadata"]["receipts"][0]["pages"] == [1, 2, 3]
    assert "".join(said["token"] for name, said in events if name == "token") == final["answer"]


def test_pages_that_are_not_there_are_refused_before_anything_is_read(served: str) -> None:
    refused = post(served, "doc_analyze", pdf_of((200, 200)), "Who?", pages="2-3")
    assert (refused.status_code, refused.json()["code"]) == (400, 1000)
    assert refused.json()["error"]["details"]["field"] == "options.pages"
    assert refused.json()["error"]["details"]["allowed"] == "1-1"


def test_a_hand_written_task_is_asked_like_any_other(served: str) -> None:
    answered = post(served, "count_bars", png(64, 64))
    assert answered.status_code == 200
    assert answered.json()["result"]["metadata"]["task"] == "count_bars"
    assert answered.json()["result"]["metadata"]["finish_reason"] == "length", "its max_tokens hold"
    read = post(served, "meter_reading", png(64, 64)).json()["result"]
    assert read["structured"] == {"value": 1, "unit": "kWh"}


def test_a_hand_written_persona_brings_its_caveat(served: str) -> None:
    answered = post(served, "vqa", png(64, 64), "Is the ladder secured?", persona="safety_officer").json()["result"]
    assert {"check_on_site"} <= {each["type"] for each in answered["warnings"]}
    refused = post(served, "captioning", png(64, 64), persona="safety_officer").json()
    assert refused["code"] == 1000
    assert "safety_officer" not in refused["error"]["details"]["allowed"]


def test_all_that_can_be_asked_is_told(served: str) -> None:
    told = httpx.get(f"{served}/tasks").json()
    tasks = {task["name"]: task for task in told["tasks"]}
    assert {"count_bars", "meter_reading", "doc_analyze", "vqa", "chart_parse", "ocr", "grounding"} <= set(tasks)
    assert "safety_officer" in tasks["vqa"]["personas"]
    assert {"zh", "en"} == set(tasks["vqa"]["examples"][0]["text"])
    assert "safety_officer" in {persona["name"] for persona in told["personas"]}
    asked = httpx.get(f"{served}/openapi.json").json()["components"]["schemas"]["InferRequest"]["properties"]["task"]["enum"]
    assert "count_bars" in asked


@pytest.mark.parametrize("kind", ["wrong kind", "too many"])
def test_media_that_a_task_does_not_take_are_refused_by_name(served: str, kind: str) -> None:
    if kind == "wrong kind":
        refused = post(served, "chart_parse", pdf_of((200, 200)))
    else:
        body = {"task": "vqa", "images": [data(png(8, 8))] * 17, "text": "How many bars?"}
        refused = httpx.post(f"{served}/infer", json=body, timeout=30)
    assert (refused.status_code, refused.json()["code"]) == (400, 1000)
    details = refused.json()["error"]["details"]
    assert details["field"].startswith("images")
    assert details["reason"]
    assert details["allowed"]


def test_a_file_that_cannot_be_used_stops_the_start_with_its_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "bad.toml").write_text('name = "bad"\nmax_tokens = "many"\nprompt = { en = "x" }\n')
    config = f'{FAKE}\n[tasks]\nfolder = "{tmp_path / "tasks"}"\n{lanes()}'
    with pytest.raises(AssertionError, match="did not start"), serving(tmp_path, config):
        pass
    assert "bad.toml, line 2: max_tokens = 'many': it should be a whole number, not a string." in capfd.readouterr().err
