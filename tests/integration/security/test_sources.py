"""What the source must not hold: readers of pickles, and second ways out to the network."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import sightline

SOURCE = Path(sightline.__file__).parent
WAYS_OUT = {
    "client": "the SDK speaks to the service",
    "backends": "engines, at addresses of the operator",
    "media/fetch.py": "the one fetcher of what people name",
    "stores": "Valkey/Redis, at an address of the operator",
    "server/run.py": "listens",
    "assembly/replicas.py": "asks how many addresses a name of the operator's has, and connects to none",
    "media/workers.py": "a pair of local sockets to a process of ours",
    "media/worker.py": "the other end of it",
}
"""Where modules may open connections, and why."""


def imports() -> Iterator[tuple[str, str]]:
    """Every module of the package with each module that it imports."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((str(path.relative_to(SOURCE)), alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield str(path.relative_to(SOURCE)), node.module


def test_nothing_is_unpickled() -> None:
    """CVE-2026-3059, CVE-2026-3060, CVE-2026-3989: a socket that unpickles runs whatever it is sent."""
    readers = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "multiprocessing"}
    found = {(path, name) for path, name in imports() if name.split(".")[0] in readers}
    assert not [each for each in found if each[1] != "multiprocessing.shared_memory"]


def test_one_fetcher() -> None:
    """CVE-2026-34753: a second loader, for batch files, lacked the checks of the first."""
    clients = {"aiohttp", "httpx", "requests", "urllib3", "http.client", "urllib.request", "ftplib", "socket"}
    found = {path for path, name in imports() if name in clients or name.split(".")[0] in clients - {"socket", "http.client"}}
    assert found, "the scan sees imports"
    strangers = {path for path in found if not path.startswith(tuple(WAYS_OUT)) and not path.startswith("cli/")}
    assert strangers <= {"media/addresses.py"}, strangers
