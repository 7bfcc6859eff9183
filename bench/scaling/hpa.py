"""The HorizontalPodAutoscaler as Kubernetes documents and implements it (autoscaling/v2), for one Deployment.

Sources: "Horizontal Pod Autoscaling" (kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale: algorithm details,
stabilisation, policies) and pkg/controller/podautoscaler of Kubernetes 1.30 to 1.34 (replica_calculator.go, horizontal.go), whose order
of steps is kept here: each metric proposes a count, the largest is taken, the stabilisation windows hold it, the policies bound its
speed, the limits cut it. Times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

SYNC_SECONDS = 15.0
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `value` pods, or per cent of those there were, within `period` seconds."""

    kind: Literal["Pods", "Percent"]
    value: int
    period: float


@dataclass(frozen=True, slots=True)
class Rules:
    """One direction. The policy that allows the most change counts (selectPolicy Max); without policies there is no bound."""

    window: float
    policies: tuple[Policy, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """The spec of one autoscaler. By default the behaviour is what Kubernetes does without a `behavior`."""

    least: int
    most: int
    up: Rules = Rules(0, (Policy("Percent", 100, 15), Policy("Pods", 4, 15)))
    down: Rules = Rules(300, (Policy("Percent", 100, 15),))
    tolerance: float = TOLERANCE


@dataclass(frozen=True, slots=True)
class AverageValue:
    """An external metric shared by all replicas: `total` against `target` for each."""

    total: float
    target: float

    def propose(self, replicas: int, ready: int, tolerance: float) -> int:
        """`ready` does not count here."""
        if replicas and abs(self.total / (self.target * replicas) - 1) <= tolerance:
            return replicas
        return math.ceil(self.total / self.target)


@dataclass(frozen=True, slots=True)
class Value:
    """An external metric as it is, against `target`; the ratio multiplies the replicas that are ready."""

    value: float
    target: float

    def propose(self, replicas: int, ready: int, tolerance: float) -> int:
        ratio = self.value / self.target
        if abs(ratio - 1) <= tolerance:
            return replicas
        return math.ceil(ratio * ready)


@dataclass(frozen=True, slots=True)
class PerPod:
    """A metric of each pod, such as its CPU as a share of what it requests.

    `values` are those that were told, by pod; `unready` of these pods have no say when it is about growing; `missing` told nothing. A
    pod that is missing, or not ready, is taken to use nothing when the others ask for more, and to use all of its target (missing) when
    they ask for less: both damp the change.
    """

    values: Mapping[str, float]
    target: float
    unready: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()

    def propose(self, replicas: int, ready: int, tolerance: float) -> int:
        told = {pod: value for pod, value in self.values.items() if pod not in self.unready}
        if not told:
            return replicas
        ratio = sum(told.values()) / len(told) / self.target
        growing_with_unready = bool(self.unready) and ratio > 1
        if not growing_with_unready and not self.missing:
            return replicas if abs(ratio - 1) <= tolerance else math.ceil(ratio * len(told))
        if self.missing:
            told |= dict.fromkeys(self.missing, self.target if ratio < 1 else 0.0)
        if growing_with_unready:
            told |= dict.fromkeys(self.unready, 0.0)
        again = sum(told.values()) / len(told) / self.target
        # Within the tolerance now, or the other way round than before: better to leave it.
        if abs(again - 1) <= tolerance or (ratio < 1) != (again < 1):
            return replicas
        count = math.ceil(again * len(told))
        if (again < 1 and count > replicas) or (again > 1 and count < replicas):
            return replicas
        return count


Metric = AverageValue | Value | PerPod


@dataclass(slots=True)
class Autoscaler:
    """One autoscaler over time: call `sync` every `SYNC_SECONDS`."""

    settings: Settings
    _recommended: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    _changed: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def sync(self, now: float, replicas: int, ready: int, metrics: Sequence[Metric | None]) -> int:
        """The count of replicas that is asked for now. A metric that could not be had is None: nothing shrinks on what is left."""
        settings = self.settings
        if replicas == 0:
            return 0  # scaled to nothing by hand: switched off
        if not settings.least <= replicas <= settings.most:
            return self._scale(now, replicas, min(max(replicas, settings.least), settings.most))
        proposals = [metric.propose(replicas, ready, settings.tolerance) for metric in metrics if metric is not None]
        if not proposals or (None in metrics and max(proposals) < replicas):
            return replicas
        return self._scale(now, replicas, self._bound(now, replicas, self._stabilise(now, replicas, max(proposals))))

    def _stabilise(self, now: float, replicas: int, wanted: int) -> int:
        """Growing: the least of what was recommended within the window; shrinking: the most."""
        up, down = self.settings.up.window, self.settings.down.window
        lowest = min([wanted, *(count for at, count in self._recommended if at > now - up)])
        highest = max([wanted, *(count for at, count in self._recommended if at > now - down)])
        self._recommended = [(at, count) for at, count in self._recommended if at > now - max(up, down)]
        self._recommended.append((now, wanted))
        return min(max(replicas, lowest), highest)

    def _bound(self, now: float, replicas: int, wanted: int) -> int:
        settings = self.settings
        if wanted > replicas:
            limits = [self._reach(now, replicas, policy, 1) for policy in settings.up.policies]
            return min([wanted, settings.most, max(replicas, *limits)] if limits else [wanted, settings.most])
        if wanted < replicas:
            limits = [self._reach(now, replicas, policy, -1) for policy in settings.down.policies]
            return max([wanted, settings.least, min(replicas, *limits)] if limits else [wanted, settings.least])
        return wanted

    def _reach(self, now: float, replicas: int, policy: Policy, sign: Literal[1, -1]) -> int:
        """How far a policy lets the count go, from what there was at the beginning of its period."""
        begin = replicas - sum(change for at, change in self._changed if at > now - policy.period)
        if policy.kind == "Pods":
            return begin + sign * policy.value
        share = begin * (1 + sign * policy.value / 100)
        return math.ceil(share) if sign > 0 else int(share)

    def _scale(self, now: float, replicas: int, wanted: int) -> int:
        if wanted != replicas:
            longest = max((policy.period for rules in (self.settings.up, self.settings.down) for policy in rules.policies), default=0.0)
            self._changed = [(at, change) for at, change in self._changed if at > now - longest]
            self._changed.append((now, wanted - replicas))
        return wanted


def from_values(scale: Mapping[str, object]) -> Settings:
    """The autoscaler that the chart makes of the `autoscaling` values of a lane (templates/autoscaling.yaml)."""
    least, most, up, down = scale["min"], scale["max"], scale["up"], scale["down"]
    assert isinstance(least, int)
    assert isinstance(most, int)
    assert isinstance(up, Mapping)
    assert isinstance(down, Mapping)
    grow = (Policy("Percent", up["percent"], up["periodSeconds"]), Policy("Pods", up["pods"], up["periodSeconds"]))
    shrink = (Policy("Percent", down["percent"], down["periodSeconds"]), Policy("Pods", 1, down["periodSeconds"]))
    return Settings(least, most, up=Rules(up["windowSeconds"], grow), down=Rules(down["windowSeconds"], shrink))
