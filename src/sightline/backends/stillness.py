"""Whether a process stands still: a server that owes an answer and does not even run is not slow, it hangs.

A slow one is never taken for it. What computes uses time; what waits for a processor on a busy machine, or for a disk, says so in
its state. Only Linux tells; elsewhere nobody is ever found to stand still, and silence alone has to do.
"""

from __future__ import annotations

from pathlib import Path

_AT_WORK = "RD"
"""States of a thread that runs or would run now, and of one that waits for a disk or for memory."""


def running_times(pid: int, proc: Path = Path("/proc")) -> str | None:
    """How long each thread of a process has run, in words that are the same only while none runs.

    None where a thread is at work right now, and where it cannot be told.
    """
    times: list[str] = []
    try:
        for thread in sorted((proc / str(pid) / "task").iterdir()):
            if (thread / "stat").read_text().rpartition(")")[2].split()[0] in _AT_WORK:
                return None
            times.append(f"{thread.name} {(thread / 'schedstat').read_text()}")
    except (OSError, IndexError):  # it ends just now, or this is another system
        return None
    return "".join(times) or None
