"""What an operator sees of a running service, from where it is kept: keys, their use, and the audit log."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from sightline.assembly.trust import KeyDesk, Trust, audit_log
from sightline.config import Settings
from sightline.moderation.chain import AuditFault
from sightline.moderation.verify import verify
from sightline.server.console import AuditFinding, AuditState, AuditUnread, Desk, KeyRow, UseRow
from sightline.stores.faults import StoreFault

if TYPE_CHECKING:
    from sightline.stores.keys import KeyRecord


class OperatorDesk:
    """Implements `server.console.Desk`."""

    def __init__(self, desk: KeyDesk, *, wall: Callable[[], float] = time.time) -> None:
        self._desk = desk
        self._wall = wall

    def keys(self) -> Sequence[KeyRow]:
        """See the port."""
        return [_row(record, self._wall()) for record in self._desk.keys.all()]

    def usage(self, since: str, until: str) -> Sequence[UseRow]:
        """See the port."""
        return [UseRow(**asdict(row)) for row in self._desk.usage.rows(since, until)]

    def usage_csv(self, since: str, until: str) -> str:
        """See the port."""
        from sightline.stores.usage import write_csv

        table = io.StringIO(newline="")
        write_csv(self._desk.usage.rows(since, until), table)
        return table.getvalue()


def operator_desk(trust: Trust) -> Desk | None:
    """The desk of a service that has keys."""
    return OperatorDesk(trust.desk) if trust.desk else None


def audit_reader(settings: Settings, trust: Trust) -> Callable[[], AuditState] | None:
    """Reads the audit log from its beginning; None where nothing is moderated and so nothing is on record."""
    if trust.moderation is None:
        return None

    def read() -> AuditState:
        try:
            report = verify(*audit_log(settings))
        except (AuditFault, StoreFault) as fault:
            raise AuditUnread(fault.message) from fault
        findings = tuple(AuditFinding(one.file, one.line, one.message) for one in report.findings)
        return AuditState(report.entries, report.chains, findings, report.unacknowledged)

    return read


def _row(record: KeyRecord, now: float) -> KeyRow:
    state: Literal["valid", "expired", "revoked"] = (
        "revoked" if record.revoked_at is not None else "valid" if record.valid(now) else "expired"
    )
    scopes = record.scopes
    return KeyRow(
        id=record.id,
        prefix=record.prefix,
        name=record.name,
        tenant=record.tenant,
        state=state,
        created_at=record.created_at,
        expires_at=record.expires_at,
        admin=scopes.admin,
        only=[name for names in (scopes.tasks, scopes.lanes, scopes.models) if names is not None for name in sorted(names)],
        limits={name: value for name, value in asdict(record.allowance).items() if value is not None},
    )
