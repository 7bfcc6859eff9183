"""Pictures in the terminal."""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path

import pytest

from sightline.cli import main, sample
from sightline.cli.pictures import drawn, protocol_of
from tests.scripted import ScriptedService, as_stream


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM_PROGRAM": "iTerm.app", "TMUX": "/tmp/x"}, None),
        ({"TERM": "screen", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "xterm-256color"}, None),
        ({}, None),
    ],
)
def test_which_terminals_can(environment: dict[str, str], protocol: str | None) -> None:
    assert protocol_of(environment) == protocol


def test_kitty_gets_the_picture_in_pieces() -> None:
    content = sample.picture() + bytes(9000)
    drawing = drawn(content, "kitty")
    assert drawing is not None
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", drawing)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in pieces) + "\n" == drawing
    assert base64.b64decode("".join(data for _, data in pieces)) == content
    assert [keys.rpartition("m=")[2] for keys, _ in pieces] == ["1"] * (len(pieces) - 1) + ["0"]
    assert "f=100" in pieces[0][0]
    assert max(len(data) for _, data in pieces) <= 4096


def test_iterm_gets_it_whole() -> None:
    drawing = drawn(sample.picture(), "iterm2")
    assert drawing is not None
    assert base64.b64decode(drawing.partition(":")[2].rstrip("\a\n")) == sample.picture()


def test_what_cannot_be_shown() -> None:
    assert drawn(b"%PDF-1.7", "iterm2") is None
    assert drawn(b"\xff\xd8\xff\xe0", "kitty") is None
    assert drawn(sample.picture() + bytes(5_000_000), "iterm2") is None


@pytest.mark.parametrize(("arguments", "shown"), [((), True), (("--no-picture",), False), (("--json",), False)])
def test_a_person_sees_the_picture(picture: str, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], shown: bool) -> None:
    out = Tty()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("TERM", "xterm-kitty")
    monkeypatch.delenv("TMUX", raising=False)
    with ScriptedService(as_stream()) as service:
        assert main(["ask", picture, "?", "--server", service.url, *arguments]) == 0
    assert ("\x1b_G" in out.getvalue()) is shown


def test_a_file_does_not_get_escape_sequences(picture: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TERM", "xterm-kitty")
    with ScriptedService(as_stream()) as service:
        main(["ask", picture, str(Path(picture)), "-q", "?", "--server", service.url])
    assert "\x1b" not in capsys.readouterr().out
