"""For all tests alike."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Machines are shared: how long one example of a property takes says nothing about the code.
settings.register_profile("sightline", deadline=None)
settings.load_profile("sightline")

# A runner started in the background ignores SIGINT, and what it starts would too: Ctrl-C must mean what it means to a person.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command that sets up logging sends it to the stream of its test, which is closed when the next one begins."""
    root, calls = logging.getLogger(), logging.getLogger("sightline.calls")
    before, levels = root.handlers[:], (root.level, calls.level)
    yield
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler and handler not in before:
            root.removeHandler(handler)
    root.setLevel(levels[0])
    calls.setLevel(levels[1])
