"""The machine's own Chromium, driven by Playwright; a test module that imports this is skipped where either is missing."""

from __future__ import annotations

import os
import shutil

import pytest

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the page's tests need the Python package playwright: pip install -e '.[serve,dev]'"
)
expect = playwright.expect
expect.set_options(timeout=20_000)
sync_playwright = playwright.sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


def executable() -> str:
    """The browser of this machine; none is ever downloaded."""
    named = os.environ.get("CHROMIUM", "")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    if not found:
        pytest.skip("the page's tests need Chromium: install it (Debian: apt install chromium) or name it in CHROMIUM")
    return found
