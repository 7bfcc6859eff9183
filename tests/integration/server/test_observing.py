"""Alert rules and dashboard name only what the real /metrics page has: the metrics, and their labels."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import FAKE, lanes, serving
from tests.pictures import RED

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus" / "sightline.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "sightline.json"


def expressions() -> list[str]:
    """Every PromQL expression of both files."""
    text = RULES.read_text()
    found = re.findall(r"expr: (?!>)(.+)", text)
    found += [" ".join(block.split()) for block in re.findall(r"expr: >\n((?: {10}.+\n)+)", text)]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        found += [target["expr"] for target in panel.get("targets", [])]
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The metrics page of a real service that has answered one call."""
    with serving(tmp_path_factory.mktemp("service"), FAKE + lanes()) as running:
        body: dict[str, Any] = {"task": "vqa", "images": [RED], "text": "What is it?", "options": {"temperature": 0}}
        assert httpx.post(f"{running.url}/infer", json=body, trust_env=False).status_code == 200
        return httpx.get(f"{running.url}/metrics", trust_env=False).text


def test_every_metric_that_is_named_exists(page: str) -> None:
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))
    named = {name for each in expressions() for name in re.findall(r"\bsightline_\w+", each)}
    assert len(named) > 15
    for name in named:
        if name not in kinds:
            base, _, part = name.rpartition("_")
            assert part in {"bucket", "count", "sum"}, name
            assert kinds.get(base) == "histogram", name


def test_every_label_that_is_named_exists(page: str) -> None:
    labels = set(re.findall(r'(\w+)="', page)) | {"job", "code", "reason", "task"}  # those of what has not happened yet
    asked = {name for each in expressions() for name in re.findall(r'(\w+)\s*=~?\s*"', each)}
    asked |= {name.strip() for each in expressions() for group in re.findall(r"by \(([^)]*)\)", each) for name in group.split(",")}
    assert asked <= labels


def test_every_expression_is_closed_and_every_alert_says_what_to_do() -> None:
    for each in expressions():
        assert each.count("(") == each.count(")"), each
        assert each.count("{") == each.count("}"), each
    text = RULES.read_text()
    alerts = text.count("- alert: ")
    assert alerts == text.count("expr: ") == text.count("severity: ") == text.count("summary: ") == text.count("action: ")


def test_the_dashboard_can_be_imported_anywhere() -> None:
    board = json.loads(DASHBOARD.read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels)
