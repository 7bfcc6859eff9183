"""Decoder processes that crash, hang and eat memory; the service does not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sightline.media.orders import Limits, PagesFound, SurveyPages
from sightline.media.refusals import Broken
from sightline.media.settings import MediaSettings
from sightline.media.workers import Errand, Workers
from tests.integration.media.clips import clip, steady
from tests.integration.media.conftest import CALLER, EVERYTHING, VIEW, Clock, opened
from tests.unit.media.files import pdf_of

_SITE = """
import sys
if "sightline.media.worker" in sys.orig_argv:
    sys.path.append({root!r})
    from tests.integration.media import faulty_pdf
    sys.modules["sightline.media.pdf"] = faulty_pdf
"""


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """Decoder processes whose PDF decoder does what its input says."""
    root = str(Path(__file__).parents[3])
    (tmp_path / "sitecustomize.py").write_text(_SITE.format(root=root))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SECRET", "hidden")
    started = Workers(MediaSettings(worker_bytes=1_500_000_000), Clock())
    yield started
    started.close()


def survey(workers: Workers, what: str, *, seconds: float = 10, share: Any = "B", errand: Errand | None = None) -> tuple[int, int]:
    data = what.encode()
    order = SurveyPages("pdf", 72, Limits(1_000_000, 10, cpu_seconds=2))
    reply = workers.survey(share, order, data, hashlib.sha256(data).hexdigest(), errand or Errand(seconds))
    assert isinstance(reply, PagesFound)
    return reply.sizes[0]


def reason(workers: Workers, what: str, **how: Any) -> str:
    with pytest.raises(Broken) as broken:
        survey(workers, what, **how)
    return broken.value.reason


def test_one_process_is_kept_and_has_its_shares_priority(workers: Workers) -> None:
    first, priority = survey(workers, "fine")
    assert priority == 5
    assert first != os.getpid()
    assert survey(workers, "fine too") == (first, 5)
    other, priority = survey(workers, "fine", share="A")
    assert (other != first, priority) == (True, 0)


def test_a_crash_is_tried_again_and_then_kept_out(workers: Workers) -> None:
    process, _ = survey(workers, "fine")
    assert reason(workers, "crash") == "crash"
    began = time.monotonic()
    assert reason(workers, "crash") == "crash"
    assert time.monotonic() - began < 0.1  # no process was spent on it
    again, _ = survey(workers, "fine")
    assert again != process


def test_what_crashes_only_once_is_read(workers: Workers, tmp_path: Path) -> None:
    what = f"once {tmp_path / 'mark'}"
    assert survey(workers, what)[0]
    assert survey(workers, what)[0]


def test_hanging_ends_in_time_and_again_at_once(workers: Workers) -> None:
    survey(workers, "fine")
    began = time.monotonic()
    assert reason(workers, "hang", seconds=0.3) == "slow"
    assert reason(workers, "hang", seconds=0.3) == "slow"
    assert time.monotonic() - began < 5
    assert reason(workers, "hang", seconds=30) == "slow"  # kept out
    assert survey(workers, "fine")


def test_spinning_ends_by_its_processor_time_too(workers: Workers) -> None:
    assert reason(workers, "spin", seconds=30) == "crash"


def test_memory_is_bounded(workers: Workers) -> None:
    assert reason(workers, "eat") == "memory"
    assert survey(workers, "fine")


def test_answers_that_make_no_sense_count_as_a_crash(workers: Workers) -> None:
    assert reason(workers, "lie") == "crash"


def test_a_process_sees_no_secret_and_writes_no_file(workers: Workers, tmp_path: Path) -> None:
    count, secret = survey(workers, "environment")
    assert (count < 12, secret) == (True, 0)
    assert reason(workers, f"write {tmp_path / 'file'}") == "crash"
    assert not (tmp_path / "file").exists() or (tmp_path / "file").stat().st_size == 0


def test_an_errand_can_be_called_off(workers: Workers) -> None:
    survey(workers, "fine")
    errand = Errand(30)
    threading.Timer(0.3, errand.call_off).start()
    began = time.monotonic()
    assert reason(workers, "hang", errand=errand) == "slow"
    assert time.monotonic() - began < 5


def test_idle_processes_leave_by_themselves_and_are_replaced(workers: Workers) -> None:
    hasty = Workers(MediaSettings(worker_idle_seconds=1), Clock())
    try:
        first, _ = survey(hasty, "fine")
        deadline = time.monotonic() + 10
        while os.path.exists(f"/proc/{first}/exe") and time.monotonic() < deadline:
            time.sleep(0.05)
        again, _ = survey(hasty, "fine")
        assert again != first
    finally:
        hasty.close()


def _children() -> set[int]:
    found: set[int] = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.add(int(entry.parent.name))
    return found


async def test_closing_and_cancelling_leave_no_process_behind() -> None:
    before = _children()
    content = base64.b64encode(clip(steady(25, 20), size=(640, 360))).decode()
    async with opened() as gate:
        (probed,) = await gate.probe([content], EVERYTHING, CALLER)
        job = asyncio.create_task(gate.load(probed, VIEW, lane="C"))
        await asyncio.sleep(0.4)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        assert (await gate.load(probed, VIEW, lane="C")).frames
        assert _children() - before
    assert _children() - before == set()


async def test_nothing_is_started_before_it_is_needed() -> None:
    before = _children()
    async with opened():
        assert _children() == before


@pytest.mark.parametrize(
    ("content", "lane", "decoder"),
    [(pdf_of((595.0, 842.0)), "B", "libpdfium"), (clip(steady(10, 10), size=(320, 240)), "C", "libdav1d")],
    ids=["document", "video"],
)
async def test_no_process_that_reads_a_strangers_file_encodes_what_a_model_sees(content: bytes, lane: Any, decoder: str) -> None:
    before = _children()
    async with opened() as gate:
        (probed,) = await gate.probe([base64.b64encode(content).decode()], EVERYTHING, CALLER)
        assert (await gate.load(probed, VIEW, lane=lane)).frames
        started = [(_role(number), _libraries(number)) for number in _children() - before]
    assert {role for role, _ in started} == {"read", "encode"}
    for role, libraries in started:
        assert any(name.startswith(decoder) for name in libraries) == (role == "read")
        assert any(name.startswith("_jpeg.") for name in libraries) == (role == "encode")


def _role(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text().split("\0")[-2]


def _libraries(process: int) -> set[str]:
    """The names of the shared libraries that a process has loaded."""
    return {line.rsplit("/", 1)[1] for line in Path(f"/proc/{process}/maps").read_text().splitlines() if "/" in line}
