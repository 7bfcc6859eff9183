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


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving("--root-path", "/qwen-vl") as address:
        yield f"{address.rstrip('/')}/"


def test_a_sample_is_answered_by_the_model_in_the_box(visit: OPEN) -> None:
    page: Any = visit()
    expect(page.get_by_role("status")).to_contain_text("Ready")
    page.get_by_role("button", name="Ask").click()
    card = done(page.locator(".card").first)
    expect(card.locator(".answer")).to_have_text("5")
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
        expect(done(page.locator(".card").first)).to_contain_text("3 MP BMP → 288×192")
    assert forgotten.value.status == 200
    assert [call for call in calls if call[0] != "GET"][:2] == [("POST", "files"), ("POST", "infer_stream")]


def test_a_chart_becomes_data(visit: OPEN) -> None:
    page: Any = visit()
    expect(page.get_by_role("status")).to_contain_text("Ready")
    page.get_by_role("button", name="Use the sample picture: a bar chart").click()
    expect(page.get_by_role("radio", name="Chart to data")).to_be_checked()
    page.get_by_label("Question", exact=True).fill("")
    page.get_by_role("button", name="Ask", exact=True).click()
    card = done(page.locator(".card").first)
    expect(card.locator(".numbers")).to_contain_text("sight-nano")
    expect(card.locator(".chart, .notice").first).to_be_visible()


def test_a_document_and_a_clip_go_all_the_way(visit: OPEN, clip: Path, tmp_path: Path) -> None:
    pages = [Image.new("RGB", (500, 700), colour) for colour in ("#fde", "#def", "#efd")]
    document = tmp_path / "three.pdf"
    pages[0].save(document, "PDF", save_all=True, append_images=pages[1:])
    page: Any = visit()
    expect(page.get_by_role("status")).to_contain_text("Ready")
    page.locator("#file").set_input_files(document)
    drawn = page.locator("#stage .sheet img[src^='blob:']")
    expect(drawn).to_have_count(3)
    expect(page.get_by_role("radio", name="Document")).to_be_checked()
    page.get_by_label("Question", exact=True).fill("What is on the second page?")
    page.get_by_role("button", name="Ask", exact=True).click()
    card = done(page.locator(".card").first)
    expect(card.locator(".receipt-line")).to_contain_text("3 pages PDF")
    page.get_by_role("button", name="Remove three.pdf").click()
    page.locator("#file").set_input_files(clip)
    page.get_by_label("Question", exact=True).fill("What colour is the square?")
    page.get_by_role("button", name="Ask", exact=True).click()
    card = done(page.locator(".card").first)
    expect(card.locator(".receipt-line")).to_contain_text("4 s WEBM")
    expect(card.locator(".frame-tick").nth(3)).to_be_visible()
