"""What a stranger does: installs the wheel or the source archive, or follows the README word for word; each in an empty environment."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import tarfile
import time
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.acceptance.services import surroundings

ROOT = Path(__file__).parents[2]
CARRIED = (
    "sightline/py.typed",
    "sightline/models/sight-nano.gguf",
    "sightline/models/sight-nano-mmproj.gguf",
    "sightline/models/sight-nano.json",
    "sightline/personas/vqa.zh.txt",
    "sightline/moderation/data/rules/shipped-en.txt",
    "sightline/moderation/data/homoglyphs.txt",
    "sightline/server/static/index.html",
    "sightline/server/static/sightline.js",
    "sightline/server/static/samples/chart.png",
    "sightline/stores/limits.lua",
    "sightline/stores/migrations/0001_keys_and_usage.sql",
)
pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


def clean() -> dict[str, str]:
    return {name: value for name, value in surroundings().items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


def run(*command: str | Path, folder: str | Path = "/") -> str:
    words = [str(part) for part in command]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False, cwd=folder, env=clean())
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def empty_environment(folder: Path, *packages: str) -> Path:
    """The folder of programs of a new environment that holds these packages and what they need."""
    venv.create(folder, with_pip=True)
    pip = [folder / "bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    run(*pip, "--constraint", ROOT / "constraints.txt", *packages)
    return folder / "bin"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the source archive, the wheel made from the archive."""
    folder = tmp_path_factory.mktemp("built")
    programs = empty_environment(folder / "builder", "build")
    run(programs / "python", "-m", "build", "--outdir", folder / "dist", ROOT)
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def test_both_carry_everything_that_is_needed(built: Path, wheel: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    with tarfile.open(archive) as opened:
        sources = {member.name.partition("/")[2] for member in opened.getmembers()}
    tracked = subprocess.run(["git", "ls-files", "src/sightline"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {name.removeprefix("src/") for name in tracked} <= names
    assert set(CARRIED) <= names
    assert set(tracked) <= sources
    assert {"README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml"} <= sources
    assert not [name for name in names if not name.startswith("sightline")]
    assert wheel.stat().st_size < 40 * 2**20


def test_the_sdk_alone_is_small_and_speaks_to_a_service(wheel: Path, simulated: str, picture: Path, tmp_path: Path) -> None:
    programs = empty_environment(tmp_path / "sdk", str(wheel))
    listed = json.loads(run(programs / "python", "-m", "pip", "list", "--format", "json"))
    installed = {entry["name"].lower() for entry in listed} - {"pip", "setuptools", "wheel"}
    assert installed <= {
        "sightline",
        "httpx",
        "httpcore",
        "h11",
        "anyio",
        "certifi",
        "idna",
        "sniffio",
        "typing-extensions",
        "typing_extensions",
        "msgspec",
    }
    program = "import sys; from sightline import QwenVLClient; print(QwenVLClient(base_url=sys.argv[1]).ask(sys.argv[2], 'What is shown?'))"
    assert run(programs / "python", "-c", program, simulated, picture).startswith("Simulated: ")
    assert run(programs / "sightline", "ask", picture, "What is shown?", "--server", simulated).startswith("Simulated: ")
    serving = subprocess.run([programs / "sightline", "serve"], capture_output=True, text=True, timeout=60, check=False, env=surroundings())
    assert (serving.returncode, "pip install 'sightline[serve]'" in serving.stderr) == (69, True)


def test_the_whole_service_runs_from_the_wheel(wheel: Path, picture: Path, tmp_path: Path) -> None:
    programs = empty_environment(tmp_path / "whole", f"{wheel}[serve]")
    told = json.loads(run(programs / "sightline", "ask", picture, "How many shapes are there?", "--json"))
    assert told["answer"]
    assert told["metadata"]["model"] == "sight-nano"
    state = json.loads(run(programs / "sightline", "doctor", "--no-engine", "--json"))
    assert all(check["ok"] for check in state["checks"])


def test_the_source_archive_installs(built: Path, simulated: str, picture: Path, tmp_path: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    programs = empty_environment(tmp_path / "source", str(archive))
    assert run(programs / "sightline", "ask", picture, "What is shown?", "--server", simulated).startswith("Simulated: ")


def test_the_readme_followed_word_for_word(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if probe.connect_ex(("127.0.0.1", 8000)) == 0:
            pytest.skip("something answers on port 8000 already, which the README names")
    folder = tmp_path / "sightline"
    run("git", "clone", "--quiet", ROOT, folder)
    readme = (folder / "README.md").read_text("utf-8")
    assert "make run" in readme
    with (tmp_path / "log").open("w") as log:
        service = subprocess.Popen(["make", "run"], cwd=folder, env=clean(), stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for("http://127.0.0.1:8000/ready", service)
            run(folder / ".venv/bin/python", "-m", "pip", "--quiet", "install", "openai")
            done = 0
            for language, body in re.findall(r"^```(sh|python)\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL):
                command = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [folder / ".venv/bin/python", "-c"]
                assert run(*command, body, folder=folder).strip(), body
                done += 1
            assert done >= 4
        finally:
            os.killpg(service.pid, signal.SIGINT)
            service.wait(30)
    assert service.returncode in {0, 2, -signal.SIGINT}  # how make ends when Ctrl-C has ended its command


def _wait_for(address: str, service: subprocess.Popen[bytes]) -> None:
    ended = time.monotonic() + 600
    while time.monotonic() < ended:
        assert service.poll() is None, "make run ended by itself"
        try:
            if httpx.get(address, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError("nothing answered")
