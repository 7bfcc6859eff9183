"""A service with a simulated engine, shared by the tests that look at the doors and not at the answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.cli import sample
from tests import harness
from tests.acceptance.crowded import Crowded, crowded_service
from tests.acceptance.services import FAKE, serving


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service under a path prefix."""
    path = tmp_path_factory.mktemp("settings") / "fake.toml"
    path.write_text(FAKE.format(decode=400, tokens=12))
    with serving("--config", str(path), "--root-path", "/qwen-vl") as address:
        yield address


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Running]:
    """A service that other people's clients speak to."""
    with harness.serving(tmp_path_factory.mktemp("door"), harness.FAKE + harness.lanes()) as running:
        yield running


@pytest.fixture(scope="session")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowded]:
    """A service with room for one."""
    with crowded_service(tmp_path_factory.mktemp("crowded")) as service:
        yield service


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "shapes.png"
    path.write_bytes(sample.picture())
    return path
