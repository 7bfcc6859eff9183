"""What each key used, by task and day (UTC). Implements `ports.Ledger`.

A call is noted in memory and written with its neighbours within a second: a kill -9 loses at most that second's counts.
"""

from __future__ import annotations

import asyncio
import csv
import functools
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import TextIO

from sqlalchemy import Connection, text

from sightline.prompt import Usage
from sightline.service.ports import Caller
from sightline.stores.database import Database
from sightline.stores.faults import StoreFault

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A key's use of one task on one day (`YYYY-MM-DD`); `failed` of the `requests` ended with an error."""

    day: str
    key_id: str
    name: str
    task: str
    requests: int
    failed: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What a key used since a day: calls, and tokens in and out together."""

    requests: int = 0
    tokens: int = 0


@dataclass(slots=True)
class _Count:
    requests: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, other: _Count) -> None:
        self.requests += other.requests
        self.failed += other.failed
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens


_Line = tuple[str, str, str]


def subject(caller: Caller) -> str:
    """What use is counted under: the key, or the tenant where the service runs open."""
    return caller.key_id or f"tenant:{caller.tenant}"


class UsageStore:
    """Counts and keeps. `record` costs a microsecond; `start` begins the writing, `close` ends it with what is left."""

    def __init__(self, database: Database, *, wall: Callable[[], float] = time.time, flush_s: float = 1.0) -> None:
        self._database = database
        self._wall = wall
        self._flush_s = flush_s
        self._waiting: dict[_Line, _Count] = {}
        self._stopping = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._writing = asyncio.create_task(self._write_on())

    async def close(self) -> None:
        self._stopping.set()
        if self._writing:
            await self._writing
        await self.flush()

    def record(self, caller: Caller, task: str, *, usage: Usage | None, code: int) -> None:
        """See `ports.Ledger`. A degraded answer (2001 with a result) is recorded by its caller as code 0."""
        count = _Count(1, int(code != 0), usage.input_tokens if usage else 0, usage.output_tokens if usage else 0)
        self._add({(self._today(), subject(caller), task): count})

    async def flush(self) -> None:
        """Writes what waits. Raises `StoreFault` when the database is away; nothing is lost then."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        writing = asyncio.ensure_future(self._database.writing(lambda connection: _upsert(connection, waiting)))

        def put_back(written: asyncio.Future[None]) -> None:
            if written.exception():
                self._add(waiting)

        writing.add_done_callback(put_back)
        # Shielded: whoever waits for it may go away, and the write still ends one way or the other.
        await asyncio.shield(writing)

    async def spent(self, key: str, since: str) -> Spent:
        """What `subject` `key` used from the day `since` on, with what is not written yet."""

        def work(connection: Connection) -> Spent:
            row = connection.execute(
                text(
                    "SELECT coalesce(sum(requests), 0), coalesce(sum(input_tokens + output_tokens), 0) "
                    "FROM key_usage WHERE key_id = :key AND day >= :since"
                ),
                {"key": key, "since": since},
            ).one()
            return Spent(int(row[0]), int(row[1]))

        await self.flush()
        return await self._database.reading(work)

    def rows(self, since: str, until: str) -> list[UsageRow]:
        """Every line from the day `since` to the day `until`, both included. Waits for the database."""
        query = text(
            "SELECT u.day, u.key_id, coalesce(k.name, ''), u.task, u.requests, u.failed, u.input_tokens, u.output_tokens "
            "FROM key_usage u LEFT JOIN api_keys k ON k.id = u.key_id WHERE u.day >= :since AND u.day <= :until "
            "ORDER BY u.day, u.key_id, u.task"
        )
        return self._database.read(
            lambda connection: [UsageRow(*row) for row in connection.execute(query, {"since": since, "until": until})]
        )

    def _add(self, counts: dict[_Line, _Count]) -> None:
        for line, count in counts.items():
            self._waiting.setdefault(line, _Count()).add(count)

    def _today(self) -> str:
        return _day(int(self._wall() // 86_400))

    async def _write_on(self) -> None:
        away = False
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._flush_s)
            try:
                await self.flush()
                away = False
            except StoreFault as fault:
                if not away:
                    _log.warning("usage waits in memory: %s", fault)
                away = True


@functools.lru_cache(maxsize=4)
def _day(days: int) -> str:
    return datetime.fromtimestamp(days * 86_400, UTC).strftime("%Y-%m-%d")


def write_csv(rows: Iterable[UsageRow], to: TextIO) -> None:
    """The rows as a table with a header, for a spreadsheet."""
    table = csv.writer(to)
    table.writerow(field.name for field in fields(UsageRow))
    table.writerows(astuple(row) for row in rows)


def _upsert(connection: Connection, counts: dict[_Line, _Count]) -> None:
    # In one order everywhere, so that two gateways never wait for each other's lines in a circle.
    connection.execute(
        text(
            "INSERT INTO key_usage (day, key_id, task, requests, failed, input_tokens, output_tokens) "
            "VALUES (:day, :key_id, :task, :requests, :failed, :input_tokens, :output_tokens) "
            "ON CONFLICT (day, key_id, task) DO UPDATE SET requests = key_usage.requests + excluded.requests, "
            "failed = key_usage.failed + excluded.failed, input_tokens = key_usage.input_tokens + excluded.input_tokens, "
            "output_tokens = key_usage.output_tokens + excluded.output_tokens"
        ),
        [
            {
                "day": day,
                "key_id": key_id,
                "task": task,
                "requests": count.requests,
                "failed": count.failed,
                "input_tokens": count.input_tokens,
                "output_tokens": count.output_tokens,
            }
            for (day, key_id, task), count in sorted(counts.items())
        ],
    )
