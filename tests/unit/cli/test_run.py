"""`sightline run`: what is asked, what is written, and going on after a break."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sightline.cli import main, sample
from sightline.cli.base import UsageError
from sightline.cli.inputs import read_items
from tests.scripted import ENVELOPE, Received, Reply, ScriptedService, as_json, failure


def echo(request: Received) -> Reply:
    text = request.body["text"]
    if text == "bad":
        return as_json(failure(1005, "damaged_media"), 422)
    return as_json({**ENVELOPE, "result": {**ENVELOPE["result"], "answer": text.upper()}})  # type: ignore[dict-item]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for name in ("b.png", "a.JPG", "deep/c.pdf", "notes.txt"):
        (folder / name).write_bytes(sample.picture())
    return folder


def test_a_folder_with_one_question(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.jsonl"
    with ScriptedService(echo) as service:
        assert main(["run", str(photos), "-q", "what?", "-o", str(output), "--server", service.url, "--max-tokens", "7"]) == 0
        assert {request.body["options"]["max_tokens"] for request in service.requests} == {7}
    found = lines(output)
    assert sorted(line["id"] for line in found) == ["a.JPG", "b.png", "deep/c.pdf"]
    assert {line["result"]["answer"] for line in found} == {"WHAT?"}
    assert {line["code"] for line in found} == {0}
    assert capsys.readouterr().out == ""


def test_lines_with_a_question_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "a.png").write_bytes(sample.picture())
    questions = folder / "questions.jsonl"
    questions.write_text(
        '{"images": "a.png", "text": "one", "id": "first", "options": {"seed": 3}}\n\n'
        '{"images": ["a.png", "https://example.com/b.png"], "task": "captioning"}\n'
    )
    monkeypatch.chdir(tmp_path)
    with ScriptedService(echo) as service:
        assert main(["run", str(questions), "-q", "other", "--server", service.url, "-j", "1"]) == 0
        first, second = (request.body for request in service.requests)
    assert (first["text"], first["task"], first["options"]["seed"]) == ("one", "vqa", 3)
    assert (second["text"], second["task"], second["images"][1]) == ("other", "captioning", "https://example.com/b.png")
    assert {line["id"]: line["result"]["answer"] for line in lines(tmp_path / "results.jsonl")} == {"first": "ONE", "3": "OTHER"}


def test_what_failed_is_told_and_asked_again(tmp_path: Path, picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    questions, output = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    questions.write_text("".join(json.dumps({"images": picture, "text": text, "id": text}) + "\n" for text in ("good", "bad", "fine")))
    arguments = ["run", str(questions), "-o", str(output), "--json"]
    with ScriptedService(echo) as service:
        assert main([*arguments, "--server", service.url]) == 65
    assert json.loads(capsys.readouterr().out) == {"answered": 2, "failed": 1, "answered_before": 0, "output": str(output)}
    assert {line["id"]: line["code"] for line in lines(output)} == {"good": 0, "bad": 1005, "fine": 0}
    with ScriptedService(as_json(ENVELOPE)) as service:
        assert main([*arguments, "--server", service.url]) == 0
        assert [request.body["text"] for request in service.requests] == ["bad"]
    assert json.loads(capsys.readouterr().out) == {"answered": 1, "failed": 0, "answered_before": 2, "output": str(output)}
    assert sorted(line["id"] for line in lines(output)) == ["bad", "fine", "good"]


def test_a_half_written_line_is_asked_again(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    arguments = ["run", str(photos), "-q", "what?", "-o", str(output)]
    with ScriptedService(echo) as service:
        main([*arguments, "--server", service.url])
    whole = output.read_bytes()
    output.write_bytes(whole[:-20])
    with ScriptedService(echo) as service:
        assert main([*arguments, "--server", service.url]) == 0
        assert len(service.requests) == 1
    assert len(lines(output)) == 3


def test_another_question_or_a_changed_file_is_asked_anew(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"

    def asked(*arguments: str) -> int:
        with ScriptedService(echo) as service:
            assert main(["run", str(photos), "-o", str(output), "--server", service.url, *arguments]) == 0
            return len(service.requests)

    assert asked("-q", "one") == 3
    assert asked("-q", "one") == 0
    assert asked("-q", "one", "--restart") == 3
    (photos / "b.png").write_bytes(sample.picture() + b"\0")
    assert asked("-q", "one") == 1
    assert asked("-q", "two") == 3
    assert {line["result"]["answer"] for line in lines(output)} == {"TWO"}


def test_a_file_that_holds_something_else_is_left_alone(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "thesis.txt"
    output.write_text("years of work\n")
    assert main(["run", str(photos), "-q", "?", "-o", str(output), "--server", "http://127.0.0.1:1"]) == 2
    assert output.read_text() == "years of work\n"
    assert "not a file of results" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (as_json(failure(4001, "unauthenticated"), 401), 77),
        (Reply([b"<html>"], 404), 76),
        (as_json(failure(4004, "quota_exceeded"), 429), 75),
    ],
)
def test_what_all_would_meet_ends_the_run_at_once(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], reply: Reply, status: int
) -> None:
    output = tmp_path / "out.jsonl"
    with ScriptedService(reply) as service:
        assert main(["run", str(photos), "-q", "?", "-o", str(output), "--server", service.url, "-j", "1"]) == status
        assert len(service.requests) == 1
    assert output.read_text() == ""
    assert "0 answered, 3 left; the same command goes on from here." in capsys.readouterr().err


def test_results_on_standard_output(photos: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedService(echo) as service:
        assert main(["run", str(photos), "-q", "what?", "-o", "-", "--server", service.url]) == 0
    assert len(capfdbinary.readouterr().out.splitlines()) == 3


def test_with_an_engine_of_its_own(photos: Path, tmp_path: Path, fake: str) -> None:
    output = tmp_path / "out.jsonl"
    assert main(["run", str(photos), "-t", "captioning", "-o", str(output), "--config", fake]) == 0
    assert all(line["result"]["answer"].startswith("Simulated") for line in lines(output))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "line 1"),
        ('{"images": "a.png"}\nnot json', "line 2"),
        ('{"images": "a.png", "imags": 1}', "imags"),
        ('{"images": "a.png", "id": 1}\n{"images": "a.png", "id": 1}', "two inputs are named '1'"),
        ('{"images": "a.png", "options": {"stream": true}}', "'stream' cannot be given"),
        ("\n", "nothing to ask about"),
    ],
)
def test_lines_that_cannot_be_used_are_named(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(content)
    with pytest.raises(UsageError, match=words):
        read_items([str(path)], "?", "vqa", {})


def test_inputs_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path / "nope")]) == 2
    assert main(["run", str(tmp_path)]) == 2
    assert main(["run", str(tmp_path / "nope.jsonl")]) == 2
    assert capsys.readouterr().err.count("\n") == 3
