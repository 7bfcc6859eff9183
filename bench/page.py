"""The page in a browser: how soon it is painted, how heavy it is, and whether typing keeps up with a fast engine.

    python bench/page.py [--runs 5] [--tokens-per-second 300] [--seconds 10]

Visits are to a real service with the simulated engine; the answer that is typed out comes from a script behind the real HTTP
face, which says so many different words a second. The browser is the machine's own Chromium, headless, with an empty cache for
each visit. Frames are measured in the page, from one animation frame to the next; `tasks over 50 ms` are those that the browser
itself reports as long.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.acceptance.page.chromium import FLAGS, executable, sync_playwright
from tests.acceptance.page.scripted import Engine, ScriptedService, Shelf, serve
from tests.harness import lanes, serving

ENGINE = """
[backends.x]
kind = "fake"
prefill = 100000.0
"""
WATCH = """() => {
  window.frames = []; window.long = [];
  new PerformanceObserver((list) => window.long.push(...list.getEntries().map((one) => one.duration))).observe({ type: "longtask" });
  let last = performance.now();
  const step = (now) => { window.frames.push(now - last); last = now; window.watching = requestAnimationFrame(step); };
  requestAnimationFrame((now) => { last = now; requestAnimationFrame(step); });
}"""
ENDED = "() => { cancelAnimationFrame(window.watching); return [window.frames, window.long]; }"


def paint(browser: Any, address: str) -> dict[str, float]:
    """One first visit: milliseconds to the first paint and to a page that can be used, and kilobytes without the sample picture."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    weights: dict[str, int] = {}
    page.on("response", lambda response: weights.update({response.url: len(response.body())}) if "/samples/" not in response.url else None)
    page.goto(address)
    page.locator(".shot img").wait_for()
    page.locator("#status[data-state=ready]").wait_for()
    told = page.evaluate(
        """() => [performance.getEntriesByName("first-contentful-paint")[0].startTime,
                  performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/tasks"))[0].responseEnd]"""
    )
    page.wait_for_load_state("networkidle")
    context.close()
    return {"first_paint_ms": told[0], "usable_ms": told[1], "kilobytes": sum(weights.values()) / 1000}


def type_out(browser: Any, address: str, rate: int, seconds: int) -> dict[str, Any]:
    """One long answer: frames while it is typed."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(1000 * (seconds + 60))
    page.goto(address)
    page.locator(".shot img").wait_for()
    page.locator("#status[data-state=ready]").wait_for()
    page.locator("#text").fill(f"steadily {rate} {rate * seconds}")
    page.locator("#ask").click()
    page.locator(".card[data-state=typing]").wait_for()
    page.evaluate(WATCH)
    # Nothing asks the page for anything while it is being watched.
    page.wait_for_timeout(1000 * (seconds - 2))
    frames, long = page.evaluate(ENDED)
    typed = len(page.locator(".answer").inner_text().split())
    page.locator(".card[data-state=done]").wait_for()
    context.close()
    frames.sort()
    return {
        "frames": len(frames),
        "median_frame_ms": statistics.median(frames),
        "p99_frame_ms": frames[int(0.99 * len(frames))],
        "longest_frame_ms": frames[-1],
        "frames_over_50_ms": sum(frame > 50 for frame in frames),
        "tasks_over_50_ms": len(long),
        "words_while_watched": typed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tokens-per-second", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=10)
    arguments = parser.parse_args()
    rate = arguments.tokens_per_second
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=FLAGS)
        with tempfile.TemporaryDirectory() as folder, serving(Path(folder), ENGINE + lanes()) as service:
            visits = [paint(browser, f"{service.url}/") for _ in range(arguments.runs)]
        middle = {name: round(statistics.median(visit[name] for visit in visits), 1) for name in visits[0]}
        print(
            json.dumps({"first visit, median": middle, "slowest first paint": round(max(visit["first_paint_ms"] for visit in visits), 1)})
        )
        with serve(ScriptedService(), Engine(), Shelf()) as address:
            typed = [type_out(browser, address, rate, arguments.seconds) for _ in range(max(1, arguments.runs // 2))]
        for each in typed:
            print(
                json.dumps(
                    {
                        f"typed at {rate} tokens/s": {
                            name: round(value, 1) if isinstance(value, float) else value for name, value in each.items()
                        }
                    }
                )
            )
        browser.close()


if __name__ == "__main__":
    main()
