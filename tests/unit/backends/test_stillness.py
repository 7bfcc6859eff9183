"""What tells a process that hangs from one that is slow."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from sightline.backends.stillness import running_times

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells whether a process runs")


def threads(folder: Path, **each: tuple[str, int]) -> Path:
    """A /proc with process 7, whose threads have a state and a running time."""
    for name, (state, ran) in each.items():
        thread = folder / "7" / "task" / name.strip("t")
        thread.mkdir(parents=True, exist_ok=True)
        (thread / "stat").write_text(f"{name} (a (strange) name) {state} 1 2 3")
        (thread / "schedstat").write_text(f"{ran} 0 1\n")
    return folder


def test_threads_that_sleep_are_the_same_until_one_has_run(tmp_path: Path) -> None:
    first = running_times(7, threads(tmp_path, t7=("S", 100), t8=("T", 5)))
    assert first is not None
    assert running_times(7, tmp_path) == first
    assert running_times(7, threads(tmp_path, t8=("T", 6))) not in (None, first)
    assert running_times(7, threads(tmp_path, t8=("T", 5), t9=("S", 0))) not in (None, first)


@pytest.mark.parametrize("state", ["R", "D"])
def test_who_waits_for_a_processor_or_a_disk_does_not_stand_still(state: str, tmp_path: Path) -> None:
    assert running_times(7, threads(tmp_path, t7=("S", 100), t8=(state, 5))) is None


def test_of_what_is_gone_and_of_other_systems_nothing_is_told(tmp_path: Path) -> None:
    assert running_times(7, tmp_path) is None
    (tmp_path / "7" / "task").mkdir(parents=True)
    assert running_times(7, tmp_path) is None


async def test_of_real_processes_the_stopped_one_stands_still_and_the_busy_one_does_not() -> None:
    busy = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(flush=True)\nwhile True: pass", stdout=asyncio.subprocess.PIPE)
    assert busy.stdout
    try:
        await busy.stdout.readline()
        before = running_times(busy.pid)
        await asyncio.sleep(0.05)
        assert before is None or running_times(busy.pid) != before
        os.kill(busy.pid, signal.SIGSTOP)
        async with asyncio.timeout(10):
            while (before := running_times(busy.pid)) is None:  # noqa: ASYNC110 - a process has no event for having stopped
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert running_times(busy.pid) == before
    finally:
        busy.kill()
        await busy.wait()
