"""The API reference, drawn from the service's own description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sightline.protocol.errors import TABLE
from tests.acceptance.page.chromium import expect
from tests.acceptance.page.conftest import OPEN


def test_every_call_error_and_structure_is_there_and_linked(visit: OPEN) -> None:
    page = visit("docs")
    expect(page.get_by_role("heading", name="POST /infer_stream")).to_be_visible()
    rows = page.get_by_role("region", name="Table of errors").get_by_role("row")
    expect(rows).to_have_count(len(TABLE) + 1)
    for code, kind in TABLE.items():
        expect(rows.filter(has_text=str(code)).first).to_contain_text(str(kind.status))
    expect(page.locator("#InferRequest")).to_contain_text("required")
    expect(page.locator("#CaptioningOptions")).to_contain_text('"detailed" | "short"')
    page.locator("#infer").get_by_role("link", name="InferRequest").click()
    expect(page.locator("#InferRequest h3")).to_be_in_viewport()


def test_it_reads_in_chinese(visit: OPEN) -> None:
    page = visit("docs", locale="zh-CN")
    expect(page.get_by_role("heading", name="接口文档")).to_be_visible()
    expect(page.get_by_role("region", name="错误表")).to_contain_text("模型正忙")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("region", name="Table of errors")).to_contain_text("The model is busy")


def test_everybody_can_read_it_on_a_phone_too(visit: OPEN, check_access: Callable[[Any], None]) -> None:
    page = visit("docs")
    expect(page.get_by_role("heading", name="Schemas")).to_be_visible()
    check_access(page)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
