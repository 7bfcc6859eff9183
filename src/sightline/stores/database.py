"""The SQL database below keys and usage: SQLite by default, PostgreSQL when several gateways share it.

Work is a function of a connection; it runs in one transaction, in a thread, so that the event loop stays free. What is
needed for every request is never asked here: keys are held in memory (`keyring`), usage is written in batches (`usage`).
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from sightline.protocol.language import Bilingual
from sightline.stores.faults import StoreFault

Done = TypeVar("Done")

_LOCK = 0x51_67_68_74
"""PostgreSQL's advisory lock that keeps two starting gateways from migrating at once."""


class Database:
    """One database by its address: `sqlite:///path/to/file.db`, `postgresql://user:password@host/name`.

    Raises `StoreFault` for an address that is neither, and from every method when the database is away.
    """

    def __init__(self, address: str) -> None:
        self._engine = _engine(address)

    def read(self, work: Callable[[Connection], Done]) -> Done:
        """What `work` finds, in one transaction."""
        return self._transact(work, writes=False)

    def write(self, work: Callable[[Connection], Done]) -> Done:
        """Lets `work` change things; all of it is kept, or none."""
        return self._transact(work, writes=True)

    async def reading(self, work: Callable[[Connection], Done]) -> Done:
        """`read` in a thread."""
        return await asyncio.to_thread(self.read, work)

    async def writing(self, work: Callable[[Connection], Done]) -> Done:
        """`write` in a thread."""
        return await asyncio.to_thread(self.write, work)

    def migrate(self) -> int:
        """Brings the schema up to date and returns its version; safe while other gateways start.

        Raises `StoreFault` when the database was made by a newer release.
        """

        def work(connection: Connection) -> int:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY)"))
            version = int(connection.execute(text("SELECT coalesce(max(version), 0) FROM schema_version")).scalar_one())
            known = _migrations()
            newest = max(known)
            if version > newest:
                raise StoreFault(
                    Bilingual(
                        f"数据库结构版本为 {version}，本程序只认识到 {newest}：请升级程序。",
                        f"The database has schema version {version}; this release knows up to {newest}. Install a newer release.",
                    )
                )
            for number in range(version + 1, newest + 1):
                for statement in known[number]:
                    connection.execute(text(statement))
                connection.execute(text("INSERT INTO schema_version (version) VALUES (:number)"), {"number": number})
            return newest

        return self.write(work)

    def close(self) -> None:
        self._engine.dispose()

    def _transact(self, work: Callable[[Connection], Done], *, writes: bool) -> Done:
        try:
            with self._engine.connect().execution_options(sightline_writes=writes) as connection, connection.begin():
                return work(connection)
        except SQLAlchemyError as error:
            # The statement and its parameters stay out of the sentence; the class and the driver's own class name it enough.
            kind = type(getattr(error, "orig", None) or error).__name__
            raise StoreFault(Bilingual(f"数据库不可用（{kind}）。", f"The database cannot be used ({kind}).")) from error


def _migrations() -> dict[int, list[str]]:
    """The statements of every `migrations/NNNN_name.sql` by its number."""
    found: dict[int, list[str]] = {}
    for entry in resources.files("sightline.stores").joinpath("migrations").iterdir():
        if named := re.fullmatch(r"(\d{4})_\w+\.sql", entry.name):
            lines = [line for line in entry.read_text("utf-8").splitlines() if not line.lstrip().startswith("--")]
            found[int(named[1])] = [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]
    return found


def _engine(address: str) -> Engine:
    try:
        url = make_url(address)
        if url.get_backend_name() == "sqlite":
            return _sqlite(url)
        if url.get_backend_name() == "postgresql":
            return create_engine(
                url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=4, connect_args={"connect_timeout": 5}
            )
    except (ArgumentError, NoSuchModuleError):
        pass
    except ModuleNotFoundError:
        raise StoreFault(Bilingual("使用 PostgreSQL 需要安装 sightline[scale]。", "PostgreSQL needs the extra sightline[scale].")) from None
    raise _unknown_address()


def _unknown_address() -> StoreFault:
    return StoreFault(
        Bilingual(
            "数据库地址须为 sqlite:///文件 或 postgresql://用户:密码@主机/库。",
            "The database address must be sqlite:///file or postgresql://user:password@host/name.",
        )
    )


def _prepare(file: Path) -> None:
    """Makes the file, readable by its owner alone: it says who may do what. SQLite's files beside it follow its mode."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StoreFault(Bilingual(f"无法打开数据库文件（{why}）。", f"The database file cannot be opened ({why}).")) from error


def _sqlite(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise _unknown_address()
    _prepare(Path(url.database))
    engine = create_engine(url, connect_args={"timeout": 5.0, "check_same_thread": False})

    def connected(raw: sqlite3.Connection, _record: Any) -> None:
        raw.isolation_level = None  # transactions are begun below, by hand
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = FULL")  # a revoked key must not come back after a power cut

    def begun(connection: Connection) -> None:
        # A transaction that will write takes its lock at the start: one that reads first could not be upgraded.
        writes = connection.get_execution_options().get("sightline_writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine
