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
SHOTS: dict[str, dict[str, Any]] = {
    "page.png": {**DESKTOP, "locale": "en-US", "color_scheme": "light"},
    "page-dark.png": {**DESKTOP, "locale": "en-US", "color_scheme": "dark"},
    "page.zh.png": {**DESKTOP, "locale": "zh-CN", "color_scheme": "light"},
    "page-phone.png": {**PHONE, "locale": "zh-CN", "color_scheme": "dark"},
}


def take(page: Any, path: Path) -> None:
    """Asks about both samples and takes a picture of what a visitor then sees."""
    for sample in (0, 1):
        thumbnail = page.locator(".sample").nth(sample)
        thumbnail.click()
        thumbnail.and_(page.locator("[aria-pressed=true]")).wait_for()
        page.locator(".chip").first.click()
        page.locator(".card").first.and_(page.locator("[data-state=done]")).wait_for()
    if page.viewport_size["width"] < 500:
        page.locator("#text").scroll_into_view_if_needed()
    page.mouse.move(4, 4)
    page.evaluate("document.activeElement?.blur()")
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def main(address: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=FLAGS)
        for name, settings in SHOTS.items():
            context = browser.new_context(**settings)
            page = context.new_page()
            page.goto(address)
            page.locator(".shot img").wait_for()
            take(page, folder / name)
            context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
