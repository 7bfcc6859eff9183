"""Pages of a TIFF. Runs in a decoder process only: libtiff has many codecs and a long record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from PIL import Image

from sightline.media.orders import PagesFound, RenderPages, Reply, SurveyPages, Wanted
from sightline.media.picture import Box, Picture
from sightline.media.pillow import opened, read_pixels
from sightline.media.pixels import finish
from sightline.media.refusals import Broken, Over

Image.MAX_IMAGE_PIXELS = None  # our own bound is checked first, and is lower


def survey_pages(data: bytes, order: SurveyPages) -> Reply:
    """Sizes of all pages in their own pixels. Raises `Broken`, `Over`."""
    sizes: list[tuple[int, int]] = []
    with opened("TIFF", data) as image:
        while True:
            sizes.append(image.size)
            if len(sizes) > order.limits.pages:
                raise Over("pages", len(sizes), order.limits.pages)
            try:
                image.seek(len(sizes))
            except EOFError:
                return PagesFound(tuple(sizes))


def render_pages(data: bytes, order: RenderPages) -> Iterator[Picture]:
    """Decodes pages; Pillow has turned them upright. Raises `Broken`, `Over`."""
    with opened("TIFF", data) as image:
        for wanted in order.pages:
            try:
                image.seek(wanted.page - 1)
            except EOFError:
                raise Broken("header") from None
            if image.width * image.height > order.limits.pixels:
                raise Over("pixels", image.width * image.height, order.limits.pixels)
            profile = image.info.get("icc_profile")
            decoded = read_pixels(image)
            picture = finish(decoded, (wanted.width, wanted.height), _box(wanted, image), image.size, 1, profile)
            yield replace(picture, page=wanted.page)


def _box(wanted: Wanted, image: Image.Image) -> Box | None:
    if wanted.part is None:
        return None
    left, top, right, bottom = wanted.part
    return round(left * image.width), round(top * image.height), round(right * image.width), round(bottom * image.height)
