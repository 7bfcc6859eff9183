"""The audit log's writer: a refusal is on disk before it is told to its caller.

One thread writes; what arrives while it writes is written together next (group commit), so that many refusals at once cost
one flush. An entry is acknowledged when its line and then the head have reached the disk: kill -9 loses nothing that was
acknowledged. After an error (a full disk) the chain is left as it is and the next entry begins a new one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sightline.moderation.chain import START, AuditFault, Entry, Kept, Keyring
from sightline.moderation.evidence import Content, EvidenceStore
from sightline.moderation.verify import heads
from sightline.protocol.language import Bilingual

_log = logging.getLogger(__name__)

_MOST_AT_ONCE = 1000
_PAUSE_S = 1.0
"""Between two tries to begin a chain while the disk refuses."""
_PURGE_S = 600.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is to be written: where it was found (`input`, `output`, `image`), under which rule, whose it was."""

    where: str
    category: str
    rule: str
    content: Content
    tenant: str
    key_id: str | None = None
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    refusal: Refusal
    done: Future[str]


class AuditLog:
    """Writes one chain. Close it to let go of its thread."""

    def __init__(
        self,
        folder: Path,
        secret: bytes,
        *,
        evidence: EvidenceStore | None = None,
        segment_bytes: int = 64 << 20,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Begins a chain in `folder`. `secret` (32 bytes or more) keys it. Raises `AuditFault` when the folder cannot be written."""
        self._folder = folder
        self._keys = Keyring.of(secret)
        self._evidence = evidence
        self._segment_bytes = segment_bytes
        self._wall = wall
        self._chain: _Chain | None = None
        self._next_try = 0.0
        self._failing = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._chain = self._begin()
        except OSError as error:
            raise _unwritable(error) from error
        self._thread = threading.Thread(target=self._work, name="audit", daemon=True)
        self._thread.start()

    @property
    def failing(self) -> bool:
        """Whether the last entry could not be written; a service that refuses without a record says so."""
        return self._failing

    async def record(self, refusal: Refusal) -> str:
        """Writes a refusal and returns its audit id once it is safe. Raises `AuditFault` when it cannot be written.

        It is written even where the caller goes away meanwhile.
        """
        done: Future[str] = Future()
        done.set_running_or_notify_cancel()
        self._jobs.put(_Job(refusal, done))
        return await asyncio.shield(asyncio.wrap_future(done))

    def close(self) -> None:
        """Writes what waits and ends the thread."""
        self._jobs.put(None)
        self._thread.join()
        if self._chain:
            self._chain.close()

    def _work(self) -> None:
        ending, purged = False, 0.0
        while not ending:
            if self._evidence and self._wall() - purged >= _PURGE_S:
                purged = self._wall()
                with suppress(OSError):
                    self._evidence.purge(purged)
            jobs: list[_Job] = []
            with suppress(queue.Empty):
                job = self._jobs.get(timeout=_PURGE_S if self._evidence else None)
                while job is not None and len(jobs) < _MOST_AT_ONCE:
                    jobs.append(job)
                    job = self._jobs.get_nowait()
                if job is None:
                    ending = True
                else:
                    self._jobs.put(job)
            if jobs:
                self._write(jobs)

    def _write(self, jobs: list[_Job]) -> None:
        try:
            if self._chain is None:
                if time.monotonic() < self._next_try:
                    raise OSError("the last try to write failed a moment ago")
                self._chain = self._begin()
            if self._chain.size > self._segment_bytes:
                self._chain.rotate()
            ids = [self._append(self._chain, job.refusal) for job in jobs]
            self._chain.commit()
        except OSError as error:
            if not self._failing:
                _log.error("the audit log cannot be written: %s", error.strerror or type(error).__name__)
            self._failing = True
            self._next_try = time.monotonic() + _PAUSE_S
            if self._chain:
                with suppress(OSError):
                    self._chain.close()
                self._chain = None
            for job in jobs:
                job.done.set_exception(_unwritable(error))
            return
        if self._failing:
            _log.warning("the audit log is written again")
            self._failing = False
        for job, audit_id in zip(jobs, ids, strict=True):
            job.done.set_result(audit_id)

    def _append(self, chain: _Chain, refusal: Refusal) -> str:
        audit_id = f"aud_{secrets.token_hex(10)}"
        chain.add(
            Entry(
                seq=chain.seq + 1,
                prev=chain.mac,
                writer=chain.writer,
                time=_iso(self._wall()),
                id=audit_id,
                where=refusal.where,
                category=refusal.category,
                rule=refusal.rule,
                span=refusal.span,
                content=self._keys.fingerprint(refusal.content.encoded()),
                tenant=refusal.tenant,
                key_id=refusal.key_id,
                evidence=self._keep(audit_id, refusal),
            )
        )
        return audit_id

    def _keep(self, audit_id: str, refusal: Refusal) -> Kept | None:
        if self._evidence is None:
            return None
        try:
            return self._evidence.keep(audit_id, refusal.content, self._wall())
        except OSError as error:
            # The record matters more than what it is about.
            _log.error("evidence of %s could not be kept: %s", audit_id, error.strerror or type(error).__name__)
            return None

    def _begin(self) -> _Chain:
        now = self._wall()
        writer = f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        before = heads(self._folder, self._keys)
        chain = _Chain(self._folder, self._keys, writer)
        try:
            chain.add(
                Entry(seq=1, prev=START, writer=writer, time=_iso(now), id=f"aud_{secrets.token_hex(10)}", kind="opened", heads=before)
            )
            chain.commit()
        except OSError:
            chain.discard()
            raise
        return chain


class _Chain:
    """The files of one chain while they are being written."""

    def __init__(self, folder: Path, keys: Keyring, writer: str) -> None:
        self.writer = writer
        self.seq = 0
        self.mac = START
        self.size = 0
        self._folder = folder
        self._keys = keys
        self._segment = 0
        self._turn = 0
        self._pending = bytearray()
        self._log = self._open(self._name())
        try:
            self._head = self._open(f"{writer}.head")
        except OSError:
            os.close(self._log)
            raise

    def add(self, entry: Entry) -> None:
        """Takes up an entry for the next `commit`."""
        line, self.mac = self._keys.seal(entry)
        self.seq = entry.seq
        self._pending += line

    def commit(self) -> None:
        """Brings what was added to the disk: first the lines, then the head that speaks for them."""
        _write_all(self._log, bytes(self._pending))
        os.fdatasync(self._log)
        self.size += len(self._pending)
        self._pending.clear()
        for _ in range(1 if self._turn else 2):  # both slots are there from the beginning
            slot = self._keys.slot(self.seq, self.mac, self._turn)
            os.pwrite(self._head, slot, self._turn % 2 * len(slot))
            self._turn += 1
        os.fdatasync(self._head)

    def rotate(self) -> None:
        """Goes on in a new segment."""
        old, self._log = self._log, self._open(self._name())
        os.close(old)
        self.size = 0

    def close(self) -> None:
        os.close(self._log)
        os.close(self._head)

    def discard(self) -> None:
        """Takes back a chain that could not even begin."""
        self.close()
        for path in self._folder.glob(f"{self.writer}.*"):
            path.unlink(missing_ok=True)

    def _name(self) -> str:
        self._segment += 1
        return f"{self.writer}.{self._segment:06}.jsonl"

    def _open(self, name: str) -> int:
        descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name itself must survive, too
        finally:
            os.close(folder)
        return descriptor


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _iso(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _unwritable(error: OSError) -> AuditFault:
    why = error.strerror or type(error).__name__
    return AuditFault(Bilingual(f"无法写入审计日志（{why}）。", f"The audit log cannot be written ({why})."))
