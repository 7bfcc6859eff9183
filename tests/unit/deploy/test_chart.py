"""The chart: every object is what Kubernetes takes, and keeps what the design promises."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import msgspec
import pytest
import yaml

from sightline.config import Settings
from tests.unit.deploy.charts import CHART, KUBERNETES, Object, of_kind, problems, render, run_helm

VARIANTS = {
    "hpa": (),
    "keda": ("autoscaling.kind=keda",),
    "by-hand": ("autoscaling.kind=none", "monitoring.enabled=false", "state.existingClaim=mine", "engine.modelClaim=weights"),
    "narrow": (
        "gateway.callers[0].team=shop",
        "network.engineEgress=false",
        "gateway.rootPath=/eyes",
        "network.stores[0].ipBlock.cidr=192.0.2.0/24",
        "gateway.nodeSelector.disk=fast",
        "state.storageClass=shared",
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_is_what_kubernetes_takes(variant: str) -> None:
    objects = render(*VARIANTS[variant])
    assert {"Deployment", "Service", "ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler"} <= {
        each["kind"] for each in objects
    }
    for version in KUBERNETES:
        found = {f"{each['kind']} {each['metadata']['name']}": problems(each, version) for each in objects}
        assert not {name: wrong for name, wrong in found.items() if wrong}, version


def test_a_mistake_in_an_object_is_found() -> None:
    """The check above can fail: a misspelt field, a wrong type, a field too many in a CRD."""
    deployment = of_kind(render(), "Deployment")["demo"]
    wrong = {**deployment, "spec": {**deployment["spec"], "minReadySecond": 5}}
    assert problems(wrong, KUBERNETES[0])
    scaled = of_kind(render("autoscaling.kind=keda"), "ScaledObject")["demo-pool-a"]
    assert problems({**scaled, "spec": {**scaled["spec"], "minReplicas": 1}}, KUBERNETES[0])
    assert problems({**scaled, "spec": {**scaled["spec"], "maxReplicaCount": "40"}}, KUBERNETES[0])


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("gateway.replicas=3", "replicas"),
        ("autoscaling.kind=vpa", "autoscaling"),
        ("lanes.A.autoscaling.min=0", "min"),
        ("lanes.D.model=x", "D"),
        ("lanes.A.gpus=none", "gpus"),
        ("database.password=secret", "password"),
        ("lanes.A.autoscaling.up.periodSeconds=7200", "periodSeconds"),
    ],
)
def test_values_that_are_not_understood_are_refused(setting: str, told: str) -> None:
    ran = run_helm(setting)
    assert ran.returncode != 0
    assert told in ran.stderr


def pods(objects: tuple[Object, ...]) -> Iterator[tuple[str, Object]]:
    for name, deployment in of_kind(objects, "Deployment").items():
        yield name, deployment["spec"]["template"]["spec"]


def every_pod(objects: tuple[Object, ...]) -> Iterator[tuple[str, Object]]:
    yield from pods(objects)
    for name, job in of_kind(objects, "CronJob").items():
        yield name, job["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_the_gateways_configuration_is_one_that_the_service_reads() -> None:
    text = of_kind(render(), "ConfigMap")["demo"]["data"]["sightline.toml"]
    settings = msgspec.toml.decode(text, type=Settings)
    assert set(settings.lanes) == {"A", "B", "C"}
    services = of_kind(render(), "Service")
    for backend in settings.backends.values():
        host, _, port = getattr(backend, "url", "").removeprefix("http://").partition(":")
        assert [each["port"] for each in services[host]["spec"]["ports"]] == [int(port)]


def test_gateways_count_replicas_and_each_other_by_names_that_have_an_address_for_each() -> None:
    settings = msgspec.toml.decode(of_kind(render(), "ConfigMap")["demo"]["data"]["sightline.toml"], type=Settings)
    services = of_kind(render(), "Service")
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in (settings.server.peers, *(lane.replicas for lane in settings.lanes.values())):
        assert name is not None
        assert services[name]["spec"]["clusterIP"] == "None"
    for name, lane in settings.lanes.items():
        assert lane.replicas == f"demo-pool-{name.lower()}-replicas"
        assert lane.slots == values["lanes"][name]["slotsPerReplica"]


def test_nothing_runs_as_root_or_writes_to_its_image() -> None:
    for _, pod in every_pod(render()):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 10000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            confined = container["securityContext"]
            assert confined["readOnlyRootFilesystem"] is True
            assert confined["allowPrivilegeEscalation"] is False
            assert confined["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_secrets_are_named_and_never_held() -> None:
    objects = render() + render("autoscaling.kind=keda")
    assert not of_kind(objects, "Secret")
    for _, pod in every_pod(objects):
        for variable in (each for container in pod["containers"] for each in container["env"]):
            if any(word in variable["name"] for word in ("PASSWORD", "KEY", "SIGHTLINE")):
                assert set(variable) == {"name", "valueFrom"}, variable["name"]
                assert variable["valueFrom"]["secretKeyRef"]["name"]
    settings = tomllib.loads(of_kind(objects, "ConfigMap")["demo"]["data"]["sightline.toml"])
    given = {each["name"] for container in dict(pods(objects))["demo"]["containers"] for each in container["env"]}
    assert settings["cache_shared"] == settings["trust"]["shared"] == "${SIGHTLINE_VALKEY}"
    assert {"SIGHTLINE_VALKEY", "PGPASSWORD", *(engine["key_env"] for engine in settings["backends"].values())} <= given
    assert "password" not in tomllib.loads(of_kind(objects, "ConfigMap")["demo"]["data"]["sightline.toml"])["trust"]["database"]


def test_every_lane_has_cards_of_its_own_and_video_has_80_gb() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    deployments = of_kind(render(), "Deployment")
    for lane in "ABC":
        pod = deployments[f"demo-pool-{lane.lower()}"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["nodeSelector"] == values["lanes"][lane]["nodeSelector"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == container["resources"]["requests"]["nvidia.com/gpu"] == 1
    assert "80GB" in deployments["demo-pool-c"]["spec"]["template"]["spec"]["nodeSelector"]["nvidia.com/gpu.product"]


def matches(labels: dict[str, str], selector: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_pools_are_reached_from_gateways_and_from_nobody_else() -> None:
    objects = render()
    deployments = of_kind(objects, "Deployment")
    policy = of_kind(objects, "NetworkPolicy")["demo-pools"]["spec"]
    assert "Ingress" in policy["policyTypes"]
    (rule,) = policy["ingress"]
    (peer,) = rule["from"]
    assert set(peer) == {"podSelector"}  # a namespaceSelector would let others in
    for name, deployment in deployments.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert matches(labels, policy["podSelector"]["matchLabels"]) == name.startswith("demo-pool-")
        assert matches(labels, peer["podSelector"]["matchLabels"]) == (name == "demo")
    ports = {each["port"] for each in rule["ports"]}
    assert ports == {each["containerPort"] for each in deployments["demo-pool-a"]["spec"]["template"]["spec"]["containers"][0]["ports"]}


def test_gateways_fetch_from_public_addresses_alone() -> None:
    egress = of_kind(render(), "NetworkPolicy")["demo-gateways"]["spec"]["egress"]
    outside = [peer["ipBlock"] for rule in egress for peer in rule["to"] if "ipBlock" in peer]
    assert [each["cidr"] for each in outside] == ["0.0.0.0/0"]
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"} <= set(outside[0]["except"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_gateway_that_goes_finishes_its_streams(variant: str) -> None:
    objects = render(*VARIANTS[variant])
    deployment = of_kind(objects, "Deployment")["demo"]["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = deployment["template"]["spec"]
    (gateway,) = pod["containers"]
    before = int(gateway["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = tomllib.loads(of_kind(objects, "ConfigMap")["demo"]["data"]["sightline.toml"])["server"]["drain_seconds"]
    assert before > 0
    assert pod["terminationGracePeriodSeconds"] >= before + drain + 10
    for name, pool in pods(objects):
        if name != "demo":
            assert pool["terminationGracePeriodSeconds"] > int(pool["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])


def test_probes_ask_what_the_service_answers_and_wait_for_a_model_to_load() -> None:
    objects = render("gateway.rootPath=/eyes")
    for name, pod in pods(objects):
        (container,) = pod["containers"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = container[probe]["httpGet"]["path"]
            assert path in ({"/eyes/health", "/eyes/ready"} if name == "demo" else {"/health"})
        if name != "demo":
            start = container["startupProbe"]
            assert start["periodSeconds"] * start["failureThreshold"] >= 900
    gateway = dict(pods(objects))["demo"]["containers"][0]
    # A gateway whose engines are all away lives: to kill it would bring none of them back.
    assert gateway["livenessProbe"]["httpGet"]["path"] == "/eyes/health"
    assert gateway["readinessProbe"]["httpGet"]["path"] == "/eyes/ready"


def test_the_job_that_makes_a_key_never_runs_by_itself_and_may_reach_the_database() -> None:
    objects = render()
    job = of_kind(objects, "CronJob")["demo-key"]["spec"]
    assert job["suspend"] is True
    assert job["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] <= 3600
    (container,) = job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][:2] == ["keys", "create"]
    # No policy selects its pod, and it is none of the gateways that callers are sent to.
    labels = job["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    for policy in of_kind(objects, "NetworkPolicy").values():
        assert not matches(labels, policy["spec"]["podSelector"]["matchLabels"])
    for service in of_kind(objects, "Service").values():
        assert not matches(labels, service["spec"]["selector"])


def test_disruptions_take_one_at_a_time() -> None:
    objects = render()
    budgets = of_kind(objects, "PodDisruptionBudget")
    assert set(budgets) == set(of_kind(objects, "Deployment"))
    for name, budget in budgets.items():
        assert budget["spec"]["maxUnavailable"] == 1
        assert matches(
            of_kind(objects, "Deployment")[name]["spec"]["template"]["metadata"]["labels"], budget["spec"]["selector"]["matchLabels"]
        )


def test_services_find_their_pods() -> None:
    objects = render()
    labels = {name: each["spec"]["template"]["metadata"]["labels"] for name, each in of_kind(objects, "Deployment").items()}
    for name, service in of_kind(objects, "Service").items():
        found = [pod for pod, those in labels.items() if matches(those, service["spec"]["selector"])]
        assert found == [name.removesuffix("-peers").removesuffix("-replicas")]
    monitor = of_kind(objects, "ServiceMonitor")["demo"]["spec"]["selector"]["matchLabels"]
    assert [name for name, each in of_kind(objects, "Service").items() if matches(each["metadata"]["labels"], monitor)] == ["demo"]
