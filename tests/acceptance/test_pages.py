"""What the README and the guide say, done as they say it: every shell, Python and JavaScript block, against the built-in model."""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sightline.backends.weights import BUNDLED, find_weights
from sightline.cli import COMMANDS
from sightline.config import load
from sightline.service.ports import StartupError
from tests.acceptance.javascript.run import module_command
from tests.acceptance.services import serving

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by its name
    spec.loader.exec_module(module)
    return module


outputs = script("outputs")
PAGES: list[Path] = list(outputs.PAGES)


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    try:
        find_weights(BUNDLED)
    except StartupError as error:
        pytest.skip(str(error))
    with serving() as address:
        yield address


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_blocks_of_a_page_run(page: Path, request: pytest.FixtureRequest) -> None:
    text = page.read_text("utf-8")
    blocks = outputs.blocks(text)
    if not any(block.is_run for block in blocks):
        return
    printed = outputs.run_page(text, request.getfixturevalue("served"), module_command)
    assert set(printed) == {block.number for block in blocks if block.is_run}
    for before, after in itertools.pairwise(blocks):
        if "output" in after.words:
            assert before.is_run, f"nothing makes the output in block {after.number}"
            assert printed[before.number].strip(), before.body


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_settings_of_a_page_can_be_used(page: Path, tmp_path: Path) -> None:
    for number, settings in enumerate(outputs.settings_of(page.read_text("utf-8"))):
        path = tmp_path / f"{number}.toml"
        path.write_text(settings, "utf-8")
        load(path)


def test_every_command_that_a_page_names_exists() -> None:
    known = {command.name for command in COMMANDS}
    for page in PAGES:
        shell = "\n".join(block.body for block in outputs.blocks(page.read_text("utf-8")) if block.language == "sh")
        assert set(re.findall(r"(?:^|/|\| )sightline ([a-z]+)\b", shell, re.MULTILINE)) <= known, page


def test_what_is_printed_lands_below_its_block() -> None:
    text = "a\n```sh\necho hi\n```\n\n```text output\nold\n```\n\n```sh elsewhere\nnever\n```\n\n```text\nkept\n```\n"
    (number,) = [block.number for block in outputs.blocks(text) if block.is_run]
    assert outputs.shown(text, {number: "hi\n"}) == text.replace("old", "hi")
