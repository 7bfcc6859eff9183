"""How large the model sees a picture, and what that costs in tokens; pure arithmetic, as in Qwen's own preprocessing.

Source: QwenLM/Qwen3-VL, qwen-vl-utils/src/qwen_vl_utils/vision_process.py (`smart_resize`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from sightline.prompt import View
from sightline.service.ports import ModelInfo
from sightline.tasks.base import Crop

MOST_ASPECT = 200
"""Longer side over shorter side; beyond it Qwen's preprocessing gives up."""


def fit(width: int, height: int, view: View) -> tuple[int, int]:
    """The (width, height) in pixels at which a picture of the given size is shown: multiples of `view.grid`, within the budget.

    Raises `ValueError` when the aspect ratio is over `MOST_ASPECT` or a side is not positive.
    """
    if min(width, height) < 1 or max(width, height) > MOST_ASPECT * min(width, height):
        raise ValueError(f"a picture of {width}x{height} cannot be shown")
    grid = view.grid
    fitted_width = max(grid, round(width / grid) * grid)
    fitted_height = max(grid, round(height / grid) * grid)
    if fitted_width * fitted_height > view.max_pixels:
        shrink = math.sqrt(width * height / view.max_pixels)
        fitted_width = max(grid, math.floor(width / shrink / grid) * grid)
        fitted_height = max(grid, math.floor(height / shrink / grid) * grid)
    elif fitted_width * fitted_height < view.min_pixels:
        grow = math.sqrt(view.min_pixels / (width * height))
        fitted_width = math.ceil(width * grow / grid) * grid
        fitted_height = math.ceil(height * grow / grid) * grid
    return fitted_width, fitted_height


def visual_tokens(width: int, height: int, view: View) -> int:
    """Tokens that one picture of the given size costs the model."""
    fitted_width, fitted_height = fit(width, height, view)
    return (fitted_width // view.grid) * (fitted_height // view.grid)


def look(info: ModelInfo, detail: Literal["low", "auto", "high"]) -> View:
    """The model's view at the asked detail: a quarter of its pixels, its default, or its maximum."""
    if detail == "low":
        return replace(info.view, max_pixels=max(info.view.min_pixels, info.view.max_pixels // 4))
    if detail == "high":
        return replace(info.view, max_pixels=info.max_view_pixels)
    return info.view


def magnify(whole: tuple[int, int], crop: Crop, scale: float, view: View, most_pixels: int) -> View:
    """The view that shows a part of a picture up to `scale` times as large as `view` shows the whole (width, height in pixels).

    It shows no more than the original holds, since made-up pixels tell nothing and small models misread them; no more than
    `most_pixels`, and no less than the view would anyway.
    """
    fitted_width, fitted_height = fit(*whole, view)
    held = (crop.right - crop.left) * (crop.bottom - crop.top)
    shown = held * (fitted_width * fitted_height) / (whole[0] * whole[1])
    most = max(view.max_pixels, most_pixels)
    pixels = min(most, max(view.min_pixels, round(max(shown, min(held, shown * scale * scale)))))
    return replace(view, max_pixels=pixels)
