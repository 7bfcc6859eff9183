"""The autoscaler of the chart, tried before there is a cluster: how late, how dear and how restless it is on four kinds of load.

    python bench/autoscale.py [--search] [--replay] [--plots docs/images]

Simulates the pools of lanes A, B and C under the HorizontalPodAutoscaler's documented algorithm (scaling/hpa.py, with hand-worked examples
in tests/unit/deploy/test_hpa.py), replicas that take 2 to 10 minutes to load, and seeded traces (scaling/traces.py). Nothing is measured
here: every speed is an assumption, named in docs/scaling.md, and the figures are as good as these. --search looks for better settings
than those of now, and writes them to scaling/winners.json, which deploy/helm/sightline/values.yaml repeats (a test keeps the two the
same). --plots draws lane A on every trace (needs the extra `dev`). --replay plays the held-out trace, in four minutes, through the real
gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
from pathlib import Path

import numpy as np

from scaling.hpa import Settings
from scaling.plots import draw
from scaling.pool import Outcome, Scaling, simulate
from scaling.search import Values, scaling, search
from scaling.traces import LANES, SHAPES, Trace, Workload, trace

WINNERS = Path(__file__).parent / "scaling" / "winners.json"
HELD_OUT = "market day (held out)"
SEED = 11
"""Of the traces and loading times that are shown; the search saw others."""


def winners() -> dict[str, Values]:
    """The chosen values of every lane."""
    return json.loads(WINNERS.read_text())


def look(load: Workload, values: Values, plots: Path | None) -> None:
    """Prints, and draws for lane A, what the values do on every trace; beside it what other ways of scaling do."""
    print(f"\nLane {load.name}: first token within {load.slo:g} s for 95 in 100; values: {json.dumps(values)}")
    columns = (
        f"{'calls':>8} {'p50':>7} {'p95':>7} {'p99':>7} {'late':>7} {'refused':>8} {'GPU h':>7} {'most':>5} {'changes':>8} {'flaps':>6}"
    )
    print(f"{'':<22} {columns}")
    for name in (*SHAPES, HELD_OUT):
        course = trace(name, load, SEED)
        outcome = simulate(load, course, scaling(values), seed=SEED)
        _tell(name, course, outcome, load)
        if load.name == "A":
            draw(plots, name, course, outcome, load)
    print("  other ways, on the diurnal trace:")
    course = trace("diurnal", load, SEED)
    chosen = scaling(values)
    plain = Scaling(Settings(chosen.settings.least, chosen.settings.most), chosen.tokens, chosen.wait)
    most = max(watched[1] for watched in simulate(load, course, chosen, seed=SEED).watched)
    fixed = Scaling(Settings(most, most), chosen.tokens, chosen.wait)
    # vLLM's gauge of waiting requests stays at 0 while pictures queue in its frontend: an autoscaler that looks at it never grows.
    blind = Scaling(Settings(chosen.settings.least, chosen.settings.least), chosen.tokens, chosen.wait)
    for name, other in (("Kubernetes' defaults", plain), (f"{most} replicas always", fixed), ("by a gauge that is 0", blind)):
        _tell(name, course, simulate(load, course, other, seed=SEED), load)
    crowd(load, values)


def crowd(load: Workload, values: Values) -> None:
    """What ten times the load costs: against the same hours without it, and against keeping enough replicas for it."""
    course = trace("flash crowd x10", load, SEED)
    outcome = simulate(load, course, scaling(values), seed=SEED)
    begin = 2400.0
    over = [at for at, first in zip(outcome.at, outcome.first, strict=True) if at >= begin and first > load.slo]
    calm = _without(course, begin, 3900)
    quiet = simulate(load, calm, scaling(values), seed=SEED)
    enough = copy.deepcopy(values)
    while simulate(load, course, scaling(enough), seed=SEED).late(load.slo) > 0.01 and enough["min"] < enough["max"]:
        enough["min"] += 1
    within = [each for at, each in zip(outcome.at, outcome.first, strict=True) if begin <= at < 3900]
    calls = sum(begin <= at < 3900 for at in course.at)
    late = sum(each > load.slo for each in within)
    print(f"  a crowd of ten times the load for 20 minutes: {calls} calls, {outcome.refused} refused (2001 or 2002), {late} late;")
    print(f"    the last late call came {(max(over) - begin) / 60:.1f} min after it began; " if over else "    none late; ", end="")
    print(f"{(outcome.gpu_seconds - quiet.gpu_seconds) / 3600:.1f} GPU h more than without it")
    more = 24 * (enough["min"] - values["min"])
    print(f"    to let at most 1 in 100 wait, {enough['min']} replicas must always be warm: up to {more} GPU h a day more")


def _without(course: Trace, begin: float, end: float) -> Trace:
    """The trace with the crowd thinned to what there is at other times."""
    rng = np.random.default_rng(SEED)
    keep = [not begin <= at < end or rng.random() < 0.13 for at in course.at]
    pick = [
        [value for value, kept in zip(column, keep, strict=True) if kept] for column in (course.at, course.price, course.first, course.held)
    ]
    return Trace("calm", course.seconds, *pick)


def _tell(name: str, course: Trace, outcome: Outcome, load: Workload) -> None:
    p50, p95, p99 = (outcome.p(share) for share in (0.5, 0.95, 0.99))
    cells = f"{len(course.at):>8} {p50:>6.2f}s {p95:>6.2f}s {p99:>6.2f}s {outcome.late(load.slo):>7.2%} {outcome.refused:>8}"
    most = max(watched[1] for watched in outcome.watched)
    print(f"{name:<22} {cells} {outcome.gpu_seconds / 3600:>7.1f} {most:>5} {len(outcome.changes):>8} {outcome.flaps():>6}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--search", action="store_true", help="look for the best settings (some ten minutes)")
    parser.add_argument("--replay", action="store_true", help="only this: the held-out trace through the real gateway (4 minutes)")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw lane A on every trace")
    arguments = parser.parse_args()
    if arguments.replay:
        from scaling.replay import replay

        asyncio.run(replay(winners()["A"], arguments.plots))
        return
    if arguments.search:
        before = winners() if WINNERS.exists() else {}
        chosen = {name: search(load, print, before.get(name))[0] for name, load in LANES.items()}
        WINNERS.write_text(json.dumps(chosen, indent=1) + "\n")
    for name, values in winners().items():
        look(LANES[name], values, arguments.plots)


if __name__ == "__main__":
    main()
