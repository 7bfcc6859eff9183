"""From nothing to ready: how long `sightline serve` takes to start, on what its time goes, and what it then holds in memory.

    python bench/start.py [--rounds 5] [-- OPTIONS of `sightline serve`]

Time is from before the process is made to the first 200 of GET /ready. The first start is not counted: it compiles Python's modules and
brings files into memory, as installing and the first start of a day do. `CPU` is of the service's process until then, which other
work on the machine disturbs least. Memory: `RSS` of the service's own process, and of all its processes together; `PSS` counts once what
they share, such as the weights.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

MIB = 2**20
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds to the address and to /ready, seconds of CPU of the service's process and of its children, bytes of memory."""

    listening: float
    ready: float
    cpu: float
    children_cpu: float
    rss: int
    tree_rss: int
    tree_pss: int


def start(options: list[str], folder: Path) -> Start:
    """Starts the service, waits until it is ready, and ends it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # An installed package comes with its modules compiled; these are compiled at the first start, into a folder of ours.
    environment |= {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    command = [sys.executable, "-P", "-c", "import sys; from sightline.cli import main; sys.exit(main())"]
    begun = time.perf_counter()
    process = subprocess.Popen([*command, "serve", "--json", "--port", "0", *options], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout
        line = process.stdout.readline()
        listening = time.perf_counter() - begun
        if not line:
            raise SystemExit("the service ended; its log above says why")
        address = urlsplit(json.loads(line)["address"])
        assert address.hostname
        while not is_ready(address.hostname, address.port, address.path):
            time.sleep(0.005)
        ready = time.perf_counter() - begun
        tree = family(process.pid)
        cpu = [processor(pid) for pid in tree]
        memory = [resident(pid) for pid in tree]
    finally:
        process.terminate()
        process.wait()
    return Start(listening, ready, cpu[0], sum(cpu[1:]), memory[0][0], sum(each[0] for each in memory), sum(each[1] for each in memory))


def is_ready(host: str, port: int | None, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", path + "ready")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found


def processor(pid: int) -> float:
    """Seconds of CPU."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident(pid: int) -> tuple[int, int]:
    """Bytes: RSS, and PSS."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    told = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("Rss:", "Pss:"))}
    return told["Rss"], told["Pss"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("options", nargs="*", help="options of `sightline serve`, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        start(arguments.options, Path(folder))
        rounds = [start(arguments.options, Path(folder)) for _ in range(arguments.rounds)]
    print(f"{'':<12} {'listening':>10} {'ready':>9} {'CPU':>9} {'engines CPU':>12} {'RSS':>9} {'RSS, all':>10} {'PSS, all':>10}")
    ordered = sorted(rounds, key=lambda each: each.ready)
    for title, row in (("fastest", ordered[0]), ("median", ordered[len(ordered) // 2]), ("slowest", ordered[-1])):
        times = f"{row.listening:>8.2f} s {row.ready:>7.2f} s {row.cpu:>7.2f} s {row.children_cpu:>10.2f} s"
        print(f"{title:<12} {times} {row.rss / MIB:>5.0f} MiB {row.tree_rss / MIB:>6.0f} MiB {row.tree_pss / MIB:>6.0f} MiB")
    print(f"median CPU of the service: {statistics.median(each.cpu for each in rounds):.2f} s")


if __name__ == "__main__":
    main()
