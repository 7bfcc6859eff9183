"""A real service in a process of its own, for the tests that speak to it over HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Generator
from pathlib import Path

RUN = """
import logging, sys
from pathlib import Path
from sightline.assembly import serve
from sightline.config import load
logging.basicConfig(level="WARNING")
serve(load(Path(sys.argv[1])), lambda address: print(address, flush=True))
"""

FAKE = """
[backends.x]
kind = "fake"
prefill = 100000.0
decode = 400.0
slots = 4
answer_tokens = 40
"""


def lanes(slots: int = 4, waiting: int = 64, backend: str = "x") -> str:
    """The three lanes over one backend."""
    entry = '[lanes.{lane}]\nbackends = ["{backend}"]\nslots = {slots}\nwaiting = {waiting}\n'
    return "".join(entry.format(lane=lane, backend=backend, slots=slots, waiting=waiting) for lane in "ABC")


class Running:
    """A started service. `url` has no slash at its end."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].split("/")[0])


@contextlib.contextmanager
def serving(folder: Path, config: str, server: str = "") -> Generator[Running]:
    """Runs a service from a TOML configuration on a free port, and ends it. `server` holds lines of its [server] table."""
    path = folder / "sightline.toml"
    path.write_text(f'state = "{folder / "state"}"\n' + textwrap.dedent(config) + f"\n[server]\nport = 0\n{server}\n")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([sys.executable, "-c", RUN, str(path)], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), f"the service did not start: {address!r}"
        yield Running(process, address.rstrip("/"))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            process.stdout.close()
