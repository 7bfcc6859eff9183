"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.cli import sample

FAKE = """
[backends.x]
kind = "fake"
answer_tokens = 12
[lanes]
A = {backends = ["x"]}
B = {backends = ["x"]}
C = {backends = ["x"]}
"""


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    for name in ("SIGHTLINE_SERVER", "SIGHTLINE_API_KEY", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "shapes.png"
    path.write_bytes(sample.picture())
    return str(path)


@pytest.fixture
def fake(tmp_path: Path) -> str:
    """Settings with a simulated engine."""
    path = tmp_path / "fake.toml"
    path.write_text(FAKE)
    return str(path)
