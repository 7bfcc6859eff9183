"""Services as an operator starts them: the real command in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

COMMAND = [sys.executable, "-c", "import sys; from sightline.cli import main; sys.exit(main())"]
"""The console script, without having to find where it was installed."""

FAKE = """
[backends.x]
kind = "fake"
decode = {decode}
answer_tokens = {tokens}
slots = 64
[lanes]
A = {{backends = ["x"], slots = 64, waiting = 2000}}
B = {{backends = ["x"]}}
C = {{backends = ["x"]}}
"""


def surroundings() -> dict[str, str]:
    """The environment without what would lead a client or a person's language elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIGHTLINE_", "LC_", "LANG"))}
    return {**kept, "LANG": "C.UTF-8", "XDG_STATE_HOME": os.path.join(tempfile.gettempdir(), "sightline-acceptance")}


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    """A service at the address that it announces; interrupted at the end, as by Ctrl-C, and it must end well."""
    # A file and no pipe: nobody reads along, and a full pipe would stop the service.
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=surroundings(),
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, _read(log)
            yield json.loads(line)["address"]
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
            complaints = _read(log)
            assert process.returncode == 0, complaints
            assert "Traceback" not in complaints, complaints
        finally:
            process.kill()
            process.communicate()


def _read(log: TextIO) -> str:
    log.seek(0)
    return log.read()
