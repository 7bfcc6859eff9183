"""The first picture of a DICOM file, with its window and level (`sightline[dicom]`). Runs in a decoder process only.

Nothing of the file but pixels leaves it: no tag, no text, and of a failure only its class.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pydicom
import pydicom.pixels

from sightline.media.orders import PagesFound, RenderPages, Reply, SurveyPages
from sightline.media.picture import Box, Picture, Pixels
from sightline.media.pixels import Decoded, finish
from sightline.media.refusals import Broken, Over

_pixels = cast("Any", pydicom.pixels)
warnings.filterwarnings("ignore", module="pydicom")  # they may quote values of the file


def survey_pages(data: bytes, order: SurveyPages) -> Reply:
    """The size of the picture; `animated` when there are more."""
    dataset = _read(data)
    return PagesFound(((_number(dataset, "Columns"), _number(dataset, "Rows")),), animated=_number(dataset, "NumberOfFrames", 1) > 1)


def render_pages(data: bytes, order: RenderPages) -> Iterator[Picture]:
    """The picture as a radiologist's screen would first show it: rescaled, windowed, bright where it should be."""
    dataset = _read(data)
    width, height = _number(dataset, "Columns"), _number(dataset, "Rows")
    if width * height > order.limits.pixels:
        raise Over("pixels", width * height, order.limits.pixels)
    decoded = Decoded(_windowed(dataset), ("windowed",))
    for wanted in order.pages:
        box: Box | None = None
        if wanted.part:
            left, top, right, bottom = wanted.part
            box = round(left * width), round(top * height), round(right * width), round(bottom * height)
        yield replace(finish(decoded, (wanted.width, wanted.height), box, (width, height), 1, None), page=None)


def _read(data: bytes) -> Any:
    try:
        return cast("Any", pydicom).dcmread(io.BytesIO(data))
    except Exception as error:
        raise Broken("header", type(error).__name__) from None


def _number(dataset: Any, name: str, default: int = 0) -> int:
    try:
        value = int(dataset.get(name, default) or default)
    except (TypeError, ValueError):
        value = 0
    if value < 1:
        raise Broken("empty")
    return value


def _windowed(dataset: Any) -> Pixels:
    """uint8, (height, width) or (height, width, 3)."""
    try:
        pixels = _pixels.pixel_array(dataset, index=0)
        if pixels.ndim == 3:
            return np.ascontiguousarray(pixels.astype(np.uint8))
        values = _pixels.apply_modality_lut(pixels, dataset).astype(np.float32)
        low, high = _window(dataset, values)
    except Exception as error:
        raise Broken("pixels", type(error).__name__) from None
    grey = np.clip((values - low) * (255 / max(high - low, 1e-6)), 0, 255)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        grey = 255 - grey
    return np.rint(grey).astype(np.uint8)


def _window(dataset: Any, values: Pixels) -> tuple[float, float]:
    """The values shown black and white: the file's first window (PS3.3 C.11.2.1.2), or all there is where it tells none."""
    center, width = dataset.get("WindowCenter"), dataset.get("WindowWidth")
    if center is None or width is None:
        return float(values.min()), float(values.max())
    center, width = (float(value if isinstance(value, (int, float, str)) else value[0]) for value in (center, width))
    return center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2
