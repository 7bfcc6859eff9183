"""Videos made on the spot."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import av
import numpy as np


def clip(
    times: Sequence[float],
    *,
    name: str = "mp4",
    codec: str = "libx264",
    size: tuple[int, int] = (160, 96),
    rotation: int = 0,
    interlaced: bool = False,
    still: bool = False,
    streaming: bool = False,
) -> bytes:
    """A clip with a frame at each of `times` (s); its brightness tells its number, a white bar its left edge."""
    held = io.BytesIO()
    options = {"live": "1"} if streaming and name in {"webm", "matroska"} else {}
    container: Any = av.open(held, "w", format=name, options=options)
    stream = container.add_stream(codec, rate=30)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = stream.time_base = __import__("fractions").Fraction(1, 1000)
    stream.options = {"preset": "ultrafast"} if codec == "libx264" else {"deadline": "realtime", "cpu-used": "8"} if "vp" in codec else {}
    if interlaced:
        stream.options = {"x264-params": "tff=1", "preset": "ultrafast"}
    if rotation:
        stream.set_display_rotation(rotation)
    for number, moment in enumerate(times):
        pixels = np.full((size[1], size[0], 3), 20 if still else 20 + 200 * number // max(1, len(times)), np.uint8)
        pixels[:, : size[0] // 8] = 255
        if interlaced:
            pixels[1::2] = 0
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = round(moment * 1000)
        frame.time_base = stream.codec_context.time_base
        for packet in stream.encode(frame):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
    container.close()
    return held.getvalue()


def steady(seconds: float, fps: float = 10) -> list[float]:
    return [number / fps for number in range(round(seconds * fps))]
