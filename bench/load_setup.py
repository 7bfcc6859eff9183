"""What the parts of a load measurement have in common: configurations of the service, the requests of people, and papers for the batch."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import cv2
import numpy as np

from load_client import Child, Outcome, ask, data_uri, picture, question

_TEXTS = itertools.count()
PREFILL, DECODE, TOKENS = 4000, 100, 12
"""Speed of the simulated engine, tokens/s for each slot, and the length of its answers."""


def fake(name: str, slots: int, decode: float = DECODE, tokens: int = TOKENS) -> str:
    return f'[backends.{name}]\nkind = "fake"\nprefill = {PREFILL}.0\ndecode = {decode}\nslots = {slots}\nanswer_tokens = {tokens}\n'


def lane(name: str, backend: str, slots: int, waiting: int = 256) -> str:
    return f'[lanes.{name}]\nbackends = ["{backend}"]\nslots = {slots}\nwaiting = {waiting}\n'


SEPARATE = fake("a", 8) + fake("b", 4) + fake("c", 2) + lane("A", "a", 8) + lane("B", "b", 4) + lane("C", "c", 2)
ONE_QUEUE = fake("x", 14) + lane("A", "x", 14) + lane("B", "x", 14) + lane("C", "x", 14)
LAPTOP = (
    '[backends.interactive]\nkind = "local"\n[backends.background]\nkind = "local"\nbackground = true\n'
    + lane("A", "interactive", 4)
    + lane("B", "background", 1)
    + "cpu = 1\n"
    + lane("C", "background", 1)
    + "cpu = 1\n"
)
LAPTOP_ONE_QUEUE = '[backends.all]\nkind = "local"\n' + "".join(lane(name, "all", 4) for name in "ABC")


def people(http: aiohttp.ClientSession, child: Child, size: int = 256, **options: Any) -> Callable[[int], Coroutine[Any, Any, Outcome]]:
    """Requests as people make them: each another question, nothing remembered unless `cache` says otherwise."""
    pictures = [data_uri(picture(size, size, seed)) for seed in range(8)]
    started = time.perf_counter()

    def make(number: int) -> Coroutine[Any, Any, Outcome]:
        body = question([pictures[number % 8]], f"What is the shape number {next(_TEXTS)}?", **{"cache": "off", **options})
        return ask(http, child.url, body, started)

    return make


def scans(pages: int = 4) -> list[bytes]:
    """Scanned A4 pages at 200 dpi, as JPEG, with lines of marks on them."""
    sheets: list[bytes] = []
    for number in range(pages):
        sheet = np.full((2339, 1654), 255, np.uint8)
        for row in range(150, 2250, 45):
            for column in range(120, 1540, 28):
                letter = chr(65 + (row * 7 + column + number) % 26)
                cv2.putText(sheet, letter, (column, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
        sheets.append(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
    return sheets


def document() -> bytes:
    """The same pages as a PDF."""
    from PIL import Image

    first, *others = [Image.open(io.BytesIO(sheet)) for sheet in scans()]
    file = io.BytesIO()
    first.save(file, "PDF", save_all=True, append_images=others, resolution=200)
    return file.getvalue()
