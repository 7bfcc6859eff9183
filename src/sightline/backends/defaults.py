"""What is assumed of a model that says nothing of it itself: the pixel budget and the sampling of Qwen3-VL.

Sources: QwenLM/Qwen3-VL, qwen-vl-utils (64 to 16384 visual tokens of 32x32 pixels) and its README ("Evaluation reproduction").
"""

from __future__ import annotations

from dataclasses import dataclass

from sightline.prompt import View

QWEN_VIEW = View(min_pixels=64 * 32 * 32, max_pixels=1280 * 32 * 32)
"""From Qwen's lower bound of 64 visual tokens to 1280 (1.3 megapixels)."""
QWEN_MOST_PIXELS = 16384 * 32 * 32
"""Where Qwen's own preprocessing stops."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """The sampling a model's makers recommend, used where the caller and the task are silent; None leaves it to the engine."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None


QWEN_INSTRUCT = Recommended(temperature=0.7, top_p=0.8, top_k=20, presence_penalty=1.5)
QWEN_THINKING = Recommended(temperature=0.6, top_p=0.95, top_k=20, presence_penalty=0.0)
GREEDY = Recommended(temperature=0.0)
