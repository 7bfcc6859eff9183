"""The page against the service as it is installed, with the model that comes in the box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.page.chromium import expect
from tests.acceptance.page.conftest import OPEN
from tests.acceptance.page.test_asking import done
from tests.acceptance.services import serving


@pytest.fixture
def address() -> Iterator[str]:
    with serving("--root-path", "/qwen-vl") as address:
        yield f"{address.rstrip('/')}/"


def test_a_sample_is_answered_by_the_model_in_the_box(visit: OPEN) -> None:
    page: Any = visit()
    expect(page.get_by_role("status")).to_contain_text("Ready")
    page.get_by_role("button", name="Ask").click()
    card = done(page.locator(".card").first)
    expect(card.locator(".answer")).to_have_text("yellow")
    expect(card.get_by_role("meter", name="Confidence")).to_be_visible()
    expect(card).to_contain_text("1152×768 PNG → 288×192, 54 tokens")
    expect(card.locator(".numbers")).to_contain_text("sight-nano")
    page.get_by_role("radio", name="Captioning").check(force=True)
    page.get_by_role("button", name="Ask").click()
    expect(done(page.locator(".card").first).locator(".answer")).not_to_be_empty()
