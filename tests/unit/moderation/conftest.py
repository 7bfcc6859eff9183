"""What the tests of moderation share."""

import pytest

from sightline.moderation.rules import Rules, shipped


@pytest.fixture(scope="session")
def rules() -> Rules:
    """The rules as they are shipped."""
    return Rules(shipped())
