"""Every file of examples/, run as the page there says, against a real service with a simulated engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.javascript.run import program
from tests.acceptance.services import surroundings

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "ask.py": ["Simulated: ", "confidence: 0.", "png of 256x192, seen as 256x192", "note: A simulated engine"],
    "stream.py": ["Simulated: ", "confidence: 0.", "it begins with: "],
    "follow_up.py": ["bytes sent", "Which bar is the highest? -> Simulated", "What is its value? -> Simulated"],
    "compare.py": ["3 pictures"],
    "many.py": [
        "shapes.png: How many bars are there? -> Simulated",
        "not-there.png: How many words are there? -> images[0] cannot be read",
    ],
    "asynchronous.py": [" | Simulated: "],
    "errors.py": ["1000: options.temperature", "1001: ", "there is no file", "not within 1 ms", "ConnectionFailed - "],
    "document.py": ["pages: 3 of 3", "Simulated", "page 1 says: "],
    "chart.py": ['"chart_type"', "confidence: 0.", "note: A simulated engine"],
    "structured.py": ["stop 0 of red"],
    "review.py": ["shapes: accepted: Simulated", "chart, blurred: look at it: blurry"],
    "openai_client.py": ["answer: Simulated", "confidence: 0.", "refused by name: logit_bias"],
    "module.mjs": ["Simulated: ", "confidence: 0."],
    "plain_http.py": ["0 Simulated: ", "event: accepted", "event: final"],
    "folder.sh": ['shapes.png","key"', '"answered":0,"failed":0,"answered_before":2'],
}


def test_every_example_is_run_and_listed() -> None:
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".sh", ".mjs"}}
    assert files == set(SAYS)
    assert set(re.findall(r"\]\((\w+\.(?:py|sh|mjs))\)", (EXAMPLES / "README.md").read_text())) == files


@pytest.mark.parametrize("name", sorted(SAYS))
def test_example(name: str, simulated: str, tmp_path: Path) -> None:
    by = program("node") if name.endswith(".mjs") else sys.executable if name.endswith(".py") else "sh"
    command = [by, str(EXAMPLES / name)]
    # The console script is found as after `pip install`: beside the interpreter.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**surroundings(), "SIGHTLINE_SERVER": simulated, "PATH": path}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path, env=environment)
    assert ran.returncode == 0, ran.stderr
    for words in SAYS[name]:
        assert words in ran.stdout
