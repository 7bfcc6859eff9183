"""Takes the pictures of the page that the README shows, of a running service: real questions, real answers.

python -m tests.acceptance.page.screenshots http://127.0.0.1:8000/ docs/images
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from PIL import Image

from tests.acceptance.page.chromium import FLAGS, executable, sync_playwright

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 720}, "device_scale_factor": 1.5}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
TALL: dict[str, Any] = {"viewport": {"width": 1280, "height": 1120}, "device_scale_factor": 1.5}
SHOTS: dict[str, tuple[str, dict[str, Any]]] = {
    "page.png": ("chart_parse", {**TALL, "locale": "en-US", "color_scheme": "light"}),
    "page-dark.png": ("vqa", {**DESKTOP, "locale": "en-US", "color_scheme": "dark"}),
    "page.zh.png": ("chart_parse", {**TALL, "locale": "zh-CN", "color_scheme": "light"}),
    "page-phone.png": ("chart_parse", {**PHONE, "locale": "zh-CN", "color_scheme": "dark"}),
}
"""Pictures by their names: the task that is asked, and how the browser is set."""


def take(page: Any, path: Path, task: str) -> None:
    """Asks about a sample and takes a picture of what a visitor then sees: the chart drawn anew, or an answer in words."""
    thumbnail = page.locator(".sample").nth(1)
    thumbnail.click()
    thumbnail.and_(page.locator("[aria-pressed=true]")).wait_for()
    page.locator(f"#task-{task}").check(force=True)
    page.locator(".chip").first.click()
    page.locator(".card").first.and_(page.locator("[data-state=done]")).wait_for()
    if page.viewport_size["width"] < 500:
        page.locator(".card").first.scroll_into_view_if_needed()
        page.evaluate("scrollTo(0, document.querySelector('.card').offsetTop - 12)")
    save(page, path)


def save(page: Any, path: Path) -> None:
    page.mouse.move(4, 4)
    page.evaluate("document.activeElement?.blur()")
    page.wait_for_timeout(600)
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


BUSTLE = """async (seconds) => {
  const { Sightline } = await import(new URL("static/sightline.js", document.baseURI));
  const service = new Sightline();
  const picture = await (await fetch("static/samples/shapes.png")).blob();
  const questions = ["How many shapes are there?", "Is there a heart?", "What colour is the star?", "Is there a square?"];
  const until = performance.now() + 1000 * seconds;
  const ask = async (turn) => {
    for (; performance.now() < until; turn += 1) {
      const cache = turn % 3 ? "auto" : "off";
      await service.ask({ task: "vqa", images: [picture], text: questions[turn % 4], options: { cache } }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 900 * Math.abs(Math.sin(turn * 7))));
    }
  };
  await Promise.all(Array.from({ length: 6 }, (_, at) => ask(at)));
}"""
"""Six visitors for a while, so that the console has something to show."""


def take_console(page: Any, address: str, path: Path) -> None:
    visitors = page.context.new_page()
    visitors.goto(address)
    visitors.evaluate(BUSTLE, 45)
    visitors.evaluate(f"void ({BUSTLE})(6)")
    page.goto(f"{address}console")
    page.locator("#audit .verdict").wait_for()
    page.wait_for_timeout(2500)
    save(page, path)


def main(address: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=FLAGS)
        for name, (task, settings) in SHOTS.items():
            context = browser.new_context(**settings)
            context.set_default_timeout(120_000)
            page = context.new_page()
            page.goto(address)
            page.locator(".shot img").wait_for()
            page.locator("#status[data-state=ready]").wait_for()
            take(page, folder / name, task)
            context.close()
        context = browser.new_context(**TALL, locale="en-US", color_scheme="light")
        context.set_default_timeout(120_000)
        take_console(context.new_page(), address, folder / "console.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
