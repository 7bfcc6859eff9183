"""The page's modules by themselves: the stream parser, the two languages, and the code that a visitor copies."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sightline.protocol import sse
from tests.acceptance.page.chromium import expect
from tests.acceptance.page.conftest import OPEN
from tests.acceptance.page.scripted import SHORT, ScriptedService
from tests.acceptance.page.test_asking import ask, done

STREAM = (
    '\ufeffevent: accepted\r\ndata: {"a": 1}\r\n\r\n: a comment\n\nevent: token\rdata: 图\rdata:two\r\r'
    "data: no name\n\nevent: lonely\n\nid: 7\nretry: 9\nevent:final\ndata\n\nevent: cut\ndata: never ended"
)


def test_the_stream_parser_agrees_with_the_sdks_wherever_the_stream_is_cut(visit: OPEN) -> None:
    page = visit()
    expected = [[event, data.decode()] for event, data in sse.Parser().feed(STREAM.encode())]
    found = page.evaluate(
        """async (stream) => {
          const { EventParser } = await import(new URL("static/sightline.js", document.baseURI));
          const parse = (...chunks) => {
            const parser = new EventParser();
            return chunks.flatMap((chunk) => [...parser.feed(chunk)].map(({ event, data }) => [event, data]));
          };
          const cuts = [...stream].map((_, cut) => parse(stream.slice(0, cut), stream.slice(cut)));
          return [parse(stream), parse(...stream), ...cuts];
        }""",
        STREAM,
    )
    assert len(expected) == 4
    assert all(events == expected for events in found)


def test_both_languages_say_everything(visit: OPEN) -> None:
    page = visit()
    texts: dict[str, list[str]] = page.evaluate(
        """async () => {
          const { TEXTS } = await import(new URL("static/texts.js", document.baseURI));
          const { CONSOLE_TEXTS } = await import(new URL("static/console-texts.js", document.baseURI));
          return { ...TEXTS, ...CONSOLE_TEXTS };
        }""",
    )
    assert len(texts) > 80
    for key, (english, chinese) in texts.items():
        assert english, key
        assert chinese, key
        gaps = [set(re.findall(r"\{(\w+)", text)) for text in (english, chinese)]
        assert gaps[0] == gaps[1], key


def test_every_text_that_the_pages_name_exists(visit: OPEN) -> None:
    for path in ("", "docs", "console"):
        page = visit(path)
        expect(page.get_by_role("status")).to_contain_text("Ready")
        missing = page.evaluate(
            """async () => {
              const { has } = await import(new URL("static/language.js", document.baseURI));
              const names = ["data-t", "data-t-label", "data-t-title", "data-t-placeholder"];
              const carrying = (name) => [...document.querySelectorAll(`[${name}]`)];
              const used = names.flatMap((name) => carrying(name).map((element) => element.getAttribute(name)));
              return used.filter((key) => key && !has(key));
            }"""
        )
        assert missing == []


@pytest.mark.parametrize(("language", "command"), [("curl", ["bash"]), ("Python", [sys.executable, "-"]), ("JavaScript", ["node", "-"])])
def test_the_code_that_is_copied_runs(
    visit: OPEN, service: ScriptedService, picture: Path, language: str, command: list[str], tmp_path: Path
) -> None:
    needed = "curl" if language == "curl" else command[0]
    if not shutil.which(needed):
        pytest.skip(f"running the {language} example needs {needed}")
    page = visit()
    quoted = picture.rename(tmp_path / "it's my photo.png")
    page.locator("#file").set_input_files(quoted)
    page.get_by_role("button", name="Options").click()
    page.get_by_label("Longest answer (tokens)").fill("99")
    text = """what "is" `this`, $HOME or C:\\new? 图"""
    card = done(ask(page, text))
    card.get_by_role("button", name="Code").click()
    card.get_by_role("button", name=language).click()
    code = card.locator("pre").inner_text()
    program = [*command[:1], "--input-type=module", "-"] if language == "JavaScript" else command
    service.calls.clear()
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    ran: Any = subprocess.run(program, input=code, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=40, check=False)
    assert ran.returncode == 0, ran.stderr
    (call,) = service.calls
    assert call.text == text
    assert call.options.max_tokens == 99
    said = ran.stdout if language != "curl" else "".join(re.findall(r'"token":"([^"]*)"', ran.stdout))
    assert card.locator(".answer").inner_text() in said
    assert SHORT[:5] not in said  # a question with a Chinese word is answered in Chinese
