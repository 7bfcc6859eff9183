"""Plots of a simulated trace: what came, what there was to serve it, and how long a first token took."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from .pool import STEP, Outcome
from .traces import Trace, Workload


def draw(folder: Path | None, name: str, course: Trace, outcome: Outcome, load: Workload) -> None:
    """Writes autoscale-<name>.svg; nothing without a folder."""
    if folder is None:
        return
    from matplotlib.figure import Figure

    unit, word = (3600, "hours") if course.seconds > 4 * 3600 else (60, "minutes")
    width = max(60.0, course.seconds / 240)
    edges = np.arange(0, course.seconds + width, width)
    middle = (edges[:-1] + edges[1:]) / 2 / unit
    calls = np.histogram(course.at, edges)[0] / width
    watched = np.array(outcome.watched)
    place = np.digitize(outcome.at, edges) - 1
    first = np.array(outcome.first)
    p95 = [float(np.quantile(first[place == number], 0.95)) if (place == number).any() else np.nan for number in range(len(middle))]
    figure = Figure(figsize=(7, 5.6), layout="constrained")
    top, between, bottom = figure.subplots(3, sharex=True)
    top.plot(middle, calls, color="#264653")
    top.set_ylabel("calls/s")
    top.set_title(f"Lane {load.name}, {name}: {outcome.gpu_seconds / 3600:.0f} GPU hours, {outcome.late(load.slo):.2%} late or refused")
    skip = max(1, int(width / STEP / 4))
    between.step(watched[::skip, 0] / unit, watched[::skip, 1], where="post", color="#e76f51", label="replicas asked for")
    between.step(watched[::skip, 0] / unit, watched[::skip, 2], where="post", color="#2a9d8f", label="ready")
    between.set_ylabel("replicas")
    between.set_ylim(bottom=0)
    between.legend(loc="upper left", frameon=False)
    bottom.plot(middle, p95, color="#264653", label="first token, p95")
    bottom.axhline(load.slo, color="#888888", linestyle="--", label=f"promised: {load.slo:g} s")
    bottom.set_ylabel("seconds")
    bottom.set_yscale("log")
    bottom.set_xlabel(word)
    bottom.legend(loc="upper left", frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    figure.savefig(folder / f"autoscale-{slug}.svg", metadata={"Date": None})


def draw_replay(folder: Path | None, course: Trace, real: Outcome, model: Outcome) -> None:
    """Writes autoscale-replay.svg: what the gateway told beside what the simulation says."""
    if folder is None:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5.6), layout="constrained")
    parts = figure.subplots(3, sharex=True)
    for outcome, colour, label in ((real, "#e76f51", "the real gateway's /metrics"), (model, "#264653", "simulated")):
        watched = np.array(outcome.watched)
        minutes = watched[:, 0] / 60
        parts[0].plot(minutes, watched[:, 4], color=colour, label=label, linewidth=1)
        parts[1].plot(minutes, watched[:, 3], color=colour, linewidth=1)
        parts[2].step(minutes, watched[:, 2], where="post", color=colour)
    for axes, label in zip(parts, ("running tokens", "waiting tokens", "ready replicas"), strict=True):
        axes.set(ylabel=label, ylim=(0, None))
        axes.grid(alpha=0.25)
    parts[0].legend(frameon=False, loc="upper left")
    parts[0].set_title(f"A trace that no setting was chosen by: {len(course.at)} calls in two hours")
    parts[2].set_xlabel("minutes")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "autoscale-replay.svg", metadata={"Date": None})
