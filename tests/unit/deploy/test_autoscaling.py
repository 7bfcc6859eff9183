"""The autoscalers of the chart: which signals they look at, and that both variants say the same."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.unit.deploy.charts import CHART, DEPLOY, of_kind, render


def values() -> dict[str, Any]:
    return yaml.safe_load((CHART / "values.yaml").read_text())


def test_pools_scale_on_what_the_gateways_see_and_never_on_the_engines_own_queue() -> None:
    scalers = of_kind(render(), "HorizontalPodAutoscaler")
    adapter = yaml.safe_load((DEPLOY / "prometheus" / "adapter.yaml").read_text())
    offered = {rule["name"]["as"]: rule for rule in adapter["rules"]["external"]}
    for lane, chosen in values()["lanes"].items():
        spec = scalers[f"demo-pool-{lane.lower()}"]["spec"]
        assert spec["scaleTargetRef"]["name"] == f"demo-pool-{lane.lower()}"
        assert (spec["minReplicas"], spec["maxReplicas"]) == (chosen["autoscaling"]["min"], chosen["autoscaling"]["max"])
        asked = {each["external"]["metric"]["name"]: each["external"] for each in spec["metrics"]}
        assert set(asked) == {"sightline_lane_work_tokens", "sightline_lane_wait_seconds"} == set(offered)
        assert asked["sightline_lane_work_tokens"]["target"] == {
            "type": "AverageValue",
            "averageValue": str(chosen["autoscaling"]["tokensPerReplica"]),
        }
        assert asked["sightline_lane_wait_seconds"]["target"]["type"] == "Value"
        for metric in asked.values():
            assert metric["metric"]["selector"]["matchLabels"] == {"lane": lane, "service": "demo"}
    assert "vllm:" not in (DEPLOY / "prometheus" / "adapter.yaml").read_text()


def test_both_variants_ask_for_the_same_and_behave_the_same() -> None:
    by_adapter = of_kind(render(), "HorizontalPodAutoscaler")
    by_keda = of_kind(render("autoscaling.kind=keda"), "ScaledObject")
    adapter = yaml.safe_load((DEPLOY / "prometheus" / "adapter.yaml").read_text())
    queries = {rule["name"]["as"]: rule["metricsQuery"] for rule in adapter["rules"]["external"]}
    for name, scaled in by_keda.items():
        spec, other = scaled["spec"], by_adapter[name]["spec"]
        assert spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == other["behavior"]
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (other["minReplicas"], other["maxReplicas"])
        for trigger, metric in zip(spec["triggers"], other["metrics"], strict=True):
            target = metric["external"]["target"]
            assert trigger["metricType"] == target["type"]
            assert float(trigger["metadata"]["threshold"]) == float(target.get("averageValue") or target["value"])
            query = queries[metric["external"]["metric"]["name"]].replace("<<.LabelMatchers>>", "")
            assert re.sub(r"\{[^}]*\}", "{}", trigger["metadata"]["query"]) == query


def test_only_one_hand_holds_the_number_of_replicas() -> None:
    for settings in ((), ("autoscaling.kind=keda",)):
        for name, deployment in of_kind(render(*settings), "Deployment").items():
            assert "replicas" not in deployment["spec"], name
    by_hand = of_kind(render("autoscaling.kind=none"), "Deployment")
    assert by_hand["demo-pool-a"]["spec"]["replicas"] == values()["lanes"]["A"]["autoscaling"]["min"]
    assert not [name for name in of_kind(render("autoscaling.kind=none"), "HorizontalPodAutoscaler") if "pool" in name]
