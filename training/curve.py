"""Draws how a run learned: the share of training questions answered exactly, by kind, over the processor time spent.

python -m training.curve OUT.svg RUN/log [RUN/log ...]
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt

_HEAD = re.compile(r"^\d\d:\d\d:\d\d \w+ .* [cg]pu (\d+)s \|")
_KIND = re.compile(r"([a-z]+(?:_[a-z]+)?)\d+ [\d.]+/([\d.]+)")
SMOOTHED = 7  # lines of the log; a line holds some 45 seconds


def read(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Of every kind of picture (processor minutes, share answered exactly), in the order of the log; sizes are averaged."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        head = _HEAD.match(line)
        if head is None:
            continue
        shares: dict[str, list[float]] = defaultdict(list)
        for kind, share in _KIND.findall(line):
            shares[kind].append(float(share))
        for kind, of_kind in shares.items():
            found[kind].append((int(head[1]) / 60, sum(of_kind) / len(of_kind)))
    return found


def main() -> None:
    out, *logs = (Path(argument) for argument in sys.argv[1:])
    curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for log in logs:
        for kind, points in read(log).items():
            curves[kind] += points
    mpl.rcParams["svg.hashsalt"] = "sightline"
    figure, axes = plt.subplots(figsize=(8, 4.2))
    for kind, points in sorted(curves.items()):
        minutes, shares = zip(*points, strict=True)
        smooth = [sum(part) / len(part) for i in range(len(shares)) if (part := shares[max(0, i - SMOOTHED + 1) : i + 1])]
        axes.plot(minutes, smooth, label=kind)
    axes.set_xlabel("processor time, minutes")
    axes.set_ylabel("training questions answered exactly")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend(ncols=len(curves), fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, columnspacing=1.0)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main()
