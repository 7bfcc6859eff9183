"""Asking: pictures in, an answer typed out, and everything that is told about it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from sightline.tasks.base import tasks
from tests.acceptance.page.chromium import expect
from tests.acceptance.page.conftest import OPEN
from tests.acceptance.page.scripted import QUICK, SHORT, SLOW, Engine, ScriptedService


def ask(page: Any, text: str) -> Any:
    """Asks, and gives the newest card."""
    page.get_by_label("Question", exact=True).fill(text)
    page.get_by_role("button", name="Ask", exact=True).click()
    return page.locator(".card").first


def done(card: Any) -> Any:
    """The card, once its answer is complete. (Waiting for a selector looks every frame, `expect` every second.)"""
    card.and_(card.page.locator("[data-state=done]")).wait_for()
    return card


def failed(card: Any) -> Any:
    """The card, once it has failed."""
    card.and_(card.page.locator("[data-state=failed]")).wait_for()
    return card


def test_a_first_visit_is_one_click_from_an_answer(visit: OPEN) -> None:
    page = visit()
    expect(page.get_by_role("status")).to_contain_text("Ready")
    expect(page.get_by_role("status")).to_contain_text("sight-nano")
    expect(page.get_by_role("img", name="Picture 1: shapes.png")).to_be_visible()
    expect(page.get_by_role("radio")).to_have_count(len(tasks()))
    expect(page.get_by_role("radio", name="Visual Q&A")).to_be_checked()
    page.get_by_role("button", name="Ask").click()
    card = done(page.locator(".card").first)
    expect(card.locator(".answer")).to_have_text(SHORT)
    expect(card.get_by_role("meter", name="Confidence")).to_have_attribute("aria-valuenow", "94")
    expect(card).to_contain_text("94%")
    expect(card).to_contain_text("1152×768 PNG → 256×192, 48 tokens")
    for said in ("212 ms", "71 tokens in, 9 out", "2 experts active", "sight-nano", "lane A"):
        expect(card.locator(".numbers")).to_contain_text(said)
    expect(page.locator("#announcer")).to_have_text(f"Answer: {SHORT}")


def test_confidence_says_that_it_is_not_calibrated_and_why(visit: OPEN) -> None:
    page = visit()
    card = done(ask(page, "what?"))
    why = card.get_by_role("button", name="not calibrated")
    expect(card.locator(".why-said")).to_be_hidden()
    why.click()
    expect(card.locator(".why-said")).to_contain_text("have not been checked")
    expect(why).to_have_attribute("aria-expanded", "true")


SCENES = {
    "unsure": "Unsure: look for yourself",
    "unknown": "Confidence unknown",
    "long": "Allow more tokens under Options.",
    "warn": "Hold the camera still",
    "lighter": "Answered by a lighter model: sight-nano instead of sight-large (overloaded)",
    "simulated": "A simulated engine answered, not a model",
}


def test_what_a_person_should_know_stands_by_the_answer(visit: OPEN) -> None:
    page = visit()
    for scene, shown in SCENES.items():
        expect(done(ask(page, scene))).to_contain_text(shown)


def test_a_small_model_admits_its_limits_with_a_visitors_own_picture_alone(visit: OPEN, picture: Path) -> None:
    page = visit()
    expect(done(ask(page, "what?"))).not_to_contain_text("comes in the box")
    page.locator("#file").set_input_files(picture)
    expect(done(ask(page, "what?"))).to_contain_text("comes in the box")


def test_the_receipt_opens(visit: OPEN) -> None:
    page = visit()
    card = done(ask(page, "what?"))
    card.get_by_role("button", name="1152×768 PNG").click()
    for said in ("resized", "sha256 9f9f9f9f", "first token", "31 ms", "the model"):
        expect(card.locator(".panel").first).to_contain_text(said)


def test_the_answer_is_typed_as_it_comes_and_stop_stops_the_model(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    card = ask(page, "slowly")
    expect(card.locator(".answer")).to_contain_text("one two")
    expect(card).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Stop").click()
    expect(card).to_have_attribute("data-state", "stopped")
    expect(card).to_contain_text("Stopped")
    typed = card.locator(".answer").inner_text()
    assert typed
    assert SLOW.startswith(typed)
    assert typed != SLOW
    expect(page.get_by_role("button", name="Ask")).to_be_focused()
    deadline = time.monotonic() + 10
    while not service.left and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    assert service.left == 1


def test_escape_stops_before_the_first_word_too(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    card = ask(page, "slowly")
    page.keyboard.press("Escape")
    expect(card).to_have_attribute("data-state", "stopped")
    expect(done(ask(page, "what?")).locator(".answer")).to_have_text(SHORT)


def test_a_fast_engine_is_followed_with_one_write_a_frame(visit: OPEN) -> None:
    page = visit()
    page.evaluate(
        """() => {
          window.writes = []; window.frames = 0;
          const count = () => { window.frames += 1; requestAnimationFrame(count); };
          requestAnimationFrame(count);
          const typed = (records) => records.filter((one) => one.type === "characterData").length;
          new MutationObserver((records) => window.writes.push([window.frames, typed(records)])).observe(
            document.getElementById("answers"), { characterData: true, subtree: true });
        }"""
    )
    expect(done(ask(page, "quickly")).locator(".answer")).to_have_text(QUICK)
    writes = [count for _, count in page.evaluate("window.writes") if count]
    assert len(writes) > 3
    assert max(writes) == 1
    frames = [frame for frame, count in page.evaluate("window.writes") if count]
    assert len(frames) == len(set(frames))


def test_answers_are_text_whatever_they_hold(visit: OPEN) -> None:
    page = visit()
    evil = "<img src=x onerror=alert(1)> <script>alert(2)</script> & 👩‍👩‍👧‍👦"
    card = done(ask(page, f"say {evil}"))
    expect(card.locator(".answer")).to_have_text(evil)
    assert card.locator(".answer img").count() == 0


def test_options_come_from_the_service_and_only_what_was_set_is_sent(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    done(ask(page, "what?"))
    assert service.calls[-1].options.max_tokens is None
    page.get_by_role("radio", name="Caption").check(force=True)
    page.get_by_role("button", name="Options").click()
    page.get_by_label("Style").select_option("in detail")
    page.get_by_label("Longest answer (tokens)").fill("64")
    page.get_by_label("Temperature").fill("9")
    page.get_by_label("Question", exact=True).fill("")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert").filter(has_text=re.compile("Temperature"))).to_be_visible()
    page.get_by_label("Temperature").fill("")
    page.get_by_role("button", name="Ask").click()
    done(page.locator(".card").first)
    call = service.calls[-1]
    assert (call.task.name, call.text) == ("captioning", "")
    assert (call.options.max_tokens, call.options.temperature) == (64, None)
    assert getattr(call.options, "style", None) == "detailed"


def test_what_is_missing_is_said_before_anything_is_sent(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    page.get_by_label("Question", exact=True).fill("  ")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("Write a question first.")).to_be_visible()
    page.get_by_role("button", name="Remove shapes.png").click()
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("Add a picture first.")).to_be_visible()
    expect(page.get_by_text("Drop a picture, a PDF or a clip")).to_be_visible()
    assert service.calls == []


def test_the_keyboard_alone_is_enough(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    expect(page.get_by_role("status")).to_contain_text("Ready")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the question")).to_be_focused()
    page.keyboard.press("Enter")
    field = page.get_by_label("Question", exact=True)
    expect(field).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("first line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second")
    # Enter that ends the composition of a Chinese word does not ask yet.
    field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    assert page.locator(".card").count() == 0
    page.keyboard.press("Enter")
    done(page.locator(".card").first)
    assert [call.text for call in service.calls] == ["first line\nsecond"]


def test_a_sample_brings_its_own_questions(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    page.get_by_role("button", name="Use the sample picture: a bar chart").click()
    expect(page.get_by_role("img", name="Picture 1: chart.png")).to_be_visible()
    first = page.locator(".chip").first
    expect(page.get_by_label("Question", exact=True)).to_have_value(first.inner_text())
    text = page.locator(".chip").nth(1).inner_text()
    page.locator(".chip").nth(1).click()
    done(page.locator(".card").first)
    assert service.calls[-1].text == text


def test_the_dot_tells_when_the_service_comes_up(visit: OPEN, engine: Engine) -> None:
    engine.up = False
    page = visit()
    expect(page.get_by_role("status")).to_contain_text("Starting")
    engine.up = True
    expect(page.get_by_role("status")).to_contain_text("Ready")
