"""Appearance: two languages, light and dark, phone to desktop, for everybody, and light to load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.acceptance.page.chromium import expect
from tests.acceptance.page.conftest import OPEN
from tests.acceptance.page.scripted import ERRORS, SHORT_ZH, ScriptedService
from tests.acceptance.page.test_asking import ask, done

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
MOST_BYTES = 300_000


def test_a_chinese_reader_gets_a_chinese_page(visit: OPEN, service: ScriptedService) -> None:
    page = visit(locale="zh-CN")
    expect(page).to_have_title("Sightline：向图片提问")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.get_by_role("radio", name="看图问答")).to_be_checked()
    page.get_by_role("button", name="提问").click()
    card = done(page.locator(".card").first)
    expect(card.locator(".answer")).to_have_text(SHORT_ZH)
    expect(card).to_contain_text("未校准")
    expect(card).to_contain_text("48 词元")
    page.get_by_label("问题", exact=True).fill("error 1005")
    page.get_by_role("button", name="提问").click()
    expect(page.locator(".failure-said")).to_have_text(ERRORS[1005].say("zh"))
    assert {call.caller.language for call in service.calls} == {"zh"}


def test_the_language_can_be_switched_and_is_remembered(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    card = done(ask(page, "what?"))
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("button", name="提问")).to_be_visible()
    expect(card).to_contain_text("置信度")
    expect(page.get_by_role("status")).to_contain_text("就绪")
    page.reload()
    expect(page.get_by_role("button", name="提问")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("button", name="Ask")).to_be_visible()


def background(page: Any) -> int:
    """Lightness of the page's paper, 0..255."""
    return max(int(part) for part in page.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g)")[:3])


def test_dark_follows_the_system_until_a_visitor_chooses(visit: OPEN) -> None:
    page = visit(color_scheme="dark")
    assert background(page) < 40
    theme = page.locator("#theme")
    theme.click()
    assert background(page) > 230
    page.reload()
    assert background(page) > 230
    theme.click()
    page.emulate_media(color_scheme="light")
    assert background(page) < 40
    theme.click()
    assert background(page) > 230


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_nothing_is_cut_off_on_a_phone(visit: OPEN, locale: str) -> None:
    page = visit(locale=locale, **PHONE)
    page.locator("#ask").click()
    card = done(page.locator(".card").first)
    for drawer in card.locator(".drawers button[aria-expanded]").all():
        drawer.click()
    page.locator("#text").fill("error 1003")
    page.locator("#ask").click()
    expect(page.locator(".failure")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("#stop, #ask").filter(visible=True).bounding_box()["height"] >= 44


@pytest.mark.parametrize("settings", [{}, {"color_scheme": "dark", "locale": "zh-CN", **PHONE}], ids=["desktop", "dark phone"])
def test_everybody_can_use_it(visit: OPEN, check_access: Callable[[Any], None], settings: dict[str, Any]) -> None:
    page = visit(**settings)
    expect(page.get_by_role("img").first).to_be_visible()
    page.locator("#options-toggle").click()
    page.locator("#by-address").click()
    check_access(page)
    for scene in ("warn", "unsure", "error 2001", "error 4001"):
        page.locator("#text").fill(scene)
        page.locator("#ask").click()
        expect(page.locator(".card").first).to_have_attribute("aria-busy", "false")
    for drawer in page.locator(".drawers button[aria-expanded]").all():
        drawer.click()
    check_access(page)


def test_motion_is_left_out_where_it_is_not_wanted(visit: OPEN) -> None:
    page = visit(reduced_motion="reduce")
    done(ask(page, "quickly"))
    assert page.evaluate("document.getAnimations().length") == 0


def test_an_upgraded_service_never_meets_an_old_page(address: str) -> None:
    for path in ("", "docs", "static/app.js", "static/page.css"):
        assert requests.get(address + path, timeout=10).headers["cache-control"] == "no-cache"
    tag = requests.get(f"{address}static/app.js", timeout=10).headers["etag"]
    assert requests.get(f"{address}static/app.js", headers={"If-None-Match": tag}, timeout=10).status_code == 304


def test_the_page_is_light(visit: OPEN) -> None:
    sizes: dict[str, int] = {}
    page = visit("health")
    page.on("response", lambda response: sizes.update({response.url: len(response.body())}) if "/samples/" not in response.url else None)
    page.goto(page.url.removesuffix("health"))
    expect(page.get_by_role("status")).to_contain_text("Ready")
    page.wait_for_load_state("networkidle")
    assert len(sizes) > 5
    assert sum(sizes.values()) < MOST_BYTES
