"""What stays with the visitor: earlier questions in the browser alone, the camera's picture, and files that suit a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sightline.protocol.lifting import Held
from tests.acceptance.page.chromium import expect
from tests.acceptance.page.conftest import OPEN
from tests.acceptance.page.scripted import SHORT, ScriptedService
from tests.acceptance.page.test_asking import ask, done


def test_earlier_questions_are_kept_in_the_browser_opened_again_and_forgotten(
    visit: OPEN, picture: Path, service: ScriptedService, check_access: Callable[[Any], None]
) -> None:
    page = visit()
    page.locator("#file").set_input_files(picture)
    done(ask(page, "what colour?"))
    done(ask(page, "boxes"))
    expect(page.get_by_role("heading", name="Earlier")).to_be_hidden()
    calls = len(service.calls)
    page.reload()
    expect(page.get_by_text("Kept in this browser only.")).to_be_visible()
    expect(page.locator(".past-row")).to_have_count(2)
    check_access(page)
    page.get_by_role("button", name="boxes").click()
    card = done(page.locator(".card").first)
    expect(card.locator(".answer")).to_have_text(SHORT)
    expect(card.locator("figure.inline .mark")).to_have_count(2)
    expect(page.locator(".past-row")).to_have_count(1)
    card.get_by_role("button", name="Edit", exact=True).click()
    expect(page.get_by_role("img", name="Picture 1: my photo.png")).to_have_count(2)  # on the stage, and in the card
    expect(page.get_by_label("Question", exact=True)).to_have_value("boxes")
    assert len(service.calls) == calls
    page.get_by_role("button", name="Forget all").click()
    expect(page.locator("#past")).to_be_hidden()
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("Ready")
    expect(page.locator("#past")).to_be_hidden()


def test_the_chooser_offers_what_the_task_takes_and_a_task_is_found_for_what_comes(visit: OPEN, picture: Path, clip: Path) -> None:
    page = visit()
    chooser = page.locator("#file")
    expect(chooser).to_have_attribute("accept", r"image/*,.heic,.avif,.tif,.tiff,.dcm")
    chooser.set_input_files(clip)
    expect(page.get_by_role("radio", name="Video")).to_be_checked()
    expect(chooser).to_have_attribute("accept", r"video/*,.mkv")
    expect(page.locator(".shot")).to_have_count(1)
    chooser.set_input_files(picture)
    expect(page.get_by_role("radio", name="Visual Q&A")).to_be_checked()
    expect(page.locator(".shot img")).to_have_count(1)
    page.get_by_role("radio", name="Video").check(force=True)
    page.get_by_label("Question", exact=True).fill("what happens?")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("Video does not take my photo.png.")).to_be_visible()


def test_the_camera_takes_a_picture(visit: OPEN, service: ScriptedService) -> None:
    page = visit(permissions=["camera"])
    page.get_by_role("button", name="Camera").click()
    dialog = page.get_by_role("dialog", name="Camera")
    dialog.get_by_role("button", name="Take the picture").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("img", name="Picture 1: camera.jpg")).to_be_visible()
    done(ask(page, "what?"))
    (sent,) = service.calls[-1].sources
    written = bytes(sent.literal).decode() if isinstance(sent, Held) else str(sent)
    assert written.strip('"').startswith("data:image/jpeg;base64,")


def test_every_other_task_is_asked_the_same_way(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    for task in ("Caption", "Find in images", "Text in images", "Chat"):
        page.get_by_role("radio", name=task).check(force=True)
        expect(done(ask(page, "what is it?")).locator(".answer")).to_have_text(SHORT)
        assert service.calls[-1].task.title.en == task


def test_an_example_of_a_task_is_asked_with_its_options(visit: OPEN, picture: Path, service: ScriptedService) -> None:
    page = visit()
    page.locator("#file").set_input_files(picture)
    page.get_by_role("radio", name="Caption").check(force=True)
    chip = page.locator(".chip").first
    text = chip.inner_text()
    chip.click()
    done(page.locator(".card").first)
    example = service.calls[-1].task.examples[0]
    assert (example.text.en or "Just ask") == text
    assert all(getattr(service.calls[-1].options, name) == value for name, value in example.options.items())
