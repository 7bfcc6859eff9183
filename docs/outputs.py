"""The examples in the README and the guide, run as they stand; `python docs/outputs.py [PAGE...]` writes what they print.

A block in `sh`, `python` or `js` is run, one in `toml` is checked as settings; `elsewhere` behind the language says that a block needs
another machine or does not end by itself. A block marked `output` shows what the block before it printed, so that every answer in
the documents is one that the service gave. The tests run the blocks too (`tests/acceptance/test_pages.py`) and compare no answers.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs" / "guide").rglob("*.md")))
ADDRESS = "http://127.0.0.1:8000"
_FENCE = re.compile(r"^```(?P<language>[a-z]+)(?P<words>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = """
import contextlib, io, json, sys
printed = []
for code in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "<block>", "exec"), {"__name__": "__main__"})
    printed.append(out.getvalue())
print(json.dumps(printed))
"""
_LANES = "".join(f'[lanes.{lane}]\nbackends = ["x"]\n' for lane in "ABC")
_REST = f'[backends.x]\nkind = "fake"\n{_LANES}'
"""What a part of a file of settings needs to be one."""
_KEPT = ("processing_time_ms", "activated_experts", "input_tokens", "output_tokens")


@dataclass(frozen=True)
class Block:
    """One fenced block. `words` stand behind its language; `number` is its place on the page."""

    language: str
    words: tuple[str, ...]
    body: str
    number: int

    @property
    def is_run(self) -> bool:
        return self.language in {"sh", "python", "js"} and not {"elsewhere", "output"} & set(self.words)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(found["language"], tuple(found["words"].split()), found["body"], number) for number, found in enumerate(_FENCE.finditer(text))
    ]


def run_page(text: str, address: str, node: Callable[[str], list[str]] | None = None) -> dict[int, str]:
    """What the blocks of a page print, by their number, with a service at `address`. `node` gives the command for a JavaScript module.

    Raises `AssertionError` with the block that failed.
    """
    found = [block for block in blocks(text) if block.is_run]
    printed: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        # Files that an example writes land in a folder of its own; what it reads is found as in a checkout.
        for name in ("examples", "tests", "docs"):
            Path(folder, name).symlink_to(ROOT / name)
        python = [block for block in found if block.language == "python"]
        if python:
            codes = [_here(block.body, address) for block in python]
            said = json.loads(_run([sys.executable, "-c", _PYTHON], folder, codes[0], json.dumps(codes)))
            printed |= {block.number: text for block, text in zip(python, said, strict=True)}
        for block in found:
            body = _here(block.body, address)
            if block.language == "sh":
                printed[block.number] = _run(["bash", "-euo", "pipefail", "-c", body], folder, body)
            elif block.language == "js" and node:
                printed[block.number] = _run(node(body), folder, body)
    return printed


def settings_of(text: str) -> Iterator[str]:
    """The files of settings that a page shows; what is a part of one is made whole."""
    for block in blocks(text):
        if block.language == "toml" and "elsewhere" not in block.words:
            yield block.body if "[lanes" in block.body else f"{block.body}\n{_REST}"


def shown(text: str, printed: Mapping[int, str]) -> str:
    """The page with the output blocks that belong to what was printed."""
    number = -1
    last: str | None = None

    def write(found: re.Match[str]) -> str:
        nonlocal number, last
        number += 1
        words = found["words"].split()
        if "output" not in words:
            last = printed.get(number)
        elif last is not None:
            return f"```{found['language']}{found['words']}\n{_tidied(last, found['language'], words)}\n```"
        return found[0]

    return _FENCE.sub(write, text)


def _tidied(printed: str, language: str, words: Sequence[str]) -> str:
    if language != "json":
        return printed.rstrip()
    lines = [json.loads(line) for line in printed.splitlines() if line.strip()]
    return "\n".join(json.dumps(value if "full" in words else _short(value), ensure_ascii=False, indent=2) for value in lines)


def _short(value: Any, name: str = "") -> Any:
    """Without the parts that fill a screen; `"..."` says that there is more."""
    if isinstance(value, dict):
        inner = {key: _short(inner, key) for key, inner in value.items()}
        return {**{key: inner[key] for key in _KEPT if key in inner}, "...": "..."} if name == "metadata" else inner
    return value


def _here(body: str, address: str) -> str:
    return body.replace(ADDRESS, address.rstrip("/")).replace(".venv/bin/", "")


def _run(command: list[str], folder: str, body: str, given: str | None = None) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIGHTLINE_", "LC_", "LANG"))}
    environment = {**kept, "LANG": "C.UTF-8", "PATH": path, "XDG_STATE_HOME": os.path.join(folder, "state")}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=folder, env=environment, input=given)
    assert ran.returncode == 0, f"{body}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def main() -> None:
    """Writes the pages that are named anew, or all."""
    named = [Path(name).resolve() for name in sys.argv[1:]]
    sys.path.insert(0, str(ROOT))
    from tests.acceptance.javascript.run import module_command
    from tests.acceptance.services import serving

    with serving() as address:
        for page in named or PAGES:
            text = page.read_text("utf-8")
            if " output" not in text:
                continue
            printed = run_page(text, address, module_command)
            # The same blocks stand in the other language's README.
            for name in {page, page.with_name("README.zh-CN.md") if page.parent == ROOT else page}:
                name.write_text(shown(name.read_text("utf-8"), printed), "utf-8")


if __name__ == "__main__":
    main()
