"""How many threads an engine gets: as many as cores are really free for it, for its workers meet at barriers.

A worker without a core of its own holds up all others at every layer. bench/engine.py, small model, 2 cores, 8 questions about new
pictures: one thread 0.50 s, two threads 0.45 s; beside one busy decoder one thread 0.54 s, two threads 3.57 s. So one core always
stays with the gateway and its decoders, and workers never spin (`poll=0`), which would be slower still by far.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_MOST = 16
"""Beyond it, memory is the limit and not arithmetic."""


def engine_threads(cores: float, *, background: bool = False) -> int:
    """Threads of one engine on a machine with so many free cores (fractions by quota): all but one.

    A background engine gets a quarter, so that what waits beside it still finds cores.
    """
    whole = int(cores)
    return min(_MOST, max(1, whole // 4 if background else whole - 1))


def free_cores(proc: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float:
    """Cores that this process may use: its affinity, and the tightest quota of its control groups (version 1 and 2)."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([float(affinity), *_quotas(proc, mount)])


def _quotas(proc: Path, mount: Path) -> Iterator[float]:
    """The quotas of the groups of this process and of all groups around them, in cores."""
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root = mount
        elif "cpu" in controllers.split(","):
            root = next((mount / name for name in (controllers, "cpu") if (mount / name).is_dir()), mount / "cpu")
        else:
            continue
        # Inside a container the path may be the host's and absent here: the mount itself is then the group.
        group = root / path.strip("/")
        for folder in (group, *group.parents):
            quota = _quota_v2(folder) if not controllers else _quota_v1(folder)
            if quota is not None:
                yield quota
            if folder == root:
                break


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such group, "max", or nonsense
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None
