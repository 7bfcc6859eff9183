"""The console: lanes as they are, what was refused, who used what, and a lane's tap."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.page.chromium import expect
from tests.acceptance.page.conftest import OPEN
from tests.acceptance.page.scripted import Books
from tests.acceptance.page.test_appearance import PHONE


def test_lanes_are_shown_live_and_their_tap_is_turned(visit: OPEN, books: Books, check_access: Callable[[Any], None]) -> None:
    page = visit("console")
    lane = page.locator("[data-lane=A]")
    expect(lane).to_contain_text("Questions by people")
    waiting = lane.locator(".figures div").filter(has_text="Waiting").locator("dd")
    expect(waiting).to_have_text("0 of 8")
    books.bustle()
    expect(waiting).to_have_text("2 of 8")
    expect(lane.locator(".figures")).to_contain_text("First token, p50")
    p50 = lane.locator(".figures div").filter(has_text="p50").locator("dd").inner_text()
    assert abs(int(p50.split()[0]) - 340) < 40
    expect(lane.get_by_role("img", name="First token, lane A, the last 15 minutes")).to_be_visible()
    assert lane.locator(".course .p99").get_attribute("d")
    expect(page.get_by_role("region", name="Refused and degraded").get_by_role("row").filter(has_text="2001")).to_contain_text("overloaded")
    check_access(page)
    for name, state in (("Pause", "paused"), ("Drain", "draining"), ("Open", "open")):
        lane.get_by_role("button", name=f"Lane A: {name}").click()
        expect(lane.locator(".lane-state")).to_have_text(state)
        assert (books.lanes["A"].paused, books.lanes["A"].draining) == (state == "paused", state == "draining")
    assert not books.lanes["B"].paused


def test_keys_use_and_the_audit_log_are_told(visit: OPEN, books: Books, tmp_path: Path) -> None:
    page = visit("console")
    keys = page.get_by_role("group", name="Keys", exact=True)
    expect(keys.get_by_role("row").filter(has_text="the web shop")).to_contain_text("vqa, 1,200 requests per minute")
    expect(keys.get_by_role("row").filter(has_text="operator")).to_contain_text("console")
    expect(keys.get_by_role("row").filter(has_text="last year")).to_contain_text("revoked")
    used = page.get_by_role("group", name="Use by day")
    expect(used).to_contain_text("310,240")
    page.get_by_label("From").fill("2030-01-01")
    expect(page.get_by_text("Nothing was used in these days.")).to_be_visible()
    assert books.asked[-1][0] == "2030-01-01"
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    download.value.save_as(tmp_path / "usage.csv")
    assert (tmp_path / "usage.csv").read_text().startswith("day,key_id")
    expect(page.locator("#audit")).to_contain_text("Whole: 12 entries in 2 chains.")
    expect(page.locator("#engines")).to_contain_text("scripted")


def test_a_broken_audit_log_cannot_be_overlooked(visit: OPEN, books: Books) -> None:
    page = visit("console")
    expect(page.locator("#audit")).to_contain_text("12 entries")
    body = {
        "state": "broken",
        "entries": 12,
        "chains": 2,
        "unacknowledged": 0,
        "findings": [{"file": "x.head", "line": 3, "message": "changed"}],
    }
    page.route("**/console/audit", lambda route: route.fulfill(body=json.dumps(body), content_type="application/json"))
    page.get_by_role("button", name="Read it again").click()
    expect(page.locator("#audit .verdict")).to_have_attribute("data-state", "broken")
    expect(page.locator("#audit")).to_contain_text("Not whole: 1 finding in 12 entries.")


def test_off_loopback_it_asks_for_an_admins_key(visit: OPEN, books: Books) -> None:
    page = visit("health")

    def guard(route: Any) -> None:
        bearer = route.request.headers.get("authorization")
        if bearer == "Bearer sl-admin":
            route.continue_()
            return
        code, status = (4001, 401) if bearer is None else (4002, 403)
        said = {"request_id": "req_1", "code": code, "msg": "This is not allowed.", "error": {"type": "x", "hint": "Ask the operator."}}
        route.fulfill(status=status, body=json.dumps(said), content_type="application/json")

    page.route("**/console/**", guard)
    page.goto(page.url.removesuffix("health") + "console")
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    expect(page.get_by_role("alert").filter(has_text="not allowed")).to_have_count(0)
    for key in ("sl-other", "sl-admin"):
        field.fill(key)
        field.press("Enter")
        if key == "sl-other":
            expect(page.get_by_role("alert").filter(has_text="This is not allowed. Ask the operator.")).to_be_visible()
    expect(page.locator(".lane")).to_have_count(3)
    expect(field).to_be_hidden()
    assert "sl-admin" not in page.evaluate("JSON.stringify(localStorage)")


@pytest.mark.parametrize("settings", [{}, {"color_scheme": "dark", "locale": "zh-CN", **PHONE}], ids=["desktop", "dark phone"])
def test_everybody_can_use_it(visit: OPEN, books: Books, check_access: Callable[[Any], None], settings: dict[str, Any]) -> None:
    page = visit("console", **settings)
    expect(page.locator("#use-said table").first).to_be_visible()
    expect(page.locator("#audit .verdict")).to_be_visible()
    check_access(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    if settings:
        expect(page.get_by_role("heading", name="控制台")).to_be_visible()
        expect(page.get_by_role("button", name="通道 B：暂停")).to_be_visible()
