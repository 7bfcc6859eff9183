"""The page against the service as it is installed, with the model that comes in the box."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

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
    expect(card.locator(".answer")).not_to_be_empty()
    expect(card.get_by_role("meter", name="Confidence")).to_be_visible()
    expect(card).to_contain_text("1152×768 PNG → 288×192, 54 tokens")
    expect(card.locator(".numbers")).to_contain_text("sight-nano")
    page.get_by_role("radio", name="Caption").check(force=True)
    page.get_by_role("button", name="Ask").click()
    expect(done(page.locator(".card").first).locator(".answer")).not_to_be_empty()


def test_a_large_picture_is_uploaded_and_forgotten_again(visit: OPEN, tmp_path: Path) -> None:
    photo = tmp_path / "photo.bmp"
    Image.new("RGB", (2000, 1500), "red").save(photo)
    page: Any = visit()
    calls: list[tuple[str, str]] = []
    page.on("request", lambda request: calls.append((request.method, request.url.rpartition("/qwen-vl/")[2])))
    page.locator("#file").set_input_files(photo)
    page.get_by_label("Question", exact=True).fill("How many circles are there?")
    with page.expect_response(lambda response: response.request.method == "DELETE") as forgotten:
        page.get_by_role("button", name="Ask").click()
        expect(done(page.locator(".card").first)).to_contain_text("2000×1500 BMP")
    assert forgotten.value.status == 200
    assert [call for call in calls if call[0] != "GET"][:2] == [("POST", "files"), ("POST", "infer_stream")]
