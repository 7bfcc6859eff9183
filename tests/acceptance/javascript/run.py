"""Runs JavaScript: Node.js from the environment or the machine, and the packages that are pinned beside this file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[3]


def program(name: str) -> str:
    """The path of `node` or `npm`: that of the environment, else that of the machine."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed: pip install 'sightline[dev]' brings Node.js")
    return found


def packages() -> Path:
    """The folder from which a script can import the pinned packages; installed once for each lock file, under build/."""
    lock = HERE / "package-lock.json"
    folder = ROOT / "build" / "npm" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not (folder / "whole").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        command = [program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--prefer-offline"]
        installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        if installed.returncode:
            pytest.skip("npm could not install the pinned openai package: it needs its registry once")
        (folder / "whole").touch()
    return folder


def run(script: str, *arguments: str) -> Any:
    """The JSON that a script of this folder prints."""
    folder = packages()
    # Modules are looked for beside the script that imports them.
    copy = shutil.copy(HERE / script, folder)
    return finished([program("node"), str(copy), *arguments])


def module_command(code: str) -> list[str]:
    """The command that runs a module which may import the pinned packages and the service's own `sightline.js`."""
    folder = packages()
    shutil.copy(ROOT / "src/sightline/server/static/sightline.js", folder / "sightline.mjs")
    module = folder / f"{hashlib.sha256(code.encode()).hexdigest()[:16]}.mjs"
    module.write_text(code.replace('"./sightline.js"', '"./sightline.mjs"'), "utf-8")
    return [program("node"), str(module)]


def finished(command: list[str], **environment: str) -> Any:
    """The JSON that a command prints."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment})
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
