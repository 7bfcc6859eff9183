"""Trust, assembled: keys, limits and the ledger where callers need keys; moderation and its audit log everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.assembly.engines import build_engine
from sightline.backends.pool import Engine
from sightline.config import Settings, SmallerEngine, address, state_folder
from sightline.moderation.audit import AuditLog
from sightline.moderation.chain import AuditFault
from sightline.moderation.classifier import Classifier
from sightline.moderation.model import Guard
from sightline.moderation.moderator import Moderation
from sightline.moderation.rules import Rules, RulesFault, RuleText, shipped
from sightline.protocol.language import Bilingual
from sightline.server.routes import ModerationState
from sightline.service.ports import Keys, Ledger, Limits, StartupError
from sightline.stores.faults import StoreFault
from sightline.stores.secret import secret_in

if TYPE_CHECKING:
    from sightline.stores.database import Database
    from sightline.stores.keys import KeyStore
    from sightline.stores.usage import UsageStore


@dataclass(frozen=True, slots=True)
class Trust:
    """What stands between strangers and engines; a part that is None is switched off."""

    keys: Keys | None = None
    limits: Limits | None = None
    ledger: Ledger | None = None
    moderation: Moderation | None = None
    desk: KeyDesk | None = None
    """Who holds keys and what they used, for the operator."""

    def state(self) -> ModerationState:
        """What is moderated now, and whether refusals are on record."""
        active = self.moderation
        return ModerationState(active is not None, active is not None and active.looks, active is not None and not active.unrecorded)


@asynccontextmanager
async def open_trust(settings: Settings) -> AsyncGenerator[Trust]:
    """Opens stores and rules, and closes them in order. Raises `StartupError`."""
    async with AsyncExitStack() as stack:
        try:
            moderation = await stack.enter_async_context(_moderation(settings)) if settings.trust.moderation else None
            if not needs_keys(settings):
                trust = Trust(moderation=moderation)
            else:
                trust = replace(await stack.enter_async_context(_stores(settings)), moderation=moderation)
        except (StoreFault, AuditFault, RulesFault) as fault:
            raise StartupError(fault.say("en")) from fault
        yield trust


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """Keys and their use, for the commands of an operator."""

    keys: KeyStore
    usage: UsageStore


@contextmanager
def open_keys(settings: Settings) -> Generator[KeyDesk]:
    """The keys of a service, which may be running or not. Waits for the database. Raises `StoreFault`."""
    from sightline.stores.usage import UsageStore

    database, keys = _open_database(settings)
    try:
        yield KeyDesk(keys, UsageStore(database))
    finally:
        database.close()


def audit_log(settings: Settings) -> tuple[Path, bytes]:
    """Where a service keeps the audit log, and the secret of its chains. Raises `StoreFault`, `AuditFault`."""
    folder = state_folder(settings)
    log, secret = folder / "audit", folder / "audit.secret"
    # A new secret beside an old log would make every line of it look changed.
    if not secret.exists() and log.is_dir() and any(log.iterdir()):
        raise AuditFault(
            Bilingual(
                "审计日志的秘密文件 audit.secret 不见了：请恢复该文件，或移走旧日志。",
                "The secret of the audit log, audit.secret, is gone: bring it back, or move the old log away.",
            )
        )
    return log, secret_in(secret)


def evidence_folder(settings: Settings) -> Path:
    """Where refused content waits, sealed, for its reviewers."""
    return state_folder(settings) / "evidence"


def needs_keys(settings: Settings) -> bool:
    """Whether callers need a key: always off loopback, and on it where the operator asks for it."""
    return settings.trust.keys == "required" or not is_loopback(settings.server.host)


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@asynccontextmanager
async def _moderation(settings: Settings) -> AsyncGenerator[Moderation]:
    texts = list(shipped()) if settings.trust.shipped_rules else []
    texts += [await asyncio.to_thread(_read_rules, name) for name in settings.trust.rules]
    rules = await asyncio.to_thread(Rules, texts)
    weighs = settings.trust.classifier
    classifier = await asyncio.to_thread(Classifier.load) if weighs != "off" else None
    audit = await asyncio.to_thread(_open_log, settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, audit.close)
        names = (settings.trust.text_guard, settings.trust.image_guard)
        engines = {name: await stack.enter_async_context(_guard_engine(settings, name)) for name in dict.fromkeys(names) if name}
        text_guard, image_guard = (Guard(engines[name]) if name else None for name in names)
        yield Moderation(
            rules, audit, classifier=classifier, classify_answers=weighs == "all", text_guard=text_guard, image_guard=image_guard
        )


@asynccontextmanager
async def _guard_engine(settings: Settings, name: str) -> AsyncGenerator[Engine]:
    """An engine that serves no lane. Raises `StartupError`."""
    described = settings.backends[name]
    assert not isinstance(described, SmallerEngine)  # noqa: S101 - the settings refuse it
    engine = build_engine(name, described)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.close()


def _open_log(settings: Settings) -> AuditLog:
    if settings.trust.evidence_key is None:
        return AuditLog(*audit_log(settings))
    from sightline.moderation.evidence import EvidenceStore

    evidence = EvidenceStore(evidence_folder(settings), settings.trust.evidence_key, keep_days=settings.trust.evidence_days)
    return AuditLog(*audit_log(settings), evidence=evidence)


def _read_rules(name: str) -> RuleText:
    path = Path(name).expanduser()
    try:
        return RuleText(path.name, path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise StartupError(f"The rule file {path} cannot be read.") from None


@asynccontextmanager
async def _stores(settings: Settings) -> AsyncGenerator[Trust]:
    # A service that runs open needs no database, nor the time it takes to load the library for one.
    from sightline.stores.keyring import KeyRing
    from sightline.stores.limits import MemoryLimits
    from sightline.stores.usage import UsageStore

    database, store = await asyncio.to_thread(_open_database, settings)
    async with AsyncExitStack() as stack:
        stack.callback(database.close)
        if not await asyncio.to_thread(store.any_valid):
            raise StartupError(
                f"The service needs a key to listen on {settings.server.host}: make one with `sightline keys create NAME`, "
                "or listen on 127.0.0.1."
            )
        ring, usage = KeyRing(store), UsageStore(database)
        desk = KeyDesk(store, usage)
        for part in (ring, usage):
            await part.start()
            stack.push_async_callback(part.close)
        if settings.trust.shared is None:
            yield Trust(ring, MemoryLimits(usage.spent), usage, desk=desk)
            return
        from sightline.stores.shared_limits import SharedLimits

        limits = SharedLimits(address(settings.trust.shared), usage.spent)
        await limits.start()
        stack.push_async_callback(limits.close)
        yield Trust(ring, limits, usage, desk=desk)


def _open_database(settings: Settings) -> tuple[Database, KeyStore]:
    from sightline.stores.database import Database
    from sightline.stores.keys import KeyStore

    folder = state_folder(settings)
    database = Database(address(settings.trust.database) if settings.trust.database else f"sqlite:///{folder / 'sightline.db'}")
    database.migrate()
    return database, KeyStore(database, secret_in(folder / "keys.secret"))
