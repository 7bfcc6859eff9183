"""Uploaded files on disk, private to their tenant, for a while. Implements the port `FileStore`.

    <root>/<hash of the tenant>/file_<32 hex digits>        its modification time is when it came; nothing else is kept

Directories are 0700 and files 0600. A file appears whole or not at all (written aside, then renamed), survives a restart,
and is swept once it has expired. An id that is not of exactly our form never reaches the file system.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from sightline.protocol.errors import Overloaded, TooLarge
from sightline.protocol.language import Bilingual
from sightline.service.ports import StoredFile

_FILE_ID = re.compile(r"file_[0-9a-f]{32}")
_PART = ".part"
_WRITE_BYTES = 1 << 20
_SWEEP_SECONDS = 600.0
_RETRY_MS = 60_000

P = ParamSpec("P")
T = TypeVar("T")

_BYTES = Bilingual("字节", "bytes")
_ONE = Bilingual("文件", "The file")
_ALL = Bilingual("已上传的文件总量", "All uploaded files together")
_DELETE_SOME = Bilingual("请删除不再需要的文件，或等待其过期。", "Delete files that are no longer needed, or wait until they expire.")


class DiskFiles:
    """Files under `root`. Open it in the event loop: `async with DiskFiles(...) as files`.

    `most_bytes` bounds one file, `tenant_bytes` all of one tenant; `keep_seconds` is how long each is kept.
    `now` is seconds since the epoch.
    """

    def __init__(
        self,
        root: Path,
        *,
        most_bytes: int = 32_000_000,
        tenant_bytes: int = 1_000_000_000,
        keep_seconds: int = 24 * 3600,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._root = root
        self._most_bytes = most_bytes
        self._tenant_bytes = tenant_bytes
        self._keep_seconds = keep_seconds
        self._now = now
        self._sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._prepare)
        self._sweeper = asyncio.create_task(self._sweep_now_and_then())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._sweeper:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper

    async def put(self, content: AsyncIterator[bytes], tenant: str) -> StoredFile:
        """See the port. Raises `Overloaded` when the disk is full."""
        file_id = f"file_{secrets.token_hex(16)}"
        folder = self._folder(tenant)
        part = folder / f"{file_id}{_PART}"
        size = 0
        try:
            kept = await _on_disk(self._start, folder, part)
            waiting = bytearray()
            async for piece in content:
                size += len(piece)
                if size > self._most_bytes:
                    raise TooLarge(_ONE, size, self._most_bytes, _BYTES)
                if kept + size > self._tenant_bytes:
                    raise TooLarge(_ALL, kept + size, self._tenant_bytes, _BYTES, advice=_DELETE_SOME)
                waiting += piece
                if len(waiting) >= _WRITE_BYTES:
                    await _on_disk(_append, part, bytes(waiting))
                    waiting.clear()
            await _on_disk(_append, part, bytes(waiting))
            created = int(self._now())
            await _on_disk(_publish, part, folder / file_id, created)
        finally:
            part.unlink(missing_ok=True)
        return StoredFile(file_id, size, created + self._keep_seconds)

    async def get(self, file_id: str, tenant: str) -> bytes | None:
        """See the port."""
        return await asyncio.to_thread(self._read, file_id, tenant)

    async def delete(self, file_id: str, tenant: str) -> bool:
        """See the port."""
        if not _FILE_ID.fullmatch(file_id):
            return False
        try:
            await asyncio.to_thread(os.unlink, self._folder(tenant) / file_id)
        except FileNotFoundError:
            return False
        return True

    def sweep(self) -> int:
        """Removes what has expired, and says how many; blocks."""
        gone = 0
        for path in self._root.glob("*/file_*"):
            with suppress(FileNotFoundError):
                if self._expired(path.stat().st_mtime):
                    path.unlink()
                    gone += 1
        return gone

    async def _sweep_now_and_then(self) -> None:
        while True:
            await asyncio.to_thread(self.sweep)
            await asyncio.sleep(_SWEEP_SECONDS)

    def _prepare(self) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root.chmod(0o700)

    def _folder(self, tenant: str) -> Path:
        return self._root / hashlib.sha256(tenant.encode()).hexdigest()[:32]

    def _start(self, folder: Path, part: Path) -> int:
        """Begins an empty file; the bytes that the tenant keeps already."""
        folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        os.utime(part, (self._now(), self._now()))
        total = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    total += entry.stat(follow_symlinks=False).st_size
        return total

    def _read(self, file_id: str, tenant: str) -> bytes | None:
        if not _FILE_ID.fullmatch(file_id):
            return None
        try:
            descriptor = os.open(self._folder(tenant) / file_id, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with open(descriptor, "rb") as file:
            return None if self._expired(os.fstat(descriptor).st_mtime) else file.read(self._most_bytes + 1)

    def _expired(self, created: float) -> bool:
        return self._now() >= created + self._keep_seconds


async def _on_disk(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `work` in a thread; a disk that is full or gone is our trouble, not the caller's."""
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except OSError as error:
        raise Overloaded("files", retry_after_ms=_RETRY_MS) from error


def _append(part: Path, content: bytes) -> None:
    with part.open("ab") as file:
        file.write(content)


def _publish(part: Path, path: Path, created: int) -> None:
    os.utime(part, (created, created))
    part.rename(path)
