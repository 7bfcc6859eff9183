"""Bearer keys as they are kept: made once, shown once, stored as a keyed hash, revoked.

Why a fast hash is right here. Slow hashes (argon2, scrypt) protect secrets that people choose, which can be guessed. A key
of ours is 256 random bits: no speed of hashing makes guessing it possible, and a slow hash would cost every request
milliseconds and give anyone a way to burn the service's CPU. The hash is keyed (HMAC-SHA-256 with a secret that is not in
the database), so that someone who can write to the database cannot plant a key, and someone who reads it learns nothing.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, get_args

import msgspec
from sqlalchemy import Connection, Row, text

from sightline.protocol.language import Bilingual
from sightline.service.ports import Allowance, Caller, Scopes
from sightline.stores.database import Database
from sightline.stores.faults import StoreFault
from sightline.tasks.base import Lane

_SHOWN = 6
"""Characters of a key that a person may see again: 36 of its 256 bits."""
_NAME = re.compile(r"[^\W_][\w .,:@()/-]{0,63}")
"""Also keeps a name from being read as a formula where the usage is opened as a table."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key; never the key itself. Times are seconds since 1970."""

    id: str
    prefix: str
    name: str
    tenant: str
    scopes: Scopes
    allowance: Allowance
    created_at: int
    expires_at: int | None
    revoked_at: int | None

    def valid(self, now: float) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def caller(self) -> Caller:
        return Caller(tenant=self.tenant, key_id=self.id, scopes=self.scopes, allowance=self.allowance)


class KeyStore:
    """The keys of this installation. Its methods wait for the database: call them from a command, or in a thread."""

    def __init__(self, database: Database, pepper: bytes, *, wall: Callable[[], float] = time.time) -> None:
        """`pepper` is the secret of the hash (see `secret.secret_in`). Raises `StoreFault` when the keys were made with another."""
        self._database = database
        self._keyed = hmac.new(pepper, digestmod="sha256")
        self._wall = wall
        database.write(self._check_pepper)

    def digest(self, bearer: str) -> str:
        """The keyed hash of whatever was sent as a key; the same work for a good and a bad one."""
        keyed = self._keyed.copy()
        keyed.update(bearer.encode("utf-8", "surrogatepass"))
        return keyed.hexdigest()

    def create(
        self,
        name: str,
        *,
        tenant: str | None = None,
        scopes: Scopes | None = None,
        allowance: Allowance | None = None,
        expires_at: int | None = None,
    ) -> tuple[KeyRecord, str]:
        """Makes a key and returns it with its record: the only time that the key itself is seen.

        Without a `tenant` the key is one of its own. Raises `StoreFault` for a name, a scope or an allowance that makes no sense.
        """
        scopes, allowance = scopes or Scopes(), allowance or Allowance()
        _check(name, tenant, scopes, allowance)
        drawn = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii").rstrip("=")
        bearer = f"sl-{drawn}"
        key_id = f"key_{secrets.token_hex(8)}"
        record = KeyRecord(
            id=key_id,
            prefix=bearer[: 3 + _SHOWN],
            name=name,
            tenant=tenant or key_id,
            scopes=scopes,
            allowance=allowance,
            created_at=int(self._wall()),
            expires_at=expires_at,
            revoked_at=None,
        )

        def work(connection: Connection) -> None:
            connection.execute(
                text(
                    "INSERT INTO api_keys (id, digest, prefix, name, tenant, scopes, allowance, created_at, expires_at) VALUES "
                    "(:id, :digest, :prefix, :name, :tenant, :scopes, :allowance, :created_at, :expires_at)"
                ),
                {
                    "id": record.id,
                    "digest": self.digest(bearer),
                    "prefix": record.prefix,
                    "name": record.name,
                    "tenant": record.tenant,
                    "scopes": msgspec.json.encode(record.scopes).decode(),
                    "allowance": msgspec.json.encode(record.allowance).decode(),
                    "created_at": record.created_at,
                    "expires_at": record.expires_at,
                },
            )
            _raise_revision(connection)

        self._database.write(work)
        return record, bearer

    def revoke(self, key: str) -> KeyRecord | None:
        """Ends a key by its id or the whole of its shown prefix; None when there is no such key, or several by that prefix."""

        def work(connection: Connection) -> KeyRecord | None:
            rows = connection.execute(text("SELECT * FROM api_keys WHERE id = :key OR prefix = :key"), {"key": key}).all()
            if len(rows) != 1:
                return None
            row = rows[0]
            connection.execute(
                text("UPDATE api_keys SET revoked_at = coalesce(revoked_at, :now) WHERE id = :id"),
                {"now": int(self._wall()), "id": row.id},
            )
            _raise_revision(connection)
            return _record(connection.execute(text("SELECT * FROM api_keys WHERE id = :id"), {"id": row.id}).one())

        return self._database.write(work)

    def all(self) -> list[KeyRecord]:
        """Every key that was ever made, newest first."""
        return self._database.read(
            lambda connection: [_record(row) for row in connection.execute(text("SELECT * FROM api_keys ORDER BY created_at DESC, id"))]
        )

    def any_valid(self) -> bool:
        """Whether someone holds a key that works now: what a service asks before it listens to a network."""
        now = self._wall()
        return any(record.valid(now) for record in self.all())

    def revision(self) -> int:
        """Grows whenever a key is made or revoked, by any process."""
        return self._database.read(_revision)

    def by_digest(self) -> tuple[int, dict[str, KeyRecord]]:
        """The revision, and every key that was not revoked by its hash, of one moment."""

        def work(connection: Connection) -> tuple[int, dict[str, KeyRecord]]:
            revision = _revision(connection)
            rows = connection.execute(text("SELECT * FROM api_keys WHERE revoked_at IS NULL"))
            return revision, {row.digest: _record(row) for row in rows}

        return self._database.read(work)

    def _check_pepper(self, connection: Connection) -> None:
        proof = self.digest("sightline: is this the secret that the keys were made with?")
        connection.execute(
            text("INSERT INTO facts (name, value) VALUES ('pepper_proof', :proof) ON CONFLICT (name) DO NOTHING"), {"proof": proof}
        )
        known = connection.execute(text("SELECT value FROM facts WHERE name = 'pepper_proof'")).scalar_one()
        if not hmac.compare_digest(str(known), proof):
            raise StoreFault(
                Bilingual(
                    "数据库中的密钥是用另一个秘密文件创建的：请恢复该文件。",
                    "The keys in this database were made with another secret file: bring that one back.",
                )
            )


def _record(row: Row[Any]) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        prefix=row.prefix,
        name=row.name,
        tenant=row.tenant,
        scopes=msgspec.json.decode(row.scopes, type=Scopes),
        allowance=msgspec.json.decode(row.allowance, type=Allowance),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def _revision(connection: Connection) -> int:
    value = connection.execute(text("SELECT value FROM facts WHERE name = 'keys_revision'")).scalar_one_or_none()
    return int(value or 0)


def _raise_revision(connection: Connection) -> None:
    connection.execute(
        text(
            "INSERT INTO facts (name, value) VALUES ('keys_revision', '1') "
            "ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(facts.value AS BIGINT) + 1 AS TEXT)"
        )
    )


def _check(name: str, tenant: str | None, scopes: Scopes, allowance: Allowance) -> None:
    if not _NAME.fullmatch(name):
        raise StoreFault(
            Bilingual(
                "名称须以字母或数字开头，至多 64 个字符。",
                "A name starts with a letter or digit and has at most 64 characters, all of them plain.",
            )
        )
    if tenant is not None and not re.fullmatch(r"[\w.-]{1,64}", tenant, re.ASCII):
        raise StoreFault(Bilingual("租户名只能含字母、数字、._-，至多 64 个。", "A tenant is 1 to 64 letters, digits and ._-"))
    if scopes.lanes is not None and not scopes.lanes <= frozenset(get_args(Lane)):
        raise StoreFault(Bilingual("通道只有 A、B、C。", "The lanes are A, B and C."))
    for field in fields(allowance):
        bound: int | None = getattr(allowance, field.name)
        if bound is not None and bound < 1:
            raise StoreFault(Bilingual("限额须为正整数。", "A limit is a positive whole number."))
