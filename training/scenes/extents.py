"""Boxes as they are written: thousandths of the picture's sides in whole steps.

The steps are so wide that the last digit is always 0 and the one before it even: a young network has two digits to find and not
three, and the overlap with the exact box stays above 0.7 for all but the thinnest things.
"""

from __future__ import annotations

STEP = 20
STEPS = 1000 // STEP
Extent = tuple[float, float, float, float]  # left, top, right, bottom in px


def thousandths(extent: Extent, width: int, height: int) -> list[int]:
    """The box as it is written. It is never without area."""
    left, top, right, bottom = (
        min(1000, max(0, round(1000 / STEP * place / length) * STEP)) for place, length in zip(extent, (width, height) * 2, strict=True)
    )
    return [left, top, max(right, left + STEP), max(bottom, top + STEP)]
