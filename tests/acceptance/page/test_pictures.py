"""Pictures: dropped, pasted, chosen or given by address, and what reaches the service."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from tests.acceptance.page.chromium import expect
from tests.acceptance.page.conftest import OPEN
from tests.acceptance.page.scripted import ScriptedService
from tests.acceptance.page.test_asking import ask, done


def drop(page: Any, files: dict[str, bytes], address: str = "") -> None:
    encoded = {name: base64.b64encode(content).decode() for name, content in files.items()}
    transfer = page.evaluate_handle(
        """([files, address]) => {
          const transfer = new DataTransfer();
          for (const [name, content] of Object.entries(files)) {
            const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
            transfer.items.add(new File([bytes], name, { type: "image/png" }));
          }
          if (address) transfer.setData("text/uri-list", address);
          return transfer;
        }""",
        [encoded, address],
    )
    page.dispatch_event("#stage", "dragenter", {"dataTransfer": transfer})
    expect(page.get_by_text("Let go to look at it")).to_be_visible()
    page.dispatch_event("#stage", "drop", {"dataTransfer": transfer})
    expect(page.get_by_text("Let go to look at it")).to_be_hidden()


def test_a_dropped_picture_replaces_the_sample_and_is_sent_as_it_is(visit: OPEN, picture: Path, service: ScriptedService) -> None:
    page = visit()
    drop(page, {"my photo.png": picture.read_bytes()})
    expect(page.get_by_role("img", name="Picture 1: my photo.png")).to_be_visible()
    expect(page.get_by_role("img", name="shapes.png")).to_have_count(0)
    expect(done(ask(page, "what colour?"))).to_contain_text("320×240 PNG → 256×192")
    (source,) = service.calls[-1].sources
    assert isinstance(source, str)
    assert base64.b64decode(source.partition(",")[2]) == picture.read_bytes()


def test_several_pictures_are_numbered_and_can_be_taken_out_again(visit: OPEN, picture: Path, service: ScriptedService) -> None:
    page = visit()
    drop(page, {"a.png": picture.read_bytes(), "b.png": picture.read_bytes()})
    page.locator("#file").set_input_files(picture)
    expect(page.locator(".shot")).to_have_count(3)
    page.get_by_role("button", name="Remove b.png").click()
    expect(page.get_by_role("img", name="Picture 2: my photo.png")).to_be_visible()
    expect(done(ask(page, "which?"))).to_contain_text("2 inputs, 96 tokens")
    assert len(service.calls[-1].sources) == 2


def test_a_picture_can_be_pasted(visit: OPEN, picture: Path) -> None:
    page = visit()
    page.evaluate(
        """(content) => {
          const transfer = new DataTransfer();
          const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
          transfer.items.add(new File([bytes], "image.png", { type: "image/png" }));
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
        }""",
        base64.b64encode(picture.read_bytes()).decode(),
    )
    expect(page.get_by_role("img", name="Picture 1: image.png")).to_be_visible()


def test_pasted_text_goes_into_the_question_even_beside_a_picture_of_it(visit: OPEN) -> None:
    page = visit()
    kept = page.evaluate(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["not used"], "cells.png", { type: "image/png" }));
          transfer.setData("text/plain", "42");
          const paste = new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
          return document.getElementById("text").dispatchEvent(paste);
        }"""
    )
    assert kept
    expect(page.get_by_role("img", name="Picture 1: shapes.png")).to_be_visible()


def test_an_address_is_left_to_the_service_to_fetch(visit: OPEN, service: ScriptedService) -> None:
    page = visit()
    page.get_by_role("button", name="Address").click()
    field = page.get_by_label("Address of a picture")
    expect(field).to_be_focused()
    field.fill("ftp://example.com/cat.jpg")
    field.press("Enter")
    expect(page.get_by_text("An address starts with https://")).to_be_visible()
    field.fill("https://example.com/pets/cat%20one.jpg?size=2")
    field.press("Enter")
    expect(page.get_by_text("An address starts with https://")).to_be_hidden()
    expect(page.locator(".shot")).to_contain_text("cat one.jpg")
    done(ask(page, "what?"))
    assert service.calls[-1].sources == ["https://example.com/pets/cat%20one.jpg?size=2"]


def test_a_file_that_cannot_be_shown_still_goes(visit: OPEN, tmp_path: Path) -> None:
    page = visit()
    strange = tmp_path / "scan.dcm"
    strange.write_bytes(b"no picture that a browser draws")
    page.locator("#file").set_input_files(strange)
    expect(page.locator(".shot")).to_contain_text("No preview here")
