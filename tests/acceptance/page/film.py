"""Films the page for the README, of a running service: a real question, a real answer, at the speed at which it came.

python -m tests.acceptance.page.film http://127.0.0.1:8000/ docs/images/page.webp
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from tests.acceptance.page.chromium import FLAGS, executable, sync_playwright

SIZE = {"width": 1120, "height": 780}
SCENES = ((0, "What colour is the circle?"), (1, "How much higher is Mar than Jan?"))
"""The sample pictures, by their place, and what is asked about them."""
_LONGEST = 40.0
_READ_MS = 2600
"""How long an answer stands, to be read."""


class Film:
    """Pictures of the page with how long each is shown, in milliseconds."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._frames: list[Image.Image] = []
        self._lasting: list[int] = []

    def shoot(self, lasting: int) -> None:
        """One more picture; of two alike the first is shown longer."""
        frame = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
        if self._frames and frame.tobytes() == self._frames[-1].tobytes():
            self._lasting[-1] += lasting
        else:
            self._frames.append(frame)
            self._lasting.append(lasting)

    def write(self, path: Path) -> None:
        first, *others = self._frames
        first.save(path, "WEBP", save_all=True, append_images=others, duration=self._lasting, loop=0, quality=72, method=4)


def scene(page: Any, film: Film, sample: int, question: str) -> None:
    """A picture is chosen, a question typed, and the answer appears."""
    thumbnail = page.locator(".sample").nth(sample)
    thumbnail.click()
    thumbnail.and_(page.locator("[aria-pressed=true]")).wait_for()
    page.mouse.move(4, 4)
    film.shoot(700)
    field = page.locator("#text")
    field.fill("")
    for letter in range(3, len(question) + 3, 3):
        field.fill(question[:letter])
        film.shoot(90)
    film.shoot(300)
    field.press("Enter")
    done = page.locator(".card").first.and_(page.locator("[data-state=done]"))
    ended = time.monotonic() + _LONGEST
    while True:
        began = time.monotonic()
        over = done.count() > 0
        film.shoot(max(40, round((time.monotonic() - began) * 1000)))
        if over:
            break
        if time.monotonic() > ended:
            raise TimeoutError("the service gave no answer to show")
    film.shoot(_READ_MS)


def main(address: str, path: Path) -> None:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=FLAGS)
        page = browser.new_context(viewport=SIZE, locale="en-US", color_scheme="light", reduced_motion="reduce").new_page()
        page.goto(address)
        page.locator(".shot img").wait_for()
        film = Film(page)
        film.shoot(900)
        for sample, question in SCENES:
            scene(page, film, sample, question)
        film.write(path)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
