"""Addresses in the settings may leave their secrets to the environment."""

from __future__ import annotations

import pytest

from sightline.config import address
from sightline.service.ports import StartupError


def test_a_name_in_braces_stands_for_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE", "redis://:p$ss{word}@valkey:6379/0")
    monkeypatch.setenv("PASSWORD", "secret")
    assert address("${STORE}") == "redis://:p$ss{word}@valkey:6379/0"
    assert address("redis://:${PASSWORD}@valkey:6379/0") == "redis://:secret@valkey:6379/0"


def test_anything_else_stays_as_it_is() -> None:
    for text in ("postgresql://user@host/name", "unix:///run/s?db=1", "sqlite:////srv/$HOME/{x}.db"):
        assert address(text) == text


def test_a_variable_that_is_not_set_is_told_by_its_name_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORE", raising=False)
    with pytest.raises(StartupError, match="STORE, which is not set"):
        address("${STORE}")
