"""The command line as a person uses it: real processes, a real service, a real terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.acceptance.services import COMMAND, FAKE, surroundings


def run(*arguments: str, text: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *arguments], input=text, capture_output=True, timeout=30, check=False, env=surroundings())


def test_asking_a_service(simulated: str, picture: Path) -> None:
    asked = run("ask", str(picture), "What shapes are there?", "--server", simulated)
    assert asked.returncode == 0
    assert asked.stdout.decode().startswith("Simulated: ")
    assert asked.stderr == b"A simulated engine answered, not a model. For tests only.\n"


def test_standard_input_and_json(simulated: str, picture: Path) -> None:
    asked = run("ask", "-", "What shapes are there?", "--server", simulated, "--json", text=picture.read_bytes())
    assert json.loads(asked.stdout)["metadata"]["receipts"][0]["format"] == "png"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["-t", "nope"], 65, "There is no task named 'nope'"),
        (["-O", "nope=1"], 65, "options.nope"),
        (["--model", "nope"], 65, "nope"),
    ],
)
def test_what_a_service_refuses(simulated: str, picture: Path, arguments: list[str], status: int, words: str) -> None:
    asked = run("ask", str(picture), "?", "--server", simulated, *arguments)
    assert asked.returncode == status
    assert words in asked.stderr.decode()
    assert b"Traceback" not in asked.stderr


def test_listings_of_a_service(simulated: str) -> None:
    assert "vqa" in run("tasks", "--server", simulated).stdout.decode()
    assert json.loads(run("models", "--server", simulated, "--json").stdout)["name"] == "fake"


def test_ctrl_c_stops_an_engine_of_its_own(tmp_path: Path, picture: Path) -> None:
    path = tmp_path / "slow.toml"
    path.write_text(FAKE.format(decode=20, tokens=5000))
    asked = subprocess.Popen(
        [*COMMAND, "ask", str(picture), "Tell me everything.", "--max-tokens", "5000", "--config", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(),
    )
    assert asked.stdout is not None
    assert asked.stdout.read(5) == b"Simul"
    asked.send_signal(signal.SIGINT)
    _, complaints = asked.communicate(timeout=10)
    assert (asked.returncode, complaints) == (130, b"")


def test_ctrl_c_stops_a_question_to_a_service(tmp_path: Path, picture: Path, simulated: str) -> None:
    asked = subprocess.Popen(
        [*COMMAND, "ask", str(picture), "?", "--server", simulated, "--debug"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(),
    )
    assert asked.stderr is not None
    asked.stderr.readline()  # the first line of its log: it is under way
    asked.send_signal(signal.SIGINT)
    _, complaints = asked.communicate(timeout=10)
    assert asked.returncode in {0, 130}
    assert b"Traceback" not in complaints


def test_nobody_reads_on(simulated: str, picture: Path) -> None:
    """`sightline ask ... | head -c 1` is no failure."""
    reader, writer = os.pipe()
    asked = subprocess.Popen(
        [*COMMAND, "ask", str(picture), "?", "--server", simulated], stdout=writer, stderr=subprocess.PIPE, env=surroundings()
    )
    os.close(writer)
    os.close(reader)
    _, complaints = asked.communicate(timeout=20)
    assert asked.returncode == 0
    assert b"Error" not in complaints


def test_a_terminal_shows_how_the_answer_came_about(simulated: str, picture: Path) -> None:
    mine, theirs = pty.openpty()
    asked = subprocess.Popen(
        [*COMMAND, "ask", str(picture), "?", "--server", simulated], stdout=theirs, stderr=theirs, env={**surroundings(), "TERM": "xterm"}
    )
    os.close(theirs)
    shown = bytearray()

    def watch() -> None:
        # The end of a terminal is an error of the system, not an empty read.
        try:
            while piece := os.read(mine, 4096):
                shown.extend(piece)
        except OSError:
            pass

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert asked.wait(timeout=20) == 0
    watcher.join(5)
    os.close(mine)
    text = shown.decode()
    assert "\x1b[2mconfidence " in text
    assert "input 0: png 256x192 seen as 256x192, 48 tokens" in text
    assert text.index("Simulated") < text.index("confidence")


def test_help_and_version_come_quickly_and_without_a_service() -> None:
    began = time.monotonic()
    assert run("--version").stdout.startswith(b"sightline ")
    assert b"sightline ask photo.jpg" in run("ask", "--help").stdout
    assert time.monotonic() - began < 20  # a bound against hanging, not a measurement


def test_a_run_broken_off_goes_on_where_it_was(tmp_path: Path, picture: Path) -> None:
    settings, questions, output = tmp_path / "slow.toml", tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    settings.write_text(FAKE.format(decode=30, tokens=12))
    questions.write_text("".join(json.dumps({"images": str(picture), "text": f"Question {number}?"}) + "\n" for number in range(12)))
    arguments = ["run", str(questions), "-o", str(output), "--config", str(settings), "-j", "2"]
    first = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings())
    ended = time.monotonic() + 20
    while (not output.exists() or output.read_bytes().count(b"\n") < 3) and time.monotonic() < ended:
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    _, told = first.communicate(timeout=20)
    assert first.returncode == 130
    assert b"the same command goes on from here" in told
    assert b"Traceback" not in told
    before = output.read_bytes()
    assert 3 <= before.count(b"\n") < 12
    second = run(*arguments, "--json")
    assert second.returncode == 0, second.stderr
    assert output.read_bytes().startswith(before)
    assert sorted(int(json.loads(line)["id"]) for line in output.read_bytes().splitlines()) == list(range(1, 13))
    assert json.loads(second.stdout)["answered_before"] == before.count(b"\n")
