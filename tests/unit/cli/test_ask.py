"""`sightline ask`, against a scripted service and with an engine of its own."""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.cli import main, sample
from sightline.cli.ask import split
from sightline.protocol.errors import TABLE
from tests.scripted import ACCEPTED, ENVELOPE, FINAL, METADATA, ScriptedService, as_json, as_stream, event, failure, tokens


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_answer_and_nothing_else_goes_to_standard_output(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedService(as_stream()) as service:
        assert (
            main(["ask", picture, "What is this?", "--server", service.url, "--key", "k", "--max-tokens", "9", "-O", "style=detailed"]) == 0
        )
        (request,) = service.requests
    assert capsys.readouterr() == ("a red circle\n", "")
    assert request.path == "/infer_stream"
    assert request.headers["authorization"] == "Bearer k"
    assert request.body["text"] == "What is this?"
    assert request.body["options"] == {"max_tokens": 9, "style": "detailed", "timeout_ms": 30_000}
    assert base64.b64decode(request.body["images"][0].partition(",")[2]) == sample.picture()


def test_a_person_sees_confidence_and_receipt_too(picture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Tty()
    monkeypatch.setattr(sys, "stderr", told)
    with ScriptedService(as_stream()) as service:
        assert main(["ask", picture, "?", "--server", service.url]) == 0
    assert "confidence 94% · sight-nano, 2 experts active · 12 ms · 70 tokens in, 3 out" in told.getvalue()
    assert "input 0: png 8x8 seen as 32x32, 1 tokens · resized" in told.getvalue()


def test_json_is_one_document(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedService(as_stream()) as service:
        assert main(["ask", picture, "?", "--server", service.url, "--json"]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["answer"], err) == ("a red circle", "")


def test_an_answer_without_tokens_is_shown_whole(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedService(as_stream([ACCEPTED, event("progress", {"stage": "values", "done": 1, "total": 2}), FINAL])) as service:
        assert main(["ask", picture, "?", "--server", service.url, "-t", "chart_parse"]) == 0
    assert capsys.readouterr().out == "a red circle\n"


def test_a_model_cannot_command_the_terminal(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedService(as_stream([ACCEPTED, *tokens("\x1b]0;owned\x07 \x9b2J\u202e hi\r"), FINAL])) as service:
        main(["ask", picture, "?", "--server", service.url])
    assert capsys.readouterr().out == "]0;owned 2J hi\n"


def test_warnings_are_always_told(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    warning = {"code": 1002, "type": "video_clipped", "msg": "Only the first 30 s were used.", "hint": "Cut it."}
    final = event("final", {**ENVELOPE["result"], "metadata": METADATA, "request_id": "r", "warnings": [warning]})  # type: ignore[dict-item]
    with ScriptedService(as_stream([ACCEPTED, final])) as service:
        main(["ask", picture, "?", "--server", service.url])
    assert capsys.readouterr().err == "Only the first 30 s were used. Cut it.\n"


@pytest.mark.parametrize("code", sorted(TABLE))
def test_every_error_has_its_exit_status_and_one_sentence(picture: str, capsys: pytest.CaptureFixture[str], code: int) -> None:
    with ScriptedService(as_json(failure(code, "it"), TABLE[code].status)) as service:
        assert main(["ask", picture, "?", "--server", service.url]) == TABLE[code].exit_status
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"sightline ask: It is it. [{code}, req_9]\nDo this.\n")


def test_an_error_as_json(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedService(as_json(failure(4001, "unauthenticated"), 401)) as service:
        assert main(["ask", picture, "?", "--server", service.url, "--json"]) == 77
    out, err = capsys.readouterr()
    assert (json.loads(out)["code"], err) == (4001, "")


def test_a_cut_stream_leaves_what_had_come(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedService(as_stream([ACCEPTED, *tokens("half")], cut=True)) as service:
        assert main(["ask", picture, "?", "--server", service.url]) == 69
    out, err = capsys.readouterr()
    assert out.startswith("half")
    assert "broke off" in err


def test_an_engine_of_its_own(picture: str, fake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", picture, "What is this?", "--config", fake]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Simulated: ")
    assert "simulated engine answered" in err


def test_an_engine_of_its_own_as_json(picture: str, fake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", picture, picture, "-q", "What has changed?", "--config", fake, "--json"]) == 0
    final = json.loads(capsys.readouterr().out)
    assert [receipt["original_width"] for receipt in final["metadata"]["receipts"]] == [256, 256]


def test_standard_input_is_an_image(fake: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sample.picture())))
    assert main(["ask", "-", "What is this?", "--config", fake, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["receipts"][0]["original_height"] == 192


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nope.png", "?"], 66, "there is no file nope.png"),
        (["nope.png"], 66, "there is no file nope.png"),
        (["PICTURE"], 65, "needs a question"),
        (["PICTURE", "?", "-t", "nope"], 65, "There is no task named 'nope'"),
        (["PICTURE", "?", "-O", "stile=x"], 65, "options.stile"),
        (["PICTURE", "?", "-O", "style"], 2, "NAME=VALUE"),
        (["PICTURE", "?", "--max-tokens", "99999999"], 65, "options.max_tokens"),
        (["TEXT", "?"], 65, "unsupported format"),
        (["PICTURE", "?", "--model", "x"], 2, "leave out --model"),
    ],
)
def test_bad_input_is_one_sentence(
    picture: str, fake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, words: str
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a picture\n" * 10)
    named = {"PICTURE": picture, "TEXT": str(text)}
    assert main(["ask", *(named.get(word, word) for word in arguments), "--config", fake]) == status
    out, err = capsys.readouterr()
    assert words in err
    assert out == ""
    assert "Traceback" not in err


def test_a_model_that_is_not_there_is_status_2(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", picture, "?", "--model", "/nowhere/x.gguf"]) == 2
    assert capsys.readouterr().err == "sightline ask: There is no file /nowhere/x.gguf.\n"


def test_a_person_who_reads_chinese(picture: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    with ScriptedService(as_json(failure(4001, "x"), 401)) as service:
        main(["ask", picture, "?", "--server", service.url])
        assert service.requests[0].headers["accept-language"] == "zh"
    main(["ask", "nope.png", "?", "--server", "http://127.0.0.1:1"])
    assert "没有文件 nope.png" in capsys.readouterr().err


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.none() | st.text(max_size=20))
def test_no_word_is_lost_between_images_and_question(words: list[str], question: str | None) -> None:
    images, asked = split(words, question)
    assert images
    assert [*images, asked] in ([*words, ""], words, [*words, question])


def test_what_is_the_question(picture: str) -> None:
    assert split([picture, "why?"], None) == ([picture], "why?")
    assert split([picture, picture], None) == ([picture, picture], "")
    assert split(["a.png"], None) == (["a.png"], "")
    assert split([picture, "https://example.com/b.png"], None) == ([picture, "https://example.com/b.png"], "")
    assert split([picture, "why?"], "named") == ([picture, "why?"], "named")


def test_a_task_without_images(fake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Hello?", "-t", "chat", "--config", fake]) == 0
    assert main(["ask", "-q", "Hello?", "-t", "chat", "--config", fake]) == 0
    assert capsys.readouterr().out.count("Simulated") == 2
    assert main(["ask", "--config", fake]) == 65


def test_the_service_of_the_environment(
    picture: str, fake: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedService(as_stream()) as service:
        monkeypatch.setenv("SIGHTLINE_SERVER", service.url)
        assert main(["ask", picture, "?"]) == 0
        assert capsys.readouterr().out == "a red circle\n"
        assert main(["ask", picture, "?", "--config", fake]) == 0, "what is named here comes first"
        assert capsys.readouterr().out.startswith("Simulated")
        assert main(["ask", picture, "?", "--config", fake, "--server", service.url]) == 2


def _never(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def test_ctrl_c_is_130_without_a_word(picture: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sightline.cli.ask.split", _never)
    assert main(["ask", picture, "?"]) == 130
    assert capsys.readouterr() == ("", "")
