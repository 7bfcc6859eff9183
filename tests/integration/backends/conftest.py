"""The real engine for these tests: the bundled model, or the GGUF file that SIGHTLINE_TEST_MODEL names."""

from __future__ import annotations

import pytest

from tests.contract.backends.conftest import model


@pytest.fixture
def weights() -> str:
    return model()
