"""The layers of the design hold, and heavy things are loaded only where they are used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_layers_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_engine_is_named_in_its_own_module_alone() -> None:
    """Native code of the engine never enters the service's process."""
    named = [path for path in (ROOT / "src").rglob("*.py") if re.search(r"import xllamacpp|import_module\(\W*xllamacpp", path.read_text())]
    assert [path.name for path in named] == ["engine.py"]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("sightline", "httpx numpy starlette aiohttp cv2"),
        ("sightline.client", "numpy starlette aiohttp cv2"),
        ("sightline.service.infer", "numpy starlette aiohttp cv2 httpx"),
        ("sightline.assembly", "xllamacpp av pypdfium2 torch huggingface_hub"),
    ],
)
def test_importing_loads_no_more_than_is_needed(module: str, absent: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {absent.split()!r} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout.split()
    assert loaded == []
