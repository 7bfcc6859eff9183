"""One decoded picture, as it passes between decoders, the gate and the encoders."""

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
