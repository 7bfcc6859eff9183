"""The documents are true: reference pages current, links alive, the two READMEs in step."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "training", "examples", "deploy", "bench")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
ZH_ALONE = {"docs/reference/tasks.md", "docs/reference/errors.md"}
"""Pages that exist in Chinese too, which only the Chinese README points to."""


def test_the_reference_pages_are_made_from_this_code() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec
    assert spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    stale = [name for name, text in generate.pages().items() if (ROOT / "docs/reference" / name).read_text("utf-8") != text]
    assert not stale, "run: .venv/bin/python docs/generate.py"


def anchors(page: Path) -> set[str]:
    """What may stand behind `#` in a link to a page, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_dead(page: Path) -> None:
    dead: list[str] = []
    for link in re.findall(r"\]\(([^)\s]+)", page.read_text("utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_picture_is_there_and_small(page: Path) -> None:
    for name in re.findall(r"!\[[^\]]*\]\(([^)\s]+)", page.read_text("utf-8")):
        assert (page.parent / name).stat().st_size < 1_500_000


def test_every_page_is_found_from_the_first() -> None:
    """A page that nothing links to is read by nobody."""
    found, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in found or not page.exists():
            continue
        found.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text("utf-8"))
        waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - found == set()


def test_the_two_readmes_are_in_step() -> None:
    def shape(name: str) -> tuple[list[str], list[tuple[str, str]], list[str], int]:
        text = (ROOT / name).read_text("utf-8")
        headings = re.findall(r"^(#+) ", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
        blocks = [(kind, re.sub(r"\s+# .*", "", body)) for kind, body in re.findall(r"^```([^\n]+)\n(.*?)^```$", text, re.M | re.S)]
        links = sorted(re.sub(r"\.zh-CN\.md$", ".md", link) for link in re.findall(r"\]\(([^)\s]+)", text) if not link.startswith("README"))
        return headings, blocks, sorted(set(links) - ZH_ALONE), text.count("\n|")

    assert shape("README.md") == shape("README.zh-CN.md")
