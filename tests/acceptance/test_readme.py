"""What both READMEs say, done as they say it: every Python block, every curl, every command, against the built-in model."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.backends.weights import BUNDLED, find_weights
from sightline.service.ports import StartupError
from tests.acceptance.services import COMMAND, serving, surroundings

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
_ELSEWHERE = ("make ", "sightline serve", "git ", "cd ", "pip ")
"""Commands that set up, or serve until they are stopped: other tests run them."""


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    try:
        find_weights(BUNDLED)
    except StartupError as error:
        pytest.skip(str(error))
    with serving() as address:
        yield address.rstrip("/")


def blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / readme).read_text(), re.MULTILINE | re.DOTALL)


def commands(readme: str) -> list[str]:
    """The single commands of the shell blocks, without their comments and the environment's folder."""
    found: list[str] = []
    for block in blocks(readme, "sh"):
        for command in re.sub(r"\n(?=[ '}\]])", "\0", block).splitlines():
            plain = command.replace("\0", "\n").replace(".venv/bin/", "").strip()
            if plain and not plain.startswith(("#", *_ELSEWHERE)):
                found.append(plain)
    return found


def run(*command: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, cwd=ROOT, env={**surroundings(), "PATH": path})
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("readme", READMES)
def test_python_blocks(readme: str, served: str) -> None:
    found = blocks(readme, "python")
    assert found
    for block in found:
        assert run(sys.executable, "-c", block.replace("http://127.0.0.1:8000", served)).strip()


@pytest.mark.parametrize("readme", READMES)
def test_shell_commands(readme: str, served: str) -> None:
    found = commands(readme)
    assert any(command.startswith("curl") for command in found)
    assert any(command.startswith("sightline ask") for command in found)
    for command in found:
        told = run("bash", "-c", command.replace("http://127.0.0.1:8000", served))
        if command.startswith("curl"):
            assert json.loads(told)["code"] == 0
        assert told.strip()


def test_every_command_that_a_readme_names_exists() -> None:
    for readme in READMES:
        named = set(re.findall(r"\bsightline ([a-z]+)\b", " ".join(blocks(readme, "sh"))))
        known = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=30, check=True, env=surroundings()).stdout
        assert all(re.search(rf"^    {shlex.quote(name)} ", known, re.MULTILINE) for name in named), named
