"""The other commands, and what holds for all of them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.backends.weights import BUNDLED, LIGHTER
from sightline.cli import COMMANDS, build_parsers, machine, main, sample
from sightline.cli.base import Command, UsageError
from sightline.cli.serve import Serve, settings
from sightline.cli.terminal import Terminal, bytes_of, language_of, printable, width
from sightline.config import LocalEngine, Settings
from tests.scripted import ScriptedService, as_json


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(f"    {command.name}" in out and command.summary in out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(command: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command.name, "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert command.description.splitlines()[0] in out
    assert all(example in out for example in command.examples)
    assert "--json" in out


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_stranger_can_use_what_help_says(command: Command) -> None:
    """Every example is a line that the command takes, and no argument is without its words."""
    parser, parsers = build_parsers()
    for example in command.examples:
        (line,) = [part for part in re.split(r"[|>]|\s#\s", example) if "sightline " in part]
        words = shlex.split(re.sub(r'^eval "\$\((.*)\)"\s*$', r"\1", line.strip()))
        assert parser.parse_args(words[words.index("sightline") + 1 :]).command is command, example
    for action in parsers[command]._actions:
        assert action.help, action.dest
        assert not action.help.endswith("."), action.help


@pytest.mark.parametrize(
    "arguments", [["nope"], ["run"], ["serve", "--port", "70000"], ["ask", "a", "b", "--timeout", "0"], ["serve", "x"]]
)
def test_wrong_arguments_are_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: sightline" in capsys.readouterr().err


def test_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    assert re.search(r"vqa +image +Ask about one or several images", capsys.readouterr().out)
    assert main(["tasks", "captioning"]) == 0
    assert "detailed, short" in capsys.readouterr().out
    assert main(["tasks", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"vqa", "captioning"} <= {task["name"] for task in listed}
    assert main(["tasks", "nope"]) == 65
    assert "The tasks are: captioning" in capsys.readouterr().err


def test_tasks_and_models_of_a_service(capsys: pytest.CaptureFixture[str]) -> None:
    task = {
        "name": "count",
        "title": {"zh": "数", "en": "Count"},
        "summary": {"zh": "数数。", "en": "Counts."},
        "needs_text": False,
        "media": {"kinds": ["image"], "least": 1, "most": 1},
        "options": {"$ref": "#/$defs/O", "$defs": {"O": {"type": "object", "properties": {"seed": {"type": "integer", "minimum": 0}}}}},
        "timeout_ms": 1500,
    }
    ready = {"ready": False, "lanes": {"A": False}, "models": [{"name": "big", "context_tokens": 8192, "fake": False}]}
    with ScriptedService(as_json({"tasks": [task]}), as_json({"tasks": [task]}), as_json(ready, 503)) as service:
        main(["tasks", "--server", service.url])
        main(["tasks", "count", "--server", service.url])
        main(["models", "--server", service.url])
        assert [request.path for request in service.requests] == ["/tasks", "/tasks", "/ready"]
    assert capsys.readouterr().out == (
        "TASK   TAKES  WHAT IT DOES\n"
        "count  image  Counts.\n"
        "count: Counts.\n"
        "Takes 1 of: image; takes a question, needs none; 1.5 s unless told otherwise.\n"
        "\n"
        "OPTION  VALUES\n"
        "seed    integer 0..\n"
        "MODEL  CONTEXT\n"
        "big    8,192\n"
    )


def test_models_of_the_machine_tell_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken-Q4_K_M.gguf"
    broken.write_bytes(b"GGUF")
    later = tmp_path / "large-00002-of-00002.gguf"
    monkeypatch.setattr(machine, "_cached", lambda: {"org/repo": [broken, later, tmp_path / "mmproj-F16.gguf"]})
    assert main(["models", "--json"]) == 0
    built_in, lighter, other = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (built_in["name"], lighter["name"]) == (BUNDLED, LIGHTER)
    assert other["name"] == "hf:org/repo:broken-Q4_K_M.gguf"
    assert "cannot be used" in other["problem"]


@pytest.mark.parametrize("name", [BUNDLED, LIGHTER])
def test_the_card_of_a_bundled_model_says_how_often_it_is_right(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", name, "--json"]) == 0
    card = json.loads(capsys.readouterr().out)["card"]
    assert main(["models", "show", name]) == 0
    out = capsys.readouterr().out
    skill = card["skills"]["count"]
    assert re.search(rf"^count +{100 * skill['share']:.0f} % of {skill['of']}\b", out, re.MULTILINE)
    assert card["limits"]["en"] in out
    assert f"{card['compute']['pictures']:,} pictures" in out


def test_doctor_measures(fake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", fake, "--json", "--port", "0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["speed"]["model"] == "fake"
    assert found["speed"]["answer"].startswith("Simulated")
    assert found["speed"]["tokens_per_second"] > 0
    assert found["models"][0]["name"] == BUNDLED
    assert {"Python", "cores", "memory", "PDF", "video"} <= {check["name"] for check in found["checks"]}


def test_doctor_for_a_person(fake: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["doctor", "--no-engine", "--port", str(taken.getsockname()[1])]) == 0
    out = capsys.readouterr().out
    assert "is in use" in out
    assert "first token" not in out
    assert main(["doctor", "--config", fake, "--port", "0"]) == 0
    assert "tokens/s" in capsys.readouterr().out


def test_doctor_says_what_does_not_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--model", "/nowhere.gguf"]) == 69
    out = capsys.readouterr().out
    assert "There is no file /nowhere.gguf." in out
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["doctor"]) == 69
    out = capsys.readouterr().out
    assert "av is missing" in out
    assert "pip install 'sightline[serve]'" in out


def _settings(*arguments: str) -> Settings:
    import argparse

    parser = argparse.ArgumentParser()
    Serve().arguments(parser)
    return settings(parser.parse_args(arguments))


def _models(settings: Settings) -> set[str]:
    return {engine.model for engine in settings.backends.values() if isinstance(engine, LocalEngine)}


def test_the_settings_of_serve(fake: str) -> None:
    plain = _settings()
    assert (plain.server.host, plain.server.port, plain.server.root_path) == ("127.0.0.1", 8000, "")
    assert _models(plain) == {BUNDLED, LIGHTER}
    assert _models(_settings("--model", "x.gguf")) == {"x.gguf"}
    assert _settings("--root-path", "qwen-vl/").server.root_path == "/qwen-vl"
    assert _settings("--root-path", "/").server.root_path == ""
    over = _settings("--config", fake, "--port", "0")
    assert list(over.backends) == ["x"]
    assert over.server.port == 0
    with pytest.raises(UsageError):
        _settings("--config", fake, "--model", "x")


@pytest.mark.parametrize("text", ["nonsense =", "[server]\nport = 'x'", "[backends.x]\nkind='fake'\n[lanes]\n"])
def test_a_broken_configuration_is_status_2(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text)
    assert main(["serve", "--config", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("sightline serve: ")
    assert str(path) in err
    assert err.count("\n") == 1


def test_a_port_in_use_is_status_2(fake: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--config", fake, "--port", str(taken.getsockname()[1])]) == 2
    assert "Choose another with --port" in capsys.readouterr().err


def test_a_mistake_of_ours_shows_no_traceback_unless_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("sightline.cli.tasks.shipped", broken)
    assert main(["tasks"]) == 70
    assert capsys.readouterr().err == "sightline tasks: an error of Sightline itself (ZeroDivisionError); --debug shows where.\n"
    with pytest.raises(ZeroDivisionError):
        main(["tasks", "--debug"])


def test_client_commands_need_no_parts_of_a_service() -> None:
    """In an interpreter where the `serve` extra cannot be imported: one works, the other says what to install."""
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'numpy', 'starlette', 'aiohttp', 'uvicorn', 'uvloop', 'cv2', 'PIL', 'xllamacpp', 'av',\n"
        "            'pyvips', 'pypdfium2', 'simplejpeg', 'prometheus_client', 'huggingface_hub', 'gguf', 'pybase64'}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from sightline.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=30, check=False)

    from tests.scripted import as_stream

    with ScriptedService(as_stream()) as service:
        asked = run("ask", "data:,x", "?", "--server", service.url)
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, "a red circle\n", "")
    assert run("tasks").returncode == 0
    served = run("serve")
    assert served.returncode == 69
    assert served.stderr.count("\n") == 1
    assert "pip install 'sightline[serve]'" in served.stderr
    doctor = run("doctor")
    assert doctor.returncode == 69
    assert "xllamacpp is missing" in doctor.stdout


def test_the_sample_is_a_picture() -> None:
    import io

    from PIL import Image

    shown = Image.open(io.BytesIO(sample.picture())).convert("RGB")
    assert shown.size == (256, 192)
    assert (shown.getpixel((76, 96)), shown.getpixel((188, 96)), shown.getpixel((1, 1))) == ((220, 40, 40), (40, 80, 220), (255, 255, 255))


@given(st.text())
def test_nothing_that_is_shown_commands_the_terminal(text: str) -> None:
    shown = printable(text)
    assert not any(ord(character) < 32 and character not in "\n\t" for character in shown)
    assert not {"\x1b", "\x9b", "\u202e", "\x7f"} & set(shown)
    assert [character for character in text if character.isalnum()] == [character for character in shown if character.isalnum()]


def test_columns_line_up_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().table([("图片", "a"), ("x", "b")], ("NAME", "V"))
    lines = capsys.readouterr().out.splitlines()
    assert {width(line[: line.index(mark)]) for line, mark in zip(lines, "Vab", strict=True)} == {6}


def test_small_words() -> None:
    assert [bytes_of(count) for count in (0, 999, 1000, 19_140_000, 2.5e12)] == ["0 B", "999 B", "1.0 kB", "19.1 MB", "2.5 TB"]
    assert language_of({"LANG": "zh_CN.UTF-8"}) == "zh"
    assert language_of({"LC_ALL": "en_GB", "LANG": "zh_CN"}) == "en"
    assert language_of({}) == "en"


def _complete(script: str, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    line = f"source /dev/stdin; COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}; _sightline; "
    ran = subprocess.run(
        ["bash", "-c", line + 'echo "${COMPREPLY[@]}"'], input=script, capture_output=True, text=True, check=True, timeout=10
    )
    assert ran.stderr == ""
    return ran.stdout.split()


def test_completion_in_bash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert _complete(script, "sightline", "") == [command.name for command in COMMANDS]
    assert _complete(script, "sightline", "do") == ["doctor"]
    assert _complete(script, "sightline", "ask", "--detail", "") == ["low", "auto", "high"]
    assert "captioning" in _complete(script, "sightline", "ask", "x.png", "-t", "")
    assert _complete(script, "sightline", "serve", "--ro") == ["--root-path"]
    assert _complete(script, "sightline", "completion", "f") == ["fish"]
    assert _complete(script, "sightline", "ask", "pho") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_in_other_shells(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", shell])
    script = capsys.readouterr().out
    assert all(command.name in script for command in COMMANDS)
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, timeout=10, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
