"""One picture, as it passes between decoders, encoders and the gate: as pixels, and as an engine takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Pixels = NDArray[Any]
"""(height, width, channels) or (height, width); uint8 or uint16."""

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture as a model sees it: (height, width, 3) uint8, RGB, upright, on white, in sRGB.

    `changes` are names as in a receipt; `page` is 1-based, `timestamp` seconds.
    """

    pixels: Pixels
    changes: tuple[str, ...] = ()
    page: int | None = None
    timestamp: float | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """One picture as it is handed to an engine. Sizes are pixels; `found` are types of warnings, the rest is as in `Picture`."""

    data: bytes
    width: int
    height: int
    found: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    page: int | None = None
    timestamp: float | None = None
