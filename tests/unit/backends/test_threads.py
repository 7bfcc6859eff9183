"""Threads from the cores that are really free."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.backends.threads import engine_threads, free_cores


@pytest.mark.parametrize(
    ("cores", "people", "background"), [(0.5, 1, 1), (1, 1, 1), (1.9, 1, 1), (2, 1, 1), (3, 2, 1), (4, 3, 1), (8, 7, 2), (96, 16, 16)]
)
def test_one_core_stays_with_the_gateway(cores: float, people: int, background: int) -> None:
    assert engine_threads(cores) == people
    assert engine_threads(cores, background=True) == background


def groups(folder: Path, lines: str, files: dict[str, str]) -> tuple[Path, Path]:
    proc = folder / "cgroup"
    proc.write_text(lines)
    mount = folder / "fs"
    for name, text in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(text)
    return proc, mount


@pytest.mark.parametrize(
    ("lines", "files", "cores"),
    [
        ("0::/app/one\n", {"app/one/cpu.max": "50000 100000\n", "app/cpu.max": "max 100000\n"}, 0.5),
        ("0::/app/one\n", {"app/one/cpu.max": "max 100000\n", "app/cpu.max": "25000 100000\n"}, 0.25),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 0.1),
        ("0::/of/the/host\n", {"cpu.max": "10000 100000\n"}, 0.1),
        (
            "4:memory:/x\n1:cpu,cpuacct:/pod\n",
            {"cpu,cpuacct/pod/cpu.cfs_quota_us": "30000\n", "cpu,cpuacct/pod/cpu.cfs_period_us": "100000\n"},
            0.3,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "20000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.2),
    ],
)
def test_the_tightest_quota_counts(tmp_path: Path, lines: str, files: dict[str, str], cores: float) -> None:
    assert free_cores(*groups(tmp_path, lines, files)) == pytest.approx(cores)


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        ("0::/app\n", {"app/cpu.max": "max 100000\n"}),
        ("0::/app\n", {"app/cpu.max": "nonsense"}),
        ("0::/app\n", {}),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}),
        ("", {}),
    ],
)
def test_without_a_quota_the_affinity_counts(tmp_path: Path, lines: str, files: dict[str, str]) -> None:
    assert free_cores(*groups(tmp_path, lines, files)) >= 1
    assert free_cores(*groups(tmp_path, lines, files)) == int(free_cores(*groups(tmp_path, lines, files)))
