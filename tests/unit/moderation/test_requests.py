"""How people ask: the requests of bench/evasion.py, as they are and disguised, and what stands beside them."""

from __future__ import annotations

import pytest
from bench.evasion import Language, clean, close, disguised, requests, written_anew

from sightline.moderation.rules import Rules

WEAK = {
    "pictures between letters",
    "no spaces",
    "digits and ! | + for letters",
    "stretched letters",
    "traditional, marks between",
}
"""Disguises that the rules do not fully see through; the security guide says so."""


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("name", "share"), [("requests", 0.95), ("second", 0.9)])
def test_explicit_requests_are_refused_in_their_category(rules: Rules, language: Language, name: str, share: float) -> None:
    asked = list(requests(language, name))
    refused = [text for category, text in asked if (match := rules.find(text)) and match.category == category]
    assert len(asked) == 60
    assert len(refused) / len(asked) >= share, sorted({text for _, text in asked} - set(refused))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_disguises_hide_little(rules: Rules, language: Language) -> None:
    for name, disguise in written_anew(language).items():
        if name not in WEAK:
            seen = [text for _, text in requests(language) if rules.find(text)]
            found = [text for text in seen if rules.find(disguised(name, disguise, text))]
            assert len(found) / len(seen) >= 0.95, name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_ordinary_questions_are_let_through(rules: Rules, language: Language) -> None:
    assert len(clean(language)) == 300
    assert [text for text in (*clean(language), *close(language)) if rules.find(text)] == []
