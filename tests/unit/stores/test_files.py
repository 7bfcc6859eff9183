"""Uploaded files: bounded, private, whole, and gone when their time has come."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sightline.protocol.errors import TooLarge
from sightline.stores.files import DiskFiles


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


class Time:
    """A wall clock that is set by hand."""

    seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


def store(root: Path, **options: Any) -> DiskFiles:
    return DiskFiles(root / "files", **{"most_bytes": 1000, "tenant_bytes": 2500, "keep_seconds": 60, "now": Time(), **options})


async def test_what_was_put_comes_back_to_its_tenant_alone(tmp_path: Path) -> None:
    async with store(tmp_path) as files:
        kept = await files.put(pieces(b"abc", b"def"), "one")
        assert (kept.bytes, kept.expires_at) == (6, 1_700_000_060)
        assert await files.get(kept.file_id, "one") == b"abcdef"
        assert await files.get(kept.file_id, "two") is None
        assert not await files.delete(kept.file_id, "two")
        assert await files.delete(kept.file_id, "one")
        assert not await files.delete(kept.file_id, "one")
        assert await files.get(kept.file_id, "one") is None


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    async with store(tmp_path) as files:
        kept = await files.put(pieces(b"abc"), "one")
    async with store(tmp_path) as files:
        assert await files.get(kept.file_id, "one") == b"abc"


async def test_it_expires_and_is_swept(tmp_path: Path) -> None:
    now = Time()
    async with store(tmp_path, now=now) as files:
        kept = await files.put(pieces(b"abc"), "one")
        now.seconds += 59
        assert await files.get(kept.file_id, "one") == b"abc"
        assert files.sweep() == 0
        now.seconds += 1
        assert await files.get(kept.file_id, "one") is None
        assert files.sweep() == 1
    assert not list((tmp_path / "files").glob("*/*"))


async def test_sizes_are_bounded_and_nothing_is_left_of_what_was_refused(tmp_path: Path) -> None:
    async with store(tmp_path) as files:
        with pytest.raises(TooLarge) as refused:
            await files.put(pieces(*[bytes(100)] * 11), "one")
        assert (refused.value.details["actual"], refused.value.details["limit"]) == (1100, 1000)
        for _ in range(2):
            await files.put(pieces(bytes(1000)), "one")
        with pytest.raises(TooLarge) as refused:
            await files.put(pieces(bytes(600)), "one")
        assert refused.value.details["limit"] == 2500
        await files.put(pieces(bytes(600)), "two")
    assert len(list((tmp_path / "files").glob("*/*"))) == 3


async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ConnectionError

    async def stuck() -> AsyncIterator[bytes]:
        yield b"abc"
        await asyncio.sleep(60)

    async with store(tmp_path) as files:
        with pytest.raises(ConnectionError):
            await files.put(broken(), "one")
        job = asyncio.create_task(files.put(stuck(), "one"))
        await asyncio.sleep(0.1)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
    assert not list((tmp_path / "files").glob("*/*"))


@pytest.mark.parametrize(
    "file_id", ["", "..", "../../etc/passwd", "file_", "file_" + "A" * 32, "file_" + "0" * 33, "file_" + "0" * 32 + "\n"]
)
async def test_ids_of_another_form_never_reach_the_disk(tmp_path: Path, file_id: str) -> None:
    async with store(tmp_path) as files:
        assert await files.get(file_id, "one") is None
        assert not await files.delete(file_id, "one")


async def test_links_are_not_followed_and_everything_is_private(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    async with store(tmp_path) as files:
        kept = await files.put(pieces(b"abc"), "../../one")
        (path,) = (tmp_path / "files").glob("*/*")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700
        path.unlink()
        path.symlink_to(tmp_path / "secret")
        assert await files.get(kept.file_id, "../../one") is None
