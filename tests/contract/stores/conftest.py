"""The stores as an operator may run them: SQLite and PostgreSQL, memory and Valkey/Redis, each a throw-away of this run."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from sightline.stores.database import Database

_NUMBERS = count()


def _postgres_program(name: str) -> str | None:
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)]
    return found[0] if found else shutil.which(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The folder of a PostgreSQL server's socket."""
    pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed: pip install 'sightline[scale]'")
    initdb, server = _postgres_program("initdb"), _postgres_program("postgres")
    if not initdb or not server:
        pytest.skip("PostgreSQL is not installed here: apt-get install postgresql")
    folder = tempfile.mkdtemp(prefix="sl-pg-", dir="/tmp")
    # PostgreSQL refuses to run as root.
    who = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    if who:
        shutil.chown(folder, **who)
    data = f"{folder}/data"
    subprocess.run(
        [initdb, "-D", data, "-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"], check=True, capture_output=True, **who
    )
    settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "autovacuum=off"]
    process = subprocess.Popen([server, "-D", data, "-k", folder, *settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who)
    try:
        yield folder
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def new_database(folder: str) -> str:
    """The address of an empty database of the server whose socket is in `folder`."""
    import psycopg

    deadline = time.monotonic() + 15
    while True:
        try:
            with psycopg.connect(f"host={folder} user=tester dbname=postgres", autocommit=True) as connection:
                name = f"t{next(_NUMBERS)}"
                connection.execute(f"CREATE DATABASE {name}")
                return f"postgresql://tester@/{name}?host={folder}"
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sightline.db"
    return new_database(request.getfixturevalue("postgres"))


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    database = Database(address)
    database.migrate()
    yield database
    database.close()


class RedisServer:
    """A Valkey or Redis of this test's own, on a socket; may be stopped and started again, empty."""

    def __init__(self, program: str, folder: str) -> None:
        self._program = program
        self._folder = folder
        self.address = f"unix://{folder}/s"
        self.start()

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", f"{self._folder}/s", "--save", "", "--appendonly", "no", "--dir", self._folder]
        self._process = subprocess.Popen([self._program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not Path(f"{self._folder}/s").exists():
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.01)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)
        Path(f"{self._folder}/s").unlink(missing_ok=True)


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    pytest.importorskip("redis", reason="the Redis client is not installed: pip install 'sightline[scale]'")
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if not program:
        pytest.skip("neither Valkey nor Redis is installed here: apt-get install redis-server")
    folder = tempfile.mkdtemp(prefix="sl-redis-", dir="/tmp")
    server = RedisServer(program, folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
