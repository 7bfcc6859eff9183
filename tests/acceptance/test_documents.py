"""The documents are true: reference pages current, links alive, the two READMEs in step."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "training").glob("*.md")])


def test_the_reference_pages_are_made_from_this_code() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec
    assert spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    stale = [name for name, text in generate.pages().items() if (ROOT / "docs/reference" / name).read_text("utf-8") != text]
    assert not stale, "run: .venv/bin/python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_dead(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    dead = [link for link in links if "://" not in link and not link.startswith("mailto:") and not (page.parent / link).exists()]
    assert dead == []


def test_the_two_readmes_are_in_step() -> None:
    def shape(name: str) -> tuple[list[str], list[str]]:
        text = (ROOT / name).read_text("utf-8")
        code = re.findall(r"```(\w+)\n(.*?)```", text, re.S)
        return re.findall(r"^#+ ", text, re.M), [f"{kind} {len(body.splitlines())}" for kind, body in code]

    assert shape("README.md") == shape("README.zh-CN.md")
