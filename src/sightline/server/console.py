"""The console's routes: how the lanes stand and stood, who used what, whether the audit log is whole, and a lane's tap.

Open to a key with the scope `admin`; to everybody that the gate lets through where the service runs open (loopback alone).
It is made for the page at `/console` and may change with it; programs read `/metrics`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from sightline import __version__
from sightline.protocol.decode import decode
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual, Language
from sightline.server.connection import while_connected
from sightline.server.entry import Entry
from sightline.server.history import Course, FirstTokens
from sightline.server.metrics import Metrics
from sightline.server.response import send_bytes, send_json
from sightline.service.lanes import Lane
from sightline.service.ports import Pool
from sightline.tasks.base import Lane as LaneName

_CSV = b"text/csv; charset=utf-8"
_UNKNOWN_LANE = Bilingual("没有这个通道", "there is no such lane")
_NO_DAY = Bilingual("日期应形如 2026-11-01", "a day is written as 2026-11-01")
_OPEN = Bilingual("服务未启用密钥，不记录用量", "the service runs without keys and counts nobody's use")
_AUDIT_SECONDS = 10.0
"""How long the outcome of one reading of the audit log stands: reading it again costs a pass over all of it."""

Tap = Literal["open", "paused", "draining"]


class KeyRow(msgspec.Struct, frozen=True):
    """A key as an operator sees it. Times are seconds since 1970; `only` are its scopes, `limits` its allowance."""

    id: str
    prefix: str
    name: str
    tenant: str
    state: Literal["valid", "expired", "revoked"]
    created_at: int
    expires_at: int | None
    admin: bool
    only: list[str]
    limits: dict[str, int]


class UseRow(msgspec.Struct, frozen=True):
    """A key's use of one task on one day."""

    day: str
    key_id: str
    name: str
    task: str
    requests: int
    failed: int
    input_tokens: int
    output_tokens: int


class Desk(Protocol):
    """Keys and their use. Its methods wait for the database and are called in a thread."""

    def keys(self) -> Sequence[KeyRow]: ...

    def usage(self, since: str, until: str) -> Sequence[UseRow]:
        """Every line from the day `since` to the day `until`, both included."""
        ...

    def usage_csv(self, since: str, until: str) -> str: ...


class AuditFinding(msgspec.Struct, frozen=True):
    """Something wrong with the log: in which file, at which line, and what."""

    file: str
    line: int
    message: Bilingual


class AuditState(msgspec.Struct, frozen=True):
    """What a reading of the whole log found. `entries` stand in `chains`; it is whole where nothing was found."""

    entries: int
    chains: int
    findings: tuple[AuditFinding, ...] = ()
    unacknowledged: int = 0


class AuditUnread(Exception):
    """The log cannot be read: a sentence for the operator."""

    def __init__(self, message: Bilingual) -> None:
        self.message = message
        super().__init__(message.en)


@dataclass(frozen=True, slots=True)
class Premises:
    """What an operator may look at. `audit` reads the log again (in a thread; raises `AuditUnread`); None: nothing is kept."""

    lanes: Mapping[LaneName, Lane] = field(default_factory=dict[LaneName, Lane])
    desk: Desk | None = None
    audit: Callable[[], AuditState] | None = None


class LaneState(msgspec.Struct, frozen=True):
    """A lane now, and its last minutes."""

    name: LaneName
    state: Tap
    slots: int
    running: int
    waiting: int
    most_waiting: int
    waiting_tokens: int
    predicted_wait_ms: int
    first_token: FirstTokens
    course: Course


class _Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    state: Tap


class Console:
    """The console's endpoints over one service."""

    def __init__(self, entry: Entry, pool: Pool, metrics: Metrics, premises: Premises) -> None:
        self._entry = entry
        self._pool = pool
        self._metrics = metrics
        self._premises = premises
        self._reading = asyncio.Lock()
        self._read: tuple[float, AuditState | AuditUnread] | None = None

    async def state(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /console/state: everything that the console redraws as it goes."""
        await self._entry.operator(scope)
        metrics = self._metrics
        metrics.history.look()
        said = {
            "version": __version__,
            "seconds": round(metrics.history.seconds),
            "slot_seconds": metrics.history.slot_seconds,
            "lanes": [self._lane(name, lane) for name, lane in self._premises.lanes.items()],
            "totals": {
                name: [{**labels, "count": count} for labels, count in metrics.totals(name) if count]
                for name in ("calls", "refused", "degraded", "cache", "tokens")
            },
            "engines": [{"name": engine.name, "ready": engine.ready, "restarts": engine.restarts} for engine in metrics.engines()],
            "models": [{"name": info.name, "context_tokens": info.context_tokens, "fake": info.fake} for info in self._pool.models()],
            "keyed": self._premises.desk is not None,
            "audited": self._premises.audit is not None,
        }
        await send_json(send, msgspec.json.encode(said))

    async def lane(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /console/lanes/{lane} with `{"state": "open" | "paused" | "draining"}`."""
        await self._entry.operator(scope)
        name: str = scope["path_params"]["lane"]
        lane = next((lane for lane in self._premises.lanes.values() if lane.name == name), None)
        if lane is None:
            raise MalformedRequest("lane", _UNKNOWN_LANE, sorted(self._premises.lanes))
        order = decode(await self._entry.body(scope, receive), _Order)
        lane.pause(order.state == "paused")
        lane.drain(order.state == "draining")
        await send_json(send, msgspec.json.encode(self._lane(lane.name, lane)))

    async def keys(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /console/keys."""
        await self._entry.operator(scope)
        rows = await while_connected(receive, asyncio.to_thread(self._desk().keys))
        await send_json(send, msgspec.json.encode({"keys": rows}))

    async def usage(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /console/usage?since=2026-11-01&until=2026-11-30."""
        await self._entry.operator(scope)
        rows = await while_connected(receive, asyncio.to_thread(self._desk().usage, *_days(scope)))
        await send_json(send, msgspec.json.encode({"usage": rows}))

    async def usage_csv(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /console/usage.csv: the same as a table for a spreadsheet."""
        await self._entry.operator(scope)
        table = await while_connected(receive, asyncio.to_thread(self._desk().usage_csv, *_days(scope)))
        await send_bytes(send, table.encode(), _CSV)

    async def audit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /console/audit: the log read again, or how it was found a moment ago."""
        await self._entry.operator(scope)
        await send_json(send, msgspec.json.encode(_told(await self._audited(), scope["state"]["language"])))

    async def _audited(self) -> AuditState | AuditUnread | None:
        read = self._premises.audit
        if read is None:
            return None
        async with self._reading:
            now = self._entry.clock.now()
            if self._read is None or now - self._read[0] > _AUDIT_SECONDS:
                try:
                    self._read = (now, await asyncio.to_thread(read))
                except AuditUnread as unread:
                    self._read = (now, unread)
            return self._read[1]

    def _desk(self) -> Desk:
        if self._premises.desk is None:
            raise MalformedRequest("usage", _OPEN)
        return self._premises.desk

    def _lane(self, name: LaneName, lane: Lane) -> LaneState:
        history = self._metrics.history
        return LaneState(
            name=name,
            state="paused" if lane.paused else "draining" if lane.draining else "open",
            slots=lane.limits.slots,
            running=lane.running,
            waiting=lane.waiting,
            most_waiting=lane.limits.waiting,
            waiting_tokens=lane.expected_tokens,
            predicted_wait_ms=round(1000 * lane.predicted_wait()),
            first_token=history.first_tokens(name),
            course=history.course(name),
        )


def _told(found: AuditState | AuditUnread | None, language: Language) -> dict[str, object]:
    if found is None:
        return {"state": "off"}
    if isinstance(found, AuditUnread):
        return {"state": "unread", "message": found.message.pick(language)}
    findings = [{"file": one.file, "line": one.line, "message": one.message.pick(language)} for one in found.findings[:100]]
    return {
        "state": "broken" if findings else "whole",
        "entries": found.entries,
        "chains": found.chains,
        "unacknowledged": found.unacknowledged,
        "findings": findings,
    }


def _days(scope: Scope) -> tuple[str, str]:
    """The first and the last day that are asked for. Raises `MalformedRequest`."""
    asked = QueryParams(scope["query_string"])
    days: list[str] = []
    for name, default in (("since", "1970-01-01"), ("until", "9999-12-31")):
        try:
            days.append(datetime.strptime(asked.get(name, default), "%Y-%m-%d").strftime("%Y-%m-%d"))
        except ValueError:
            raise MalformedRequest(name, _NO_DAY) from None
    return days[0], days[1]
