"""A real Prometheus reads a real gateway under load: every panel has data, every alert is evaluated, the autoscalers' queries answer."""

from __future__ import annotations

import asyncio
import json
import math
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.harness import Running, lanes, serving
from tests.pictures import data_uri, png
from tests.unit.deploy.charts import DEPLOY, of_kind, render

FOLDER = DEPLOY / "prometheus"
GATEWAY = """
[backends.x]
kind = "fake"
prefill = 20000.0
decode = 100.0
slots = 2
answer_tokens = 12
[backends.small]
kind = "smaller"
of = "x"
max_pixels = 16384
"""
LABELS = {"namespace": "eyes", "service": "demo"}
"""As the Prometheus operator sets them for the chart's release `demo`."""


def program(name: str) -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed here: apt-get install prometheus")
    return found


def test_the_rules_are_of_the_right_form() -> None:
    ran = subprocess.run(
        [program("promtool"), "check", "rules", FOLDER / "sightline.rules.yml"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_every_alert_fires_when_it_should_and_is_quiet_when_not() -> None:
    ran = subprocess.run(
        [program("promtool"), "test", "rules", "sightline.tests.yml"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # Each is shown both firing and quiet.
    alerts = [rule["alert"] for rule in yaml.safe_load((FOLDER / "sightline.rules.yml").read_text())["groups"][0]["rules"]]
    cases = [each for test in yaml.safe_load((FOLDER / "sightline.tests.yml").read_text())["tests"] for each in test["alert_rule_test"]]
    assert {each["alertname"] for each in cases if each.get("exp_alerts")} == set(alerts)
    assert {each["alertname"] for each in cases if not each.get("exp_alerts")} == set(alerts)


def test_composes_scrape_configuration_is_of_the_right_form(tmp_path: Path) -> None:
    # The paths in it are those of its container.
    text = (DEPLOY / "compose" / "prometheus.yml").read_text()
    (tmp_path / "key").write_text("k")
    text = text.replace("/etc/prometheus/scraper", str(tmp_path)).replace("/etc/prometheus", str(FOLDER))
    (tmp_path / "prometheus.yml").write_text(text)
    ran = subprocess.run([program("promtool"), "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


class Prometheus:
    """One that scrapes a gateway twice a second. `at`: the moment that is asked about, in seconds since the epoch; None is now."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.at: float | None = None

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, trust_env=False, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def values(self, expression: str) -> list[float]:
        """What an expression comes to now, over all its series, what is not a number left out."""
        moment = {} if self.at is None else {"time": str(self.at)}
        found = [float(each["value"][1]) for each in self.get("query", query=expression, **moment)["result"]]
        return [each for each in found if math.isfinite(each)]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    room = lanes(slots=2, waiting=3).replace(
        '[lanes.A]\nbackends = ["x"]\n', '[lanes.A]\nbackends = ["x"]\nlighter = ["small"]\nlighter_slots = 1\nlighter_waiting = 0\n'
    )
    with serving(tmp_path_factory.mktemp("gateway"), GATEWAY + room) as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(gateway: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    scrape = {
        "job_name": "sightline",
        "scrape_interval": "500ms",
        "scrape_timeout": "500ms",
        "static_configs": [{"targets": [gateway.url.removeprefix("http://")], "labels": LABELS}],
    }
    rules = [str(FOLDER / "sightline.rules.yml")]
    settings = {"global": {"evaluation_interval": "1s"}, "rule_files": rules, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    process = subprocess.Popen([*command, f"--web.listen-address={address}", "--log.level=error"])
    try:
        running = Prometheus(f"http://{address}")
        deadline = time.monotonic() + 30
        while True:
            try:
                # It listens before it answers.
                ready = httpx.get(f"http://{address}/-/ready", trust_env=False, timeout=20).status_code == 200
                if ready and running.values('up{job="sightline"} == 1'):
                    break
            except httpx.TransportError:
                assert process.poll() is None, "Prometheus did not start"
            assert time.monotonic() < deadline, "Prometheus did not scrape the gateway"
            time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        process.wait(20)


async def crowd(url: str, seconds: float) -> None:
    """More callers than there is room for: some are refused, some get the lighter model, some go away, some ask what was asked before."""
    pictures = [data_uri(png(64, 64, (number, 40, 90))) for number in range(40)]
    end = time.monotonic() + seconds

    def question(number: int, **options: Any) -> dict[str, Any]:
        return {"task": "vqa", "images": [pictures[number % 40]], "text": f"What is number {number}?", "options": options}

    async def patient(http: httpx.AsyncClient, first: int) -> None:
        number = first
        while time.monotonic() < end:
            await http.post("/infer", json=question(number, cache="off", allow_degraded=number % 3 > 0))
            number += 10
            await asyncio.sleep(0.05)

    async def forgetful(http: httpx.AsyncClient) -> None:
        while time.monotonic() < end:
            await http.post("/infer", json=question(1, temperature=0))
            await http.post("/infer", json={"task": "unheard of"})
            await asyncio.sleep(0.1)

    async def restless(http: httpx.AsyncClient) -> None:
        while time.monotonic() < end:
            async with http.stream("POST", "/infer_stream", json=question(7, cache="off")) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("event: token"):
                        break
            await asyncio.sleep(0.1)

    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
        await http.post("/infer", json=question(1, temperature=0))  # while there is room: refused calls leave nothing to remember
        await asyncio.gather(*(patient(http, first) for first in range(8)), forgetful(http), restless(http), restless(http))


@pytest.fixture(scope="module")
def busy(gateway: Running, prometheus: Prometheus) -> Prometheus:
    """Prometheus after some seconds of load, the last scrape in it."""
    asyncio.run(crowd(gateway.url, 5.0))
    time.sleep(0.6)
    prometheus.at = time.time()
    return prometheus


def panels() -> dict[str, str]:
    """Every expression of the dashboard, as Grafana would ask it."""
    found: dict[str, str] = {}
    for panel in json.loads((DEPLOY / "grafana" / "sightline.json").read_text())["panels"]:
        for target in panel.get("targets", []):
            asked = target["expr"].replace("$job", "sightline").replace("$__rate_interval", "6s")
            found[f"{panel['title']} {target['refId']}"] = re.sub(r"\$\w+", "", asked)
    return found


@pytest.mark.parametrize("panel", panels())
def test_every_panel_has_data(busy: Prometheus, panel: str) -> None:
    assert busy.values(panels()[panel]), panels()[panel]


def test_every_alert_is_evaluated_on_the_real_page(busy: Prometheus) -> None:
    rules = [rule for group in busy.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) >= 9
    assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] != "ok"} == {}
    # Under this load the ratio that stands behind the alert is over its bound; nothing has been wrong for five minutes yet.
    ratio = next(rule["query"] for rule in rules if rule["name"] == "SightlineRefusesForLoad")
    assert busy.values(ratio.replace("[5m]", "[6s]"))
    assert not [rule["name"] for rule in rules if rule["state"] == "firing"]


def test_what_the_autoscalers_ask_for_has_an_answer(busy: Prometheus, gateway: Running) -> None:
    adapter = yaml.safe_load((FOLDER / "adapter.yaml").read_text())
    matchers = 'namespace="eyes",service="demo",lane="A"'
    queries = [rule["metricsQuery"].replace("<<.LabelMatchers>>", matchers) for rule in adapter["rules"]["external"]]
    series = [rule["seriesQuery"] for rule in adapter["rules"]["external"]]
    scaled = of_kind(render("autoscaling.kind=keda"), "ScaledObject")["demo-pool-a"]
    asked = [trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]]
    for expression in (*queries, *series, *asked):
        assert busy.values(expression), expression
    # Both ways ask for the same number, and it is the one that the gateway tells: the load was over its room.
    peaks = [max(busy.values(f"max_over_time(({each})[10s:500ms])")) for each in (queries[0], asked[0])]
    assert peaks[0] == peaks[1] > 0
    page = httpx.get(f"{gateway.url}/metrics", trust_env=False).text
    assert re.search(r'^sightline_lane_waiting_tokens\{lane="A"\} ', page, re.MULTILINE)
