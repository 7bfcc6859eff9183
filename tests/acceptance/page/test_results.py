"""What each task gives back, shown: charts drawn anew, boxes, lines, cited pages, fields, moments of a clip, Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.acceptance.page.chromium import expect
from tests.acceptance.page.conftest import OPEN
from tests.acceptance.page.scripted import ScriptedService, Shelf
from tests.acceptance.page.test_appearance import PHONE
from tests.acceptance.page.test_asking import ask, done


def test_a_chart_is_drawn_anew_beside_the_original_and_disagreements_are_marked(
    visit: OPEN, service: ScriptedService, check_access: Callable[[Any], None]
) -> None:
    page = visit()
    page.get_by_role("button", name="Use the sample picture: a bar chart").click()
    expect(page.get_by_role("radio", name="Chart to data")).to_be_checked()
    card = done(ask(page, "chart"))
    assert service.calls[-1].task.name == "chart_parse"
    expect(card.locator(".answer")).to_have_text("Mar is higher than Jan by 41 kUSD.")
    expect(card).to_contain_text("83 - 42 = 41")
    drawing = card.get_by_role("img", name="Sales, drawn anew")
    expect(drawing.locator(".value .block")).to_have_count(4)
    heights = [box["height"] for box in (bar.bounding_box() for bar in drawing.locator(".value .block").all())]
    assert sorted(range(4), key=lambda place: heights[place]) == [1, 0, 3, 2]
    expect(drawing.locator(".value.differs .ghost")).to_have_count(1)
    march = card.get_by_role("row", name="Mar")
    expect(march).to_contain_text("≠ 88")
    expect(march).to_contain_text("44% sure")
    expect(card).to_contain_text("The parts do not add up to the total.")
    expect(card).to_contain_text("2 doubtful values were looked at again, larger; 1 came out the same.")
    # The original stands beside it on the stage, with the parts that were looked at again; not a second time in the card.
    expect(page.locator("#stage .mark")).to_have_count(2)
    expect(card.locator("figure.inline")).to_be_hidden()
    march.locator("td").hover()
    expect(page.locator("#stage .mark.lit")).to_have_count(1)
    expect(drawing.locator(".value.lit")).to_have_count(1)
    check_access(page)
    page.get_by_role("button", name="Use the sample picture: coloured shapes").click()
    expect(card.locator("figure.inline")).to_be_visible()


def test_charts_of_every_kind_are_drawn(visit: OPEN) -> None:
    page = visit(color_scheme="dark")
    card = done(ask(page, "charts"))
    expect(card.locator(".plot-line .line")).to_have_count(3)
    expect(card.locator(".plot-pie .slice")).to_have_count(3)
    expect(card.locator(".plot-stacked_bar .block")).to_have_count(30)
    expect(card.locator(".legend").first).to_contain_text("Solar")
    expect(card.locator(".answer")).to_have_count(0)  # it was the same values as JSON
    card.get_by_role("button", name="JSON").click()
    expect(card.locator(".panel pre")).to_contain_text('"chart_type": "pie"')


def test_boxes_lie_on_the_picture_where_the_result_says(visit: OPEN) -> None:
    page = visit()
    card = done(ask(page, "boxes"))
    first = page.locator("#stage .mark rect").first
    where, picture = first.bounding_box(), page.get_by_role("img", name="Picture 1: shapes.png").bounding_box()
    scale = picture["width"] / 1152
    for side, pixels in (
        ("x", 80 * scale + picture["x"]),
        ("y", 60 * scale + picture["y"]),
        ("width", 250 * scale),
        ("height", 250 * scale),
    ):
        assert abs(where[side] - pixels) < 4, side
    expect(page.locator("#stage .mark text").first).to_have_text("the red circle")
    star = card.get_by_role("listitem").filter(has_text="a star")
    expect(star).to_contain_text("52% sure")
    star.focus()
    expect(page.locator("#stage .mark.lit text")).to_have_text("a star")


def test_lines_that_were_read_carry_their_sureness(visit: OPEN) -> None:
    page = visit()
    card = done(ask(page, "text"))
    lines = card.get_by_role("list", name="Lines read").get_by_role("listitem")
    expect(lines).to_have_text(["Invoice 2026-114", "Total: 1,280.00 EUR"])
    expect(lines.nth(1)).to_have_attribute("data-level", "low")
    expect(lines.nth(1)).to_have_attribute("title", "47% sure")


def test_a_document_shows_its_pages_and_the_cited_ones_are_lit(
    visit: OPEN, document: Path, shelf: Shelf, service: ScriptedService, check_access: Callable[[Any], None]
) -> None:
    page = visit()
    page.locator("#file").set_input_files(document)
    expect(page.get_by_role("radio", name="Document")).to_be_checked()
    expect(page.locator("#stage").get_by_role("button", name=re.compile("Open page"))).to_have_count(5)
    expect(page.locator("#stage .sheet img[src^='blob:']").first).to_be_visible()
    card = ask(page, "pages")
    done(card)
    (source,) = service.calls[-1].sources
    assert getattr(source, "file_id", None) in shelf.files  # sent once, for the pages and the question alike
    expect(card).to_contain_text("Signed in Lisbon on 4 May 2026 by both parties.")
    expect(card).to_contain_text("Pages that could not be read: 4")
    expect(card.locator(".receipt-line")).to_contain_text("5 pages PDF")
    lit = page.locator("#stage .sheet.cited")
    assert [sheet.get_attribute("data-page") for sheet in lit.all()] == ["2", "5"]
    check_access(page)
    card.get_by_role("button", name="Page 5", exact=True).click()
    large = page.get_by_role("dialog")
    expect(large).to_contain_text("Page 5 of 5")
    page.keyboard.press("ArrowLeft")
    expect(large).to_contain_text("Page 4 of 5")
    page.keyboard.press("Escape")
    expect(large).to_have_count(0)
    page.get_by_role("button", name="Remove contract.pdf").click()
    expect(page.get_by_text("Drop a picture, a PDF or a clip")).to_be_visible()
    page.wait_for_function("() => true")
    for _ in range(100):
        if not shelf.files:
            break
        page.wait_for_timeout(20)
    assert not shelf.files  # forgotten at the service as well


def test_fields_stand_with_their_page_and_sureness(visit: OPEN, document: Path) -> None:
    page = visit()
    page.locator("#file").set_input_files(document)
    card = done(ask(page, "fields"))
    expect(card.get_by_role("row", name="total")).to_contain_text("1280.5 Page 2")
    expect(card.get_by_role("row", name="signed_by")).to_contain_text("not found")


def test_a_clip_has_a_timeline_whose_moments_jump(
    visit: OPEN, clip: Path, service: ScriptedService, check_access: Callable[[Any], None]
) -> None:
    page = visit()
    page.locator("#file").set_input_files(clip)
    expect(page.get_by_role("radio", name="Video")).to_be_checked()
    shown = page.locator("#stage video")
    card = done(ask(page, "moments"))
    assert service.calls[-1].task.name == "video_qa"
    expect(card.locator(".receipt-line")).to_contain_text("4 s WEBM → 8 frames of 256×192")
    expect(card.locator(".frame-tick")).to_have_count(8)

    def jumps(button: Any, seconds: float) -> None:
        button.click()
        page.wait_for_function("([video, seconds]) => Math.abs(video.currentTime - seconds) < 0.05", arg=[shown.element_handle(), seconds])

    jumps(card.locator(".moments").get_by_role("button", name="Jump to 0:01"), 1.0)
    jumps(card.locator(".moment-mark").nth(1), 2.5)
    jumps(card.locator(".answer").get_by_role("button", name="second 3", exact=True), 3.0)
    expect(card.locator(".answer").get_by_role("button")).to_have_count(1)  # the clip has no second 90
    check_access(page)


def test_markdown_is_shown_as_it_is_meant_and_never_as_html(visit: OPEN, check_access: Callable[[Any], None]) -> None:
    page = visit()
    card = done(ask(page, "markdown"))
    expect(card.get_by_role("heading", name="Summary")).to_be_visible()
    expect(card.locator(".answer ol li")).to_have_count(2)
    expect(card.get_by_role("row", name="Mar 88")).to_be_visible()
    expect(card.get_by_role("link")).to_have_count(1)
    expect(card.get_by_role("link", name="the report")).to_have_attribute("rel", re.compile("noopener"))
    expect(card.locator(".answer")).to_contain_text('<b onclick="x()">raw</b>')
    assert card.locator(".answer img, .answer b").count() == 0
    check_access(page)


def test_on_a_phone_the_card_shows_its_pictures_itself(visit: OPEN, document: Path) -> None:
    page = visit(locale="zh-CN", **PHONE)
    for scene in ("chart", "boxes", "charts"):
        page.locator("#text").fill(scene)
        page.locator("#ask").click()
        card = done(page.locator(".card").first)
        expect(card.locator("figure.inline img").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, scene
    page.locator("#file").set_input_files(document)
    page.locator("#text").fill("pages")
    page.locator("#ask").click()
    expect(done(page.locator(".card").first)).to_contain_text("第 2 页")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
