"""The console's routes belong to its operators; what they show is the service's own state, and a lane's tap is theirs to turn."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import httpx
import pytest

from tests.integration.security.conftest import ASK, Guarded

READS = ["state", "keys", "usage", "usage.csv", "audit"]


def get(guarded: Guarded, path: str, bearer: str | None) -> httpx.Response:
    headers = guarded.bearing(bearer) if bearer else {}
    return httpx.get(f"{guarded.url}/console/{path}", headers=headers, timeout=20, trust_env=False)


def turn(guarded: Guarded, lane: str, state: str, bearer: str | None) -> httpx.Response:
    headers = guarded.bearing(bearer) if bearer else {}
    return httpx.post(f"{guarded.url}/console/lanes/{lane}", json={"state": state}, headers=headers, timeout=20, trust_env=False)


def ask(guarded: Guarded, **options: Any) -> dict[str, Any]:
    body = {**ASK, "options": {"cache": "off", **options}}
    return httpx.post(f"{guarded.url}/infer", json=body, headers=guarded.bearing("alice"), timeout=20, trust_env=False).json()


@pytest.mark.parametrize("bearer", [None, "expired", "revoked"])
def test_nobody_without_a_key_gets_in(guarded: Guarded, bearer: str | None) -> None:
    assert {get(guarded, path, bearer).status_code for path in READS} == {401}
    assert turn(guarded, "A", "paused", bearer).status_code == 401


def test_a_key_that_may_ask_may_not_look_over_the_counter(guarded: Guarded) -> None:
    refused = [get(guarded, path, "alice") for path in READS] + [turn(guarded, "A", "paused", "alice")]
    assert {answer.json()["code"] for answer in refused} == {4002}
    assert ask(guarded)["code"] == 0


def test_an_operator_sees_calls_keys_use_and_the_audit_log(guarded: Guarded) -> None:
    assert ask(guarded)["code"] == 0
    said = get(guarded, "state", "operator").json()
    lane = said["lanes"][0]
    assert [each["name"] for each in said["lanes"]] == ["A", "B", "C"]
    assert lane["first_token"]["count"] >= 1
    assert sum(lane["course"]["answered"]) >= 1
    assert any(count["task"] == "vqa" and count["code"] == "0" for count in said["totals"]["calls"])
    keys = {row["name"]: row for row in get(guarded, "keys", "operator").json()["keys"]}
    assert keys["operator"]["admin"]
    assert not keys["alice"]["admin"]
    assert (keys["revoked"]["state"], keys["expired"]["state"], keys["tasks"]["only"]) == ("revoked", "expired", ["vqa"])
    text = get(guarded, "keys", "operator").text
    assert not any(bearer in text for bearer in guarded.keys.values())
    assert get(guarded, "audit", "operator").json()["state"] == "whole"
    deadline = time.monotonic() + 10
    while not (rows := [row for row in get(guarded, "usage", "operator").json()["usage"] if row["name"] == "alice"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert rows[0]["requests"] >= 1
    table = get(guarded, "usage.csv", "operator")
    assert table.headers["content-type"].startswith("text/csv")
    assert any(row["name"] == "alice" for row in csv.DictReader(io.StringIO(table.text)))
    assert get(guarded, "usage?since=yesterday", "operator").json()["error"]["details"]["field"] == "since"
    assert get(guarded, "usage?since=9999-01-01", "operator").json()["usage"] == []


def test_a_lane_is_paused_drained_and_opened_again(guarded: Guarded) -> None:
    try:
        assert turn(guarded, "A", "draining", "operator").json()["state"] == "draining"
        refused = ask(guarded)
        assert refused["code"] == 2001
        assert refused["error"]["retry_after_ms"] >= 1000
        assert turn(guarded, "A", "paused", "operator").json()["state"] == "paused"
        assert ask(guarded, timeout_ms=300)["code"] == 2002
    finally:
        assert turn(guarded, "A", "open", "operator").json()["state"] == "open"
    assert ask(guarded)["code"] == 0
    assert turn(guarded, "D", "paused", "operator").json()["error"]["details"]["allowed"] == ["A", "B", "C"]
    assert turn(guarded, "A", "gone", "operator").json()["code"] == 1000
    assert get(guarded, "state", "operator").json()["totals"]["refused"]
