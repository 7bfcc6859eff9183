"""The simulated autoscaler against examples worked by hand from Kubernetes' documentation of its algorithm."""

from __future__ import annotations

import pytest
from bench.scaling.hpa import Autoscaler, AverageValue, PerPod, Policy, Rules, Settings, Value, from_values

FREE = Settings(1, 100, up=Rules(0), down=Rules(0))
"""No windows and no policies: the formula alone."""


def desired(metric: AverageValue | Value | PerPod, replicas: int, ready: int | None = None) -> int:
    return Autoscaler(FREE).sync(0, replicas, replicas if ready is None else ready, [metric])


@pytest.mark.parametrize(
    ("value", "target", "replicas", "wanted"),
    [
        # desiredReplicas = ceil(currentReplicas * currentMetricValue / desiredMetricValue)
        (200, 100, 3, 6),  # "if the current metric value is 200m, and the desired value is 100m, the number of replicas will be doubled"
        (90, 75, 50, 60),  # the example of the announcement of tolerances (kubernetes.io/blog/2025/04/28)
        (50, 100, 3, 2),  # 3 * 0.5 = 1.5, rounded up
        (50, 100, 4, 2),
        (105, 100, 10, 10),  # within the tolerance of 0.1
        (109, 100, 10, 10),
        (111, 100, 10, 12),  # 11.1, rounded up
        (91, 100, 10, 10),
        (89, 100, 10, 9),
        (0, 100, 5, 1),  # never less than the least
    ],
)
def test_a_plain_metric_multiplies_the_replicas_by_its_ratio(value: float, target: float, replicas: int, wanted: int) -> None:
    assert desired(Value(value, target), replicas) == wanted


@pytest.mark.parametrize(
    ("total", "target", "replicas", "wanted"),
    [
        (30_000, 10_000, 2, 3),
        (21_000, 10_000, 2, 2),  # 1.05 of what two should have
        (23_000, 10_000, 2, 3),  # 1.15: 2.3, rounded up
        (10_000, 10_000, 4, 1),
    ],
)
def test_an_averaged_metric_is_shared_by_all_replicas(total: float, target: float, replicas: int, wanted: int) -> None:
    assert desired(AverageValue(total, target), replicas) == wanted


def test_replicas_that_load_do_not_multiply_a_plain_metric() -> None:
    # A wait of twice the target with 4 of 6 ready asks for 8 and not for 12: what loads is not counted as being too little.
    assert desired(Value(2, 1), 6, ready=4) == 8
    # An averaged metric divides what there is to do, whoever is ready.
    assert desired(AverageValue(60, 10), 6, ready=2) == 6


def test_the_largest_proposal_counts() -> None:
    assert Autoscaler(FREE).sync(0, 4, 4, [AverageValue(20, 10), Value(3, 1), AverageValue(50, 10)]) == 12


def test_what_cannot_be_read_stops_shrinking_and_lets_growing_pass() -> None:
    assert Autoscaler(FREE).sync(0, 4, 4, [AverageValue(10, 10), None]) == 4
    assert Autoscaler(FREE).sync(0, 4, 4, [AverageValue(80, 10), None]) == 8
    assert Autoscaler(FREE).sync(0, 4, 4, [None, None]) == 4


def cpu(*values: float, unready: int = 0, missing: int = 0) -> PerPod:
    told = {f"pod{number}": value for number, value in enumerate(values)}
    starting = frozenset(list(told)[len(values) - unready :]) if unready else frozenset()
    return PerPod(told, 50, starting, frozenset(f"gone{number}" for number in range(missing)))


@pytest.mark.parametrize(
    ("metric", "replicas", "wanted"),
    [
        (cpu(100, 100), 2, 4),
        # One of three told nothing. The others ask for more: it is taken to use nothing. (100 + 100 + 0) / 3 = 66.7; 1.33 * 3 = 4, not 6.
        (cpu(100, 100, missing=1), 3, 4),
        # They ask for less: it is taken to use all of its target. (10 + 10 + 50) / 3 = 23.3; 0.47 * 3 = 1.4: 2, not 1.
        (cpu(10, 10, missing=1), 3, 2),
        # A pod that starts burns CPU on starting and has no say: (60 + 60 + 0) / 3 = 40 is the other direction, so nothing changes.
        (cpu(60, 60, 200, unready=1), 3, 3),
        # Shrinking ignores it altogether: 10 / 50 = 0.2 of the two that are ready is 1.
        (cpu(10, 10, 200, unready=1), 3, 1),
        (cpu(100, 100, 200, unready=1), 3, 4),
        # Nobody told anything.
        (cpu(missing=3), 3, 3),
        # Missing ones may damp a change away: (80 + 0) / 2 = 40 is the other direction.
        (cpu(80, missing=1), 2, 2),
    ],
)
def test_pods_that_are_missing_or_not_ready_damp_the_change(metric: PerPod, replicas: int, wanted: int) -> None:
    assert desired(metric, replicas) == wanted


def test_shrinking_follows_the_highest_recommendation_of_its_window() -> None:
    """Default behaviour: 300 s. A dip shorter than that changes nothing."""
    scaler = Autoscaler(Settings(1, 100))
    assert scaler.sync(0, 10, 10, [AverageValue(100, 10)]) == 10
    for now in range(15, 300, 15):
        assert scaler.sync(now, 10, 10, [AverageValue(20, 10)]) == 10
    # The recommendation of second 0 has left the window: those since say 2.
    assert scaler.sync(300, 10, 10, [AverageValue(20, 10)]) == 2


def test_shrinking_stops_at_what_was_wanted_within_the_window() -> None:
    scaler = Autoscaler(Settings(1, 100, up=Rules(0), down=Rules(60)))
    assert scaler.sync(0, 10, 10, [AverageValue(90, 10)]) == 10
    assert scaler.sync(15, 10, 10, [AverageValue(50, 10)]) == 10  # within the window 10 was not asked for, but 9 was: 0.9 is tolerated
    assert scaler.sync(60, 10, 10, [AverageValue(30, 10)]) == 5


def test_growing_follows_the_lowest_recommendation_of_its_window() -> None:
    scaler = Autoscaler(Settings(1, 100, up=Rules(30), down=Rules(0)))
    assert scaler.sync(0, 2, 2, [AverageValue(20, 10)]) == 2
    assert scaler.sync(15, 2, 2, [AverageValue(90, 10)]) == 2  # a peak of one look
    assert scaler.sync(30, 2, 2, [AverageValue(60, 10)]) == 6  # asked for twice: the less of the two


def test_growing_is_bounded_by_the_policy_that_allows_most() -> None:
    """Kubernetes' default: double, or four more, in 15 s, whichever is more."""
    scaler = Autoscaler(Settings(1, 100))
    assert scaler.sync(0, 1, 1, [AverageValue(1000, 10)]) == 5
    assert scaler.sync(15, 5, 5, [AverageValue(1000, 10)]) == 10
    assert scaler.sync(30, 10, 10, [AverageValue(1000, 10)]) == 20
    assert scaler.sync(45, 20, 20, [AverageValue(1000, 10)]) == 40
    assert scaler.sync(60, 40, 40, [AverageValue(1000, 10)]) == 80
    assert scaler.sync(75, 80, 80, [AverageValue(2000, 10)]) == 100  # the most there may be


def test_a_period_is_counted_from_what_there_was_at_its_beginning() -> None:
    scaler = Autoscaler(Settings(1, 100, up=Rules(0, (Policy("Pods", 4, 60),)), down=Rules(0)))
    assert scaler.sync(0, 10, 10, [AverageValue(1000, 10)]) == 14
    assert scaler.sync(15, 14, 14, [AverageValue(1000, 10)]) == 14  # the four of this minute are used up
    assert scaler.sync(59, 14, 14, [AverageValue(1000, 10)]) == 14
    assert scaler.sync(60, 14, 14, [AverageValue(1000, 10)]) == 18


def test_shrinking_by_per_cent_rounds_down_what_stays() -> None:
    """ "scaleDown: Percent 10 in 60 s" from 80: 72, then 64.8 -> 64 ..."""
    scaler = Autoscaler(Settings(1, 100, up=Rules(0), down=Rules(0, (Policy("Percent", 10, 60),))))
    assert scaler.sync(0, 80, 80, [AverageValue(10, 10)]) == 72
    assert scaler.sync(15, 72, 72, [AverageValue(10, 10)]) == 72
    assert scaler.sync(60, 72, 72, [AverageValue(10, 10)]) == 64


def test_of_two_shrinking_policies_the_faster_counts() -> None:
    """The documentation's example: 4 pods or 10 % in a minute; from 80 down, 10 % is more until 40, then 4 pods are."""
    rules = Rules(0, (Policy("Pods", 4, 60), Policy("Percent", 10, 60)))
    for replicas, wanted in ((80, 72), (41, 36), (40, 36), (30, 26)):
        scaler = Autoscaler(Settings(1, 100, up=Rules(0), down=rules))
        assert scaler.sync(0, replicas, replicas, [AverageValue(10, 10)]) == wanted


def test_the_limits_hold_and_nothing_is_left_alone() -> None:
    scaler = Autoscaler(Settings(2, 8))
    assert scaler.sync(0, 1, 1, [AverageValue(0, 10)]) == 2
    assert scaler.sync(0, 9, 9, [AverageValue(1000, 10)]) == 8
    assert scaler.sync(0, 0, 0, [AverageValue(1000, 10)]) == 0  # scaled to nothing by hand: the autoscaler is off


def test_the_charts_values_become_the_behaviour_that_the_template_renders() -> None:
    from tests.unit.deploy.charts import of_kind, render
    from tests.unit.deploy.test_autoscaling import values

    for lane, chosen in values()["lanes"].items():
        spec = of_kind(render(), "HorizontalPodAutoscaler")[f"demo-pool-{lane.lower()}"]["spec"]
        settings = from_values(chosen["autoscaling"])
        assert (settings.least, settings.most) == (spec["minReplicas"], spec["maxReplicas"])
        for rules, rendered in ((settings.up, spec["behavior"]["scaleUp"]), (settings.down, spec["behavior"]["scaleDown"])):
            assert rules.window == rendered["stabilizationWindowSeconds"]
            assert [(each.kind, each.value, each.period) for each in rules.policies] == [
                (each["type"], each["value"], each["periodSeconds"]) for each in rendered["policies"]
            ]
            assert rendered["selectPolicy"] == "Max"
