"""HEIC pictures, as phones take them (`sightline[heic]`). Runs in a decoder process only: libheif and libde265 are native and young."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pi_heif  # pyright: ignore[reportMissingTypeStubs]  # it ships none

from sightline.media.orders import PagesFound, RenderPages, Reply, SurveyPages
from sightline.media.picture import Box, Picture
from sightline.media.pillow import opened, read_pixels
from sightline.media.pixels import finish
from sightline.media.refusals import Over

cast("Any", pi_heif).register_heif_opener()


def survey_pages(data: bytes, order: SurveyPages) -> Reply:
    """The size of the first picture, upright; `animated` when there are more. Raises `Broken`."""
    with opened("HEIF", data) as image:
        return PagesFound((image.size,), animated=getattr(image, "n_frames", 1) > 1)


def render_pages(data: bytes, order: RenderPages) -> Iterator[Picture]:
    """The first picture; libheif has turned it upright. Raises `Broken`, `Over`."""
    for wanted in order.pages:
        with opened("HEIF", data) as image:
            width, height = image.size
            if width * height > order.limits.pixels:
                raise Over("pixels", width * height, order.limits.pixels)
            box: Box | None = None
            if wanted.part:
                left, top, right, bottom = wanted.part
                box = round(left * width), round(top * height), round(right * width), round(bottom * height)
            profile = image.info.get("icc_profile")
            yield finish(read_pixels(image), (wanted.width, wanted.height), box, (width, height), 1, profile)
