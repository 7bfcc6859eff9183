"""For all tests alike."""

from __future__ import annotations

import signal

# A runner started in the background ignores SIGINT, and what it starts would too: Ctrl-C must mean what it means to a person.
signal.signal(signal.SIGINT, signal.default_int_handler)
