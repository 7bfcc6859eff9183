"""What disguises achieve against the shipped rules, and what harmless text suffers; `bench/moderation.py` prints the table."""

import contextlib
import importlib
from collections.abc import Callable

import pytest

from sightline.moderation.rules import Rules
from tests.unit.moderation.evasion_corpus import composed_evasions, evasions, lines, second_evasions

_DOCUMENTED = ("asyncio", "argparse", "collections", "datetime", "decimal", "email.message", "http.client", "logging", "os", "random")
_DOCUMENTED += ("statistics", "subprocess", "tarfile", "threading", "turtle", "unittest.mock", "urllib.request", "zipfile")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("drawn", [evasions, second_evasions, composed_evasions])
def test_disguises_are_seen_through(rules: Rules, drawn: Callable[[], list[tuple[str, str, str]]], language: str) -> None:
    tried = [text for asked, _, text in drawn() if asked == language]
    assert len(tried) > 300
    assert sum(rules.find(text) is not None for text in tried) / len(tried) >= 0.95


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_only_comes_close_is_mostly_let_through(rules: Rules, language: str) -> None:
    refused = [text for text in lines(f"close-{language}") if rules.find(text)]
    assert len(refused) <= 2, refused


def documentation() -> list[str]:
    """The documentation of the standard library: a few thousand paragraphs that nobody wrote for this."""
    paragraphs: list[str] = []
    for name in _DOCUMENTED:
        module = importlib.import_module(name)
        things = [module, *vars(module).values()]
        for thing in [*things, *(part for each in things if isinstance(each, type) for part in vars(each).values())]:
            with contextlib.suppress(Exception):
                paragraphs += [part for part in str(thing.__doc__).split("\n\n") if len(part) > 40]
    assert len(paragraphs) > 2000
    return paragraphs


def test_ordinary_text_is_let_through(rules: Rules) -> None:
    assert [text for text in documentation() if rules.find(text)] == []
