"""Bytes of a still picture to pixels for a model, in a thread; every decoder here releases the interpreter lock.

JPEG is decoded at the least of libjpeg-turbo's eighth scales that still covers what is asked; PNG by libvips, whose
decoder is three times as fast as Pillow's; everything rarer by Pillow. Colour profiles are applied after the reduction,
on a tenth of the pixels.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any, cast

import cv2
import pyvips
import simplejpeg  # pyright: ignore[reportMissingTypeStubs]  # it ships none

from sightline.media.headers import Still
from sightline.media.picture import Box, Picture, Pixels
from sightline.media.pillow import read_with_pillow
from sightline.media.pixels import Decoded, as_stored, finish
from sightline.media.refusals import Broken

_PILLOW = {"gif": "GIF", "bmp": "BMP", "webp": "WEBP", "avif": "AVIF"}
cast("Any", pyvips).concurrency_set(1)  # our own threads are the measure of how much is done at a time
logging.getLogger("pyvips").setLevel(logging.ERROR)  # libvips tells of every damaged row; we tell the caller once
_LITTLE = 256 * 256
"""Pixels up to which Pillow is done with a PNG before libvips."""
_END_OF_IMAGE = b"\xff\xd9"


def decode_still(name: str, data: bytes, still: Still, size: tuple[int, int], crop: Box | None = None) -> Picture:
    """Decodes a picture, or the part `crop` of it (in upright pixels), to exactly `size` (width, height in pixels).

    Raises `Broken`.
    """
    stored = (still.width, still.height)
    box = as_stored(crop, *stored, still.orientation) if crop else None
    if name == "jpeg":
        decoded = Decoded(_decode_jpeg(data, still, size, box or (0, 0, *stored)))
    elif name == "png":
        decoded = _decode_png(data, still)
    else:
        decoded = read_with_pillow(_PILLOW[name], data, stored)
    return finish(decoded, size, box, stored, still.orientation, still.icc)


def _decode_jpeg(data: bytes, still: Still, size: tuple[int, int], box: Box) -> Pixels:
    space = {1: "GRAY", 3: "RGB", 4: "CMYK"}.get(still.components)
    if space is None or still.bits != 8:
        raise Broken("variant")
    width, height = reversed(size) if still.turned else size
    least_width = min(still.width, -(-width * still.width // (box[2] - box[0])))
    least_height = min(still.height, -(-height * still.height // (box[3] - box[1])))
    tries = (
        ((data, True), (data + _END_OF_IMAGE, True), (data, False)) if not data.endswith(_END_OF_IMAGE) else ((data, True), (data, False))
    )
    cause = ""
    for content, strict in tries:
        if not strict and "extraneous bytes" not in cause:
            break  # only stray bytes between segments are harmless
        try:
            return simplejpeg.decode_jpeg(content, space, min_width=least_width, min_height=least_height, strict=strict)
        except ValueError as error:
            cause = str(error)
    raise Broken("truncated" if "remature end" in cause else "pixels", cause)


def _decode_png(data: bytes, still: Still) -> Decoded:
    if still.width * still.height <= _LITTLE and still.bits <= 8:
        # libvips takes a third of a millisecond to begin. What Pillow cannot read goes on to it, for its judgement.
        with suppress(Broken):
            return read_with_pillow("PNG", data, (still.width, still.height))
    try:
        image = pyvips.Image.pngload_buffer(data, access="sequential", fail_on="error")
        if (image.width, image.height) != (still.width, still.height):
            raise Broken("header")
        if image.bands == 4 and image.format == "uchar":
            return _without_needless_alpha(image.numpy())
        flattened = image.hasalpha()
        if flattened:
            image = image.flatten(background=[65535.0 if image.format == "ushort" else 255.0])
        return Decoded(image.numpy(), ("flattened",) if flattened else ())
    except pyvips.Error as error:
        raise Broken("truncated" if not data.rstrip(b"\x00").endswith(b"IEND\xaeB`\x82") else "pixels", str(error)) from None


def _without_needless_alpha(pixels: Pixels) -> Decoded:
    """Screenshots carry an alpha channel that is opaque everywhere."""
    if cv2.minMaxLoc(cv2.extractChannel(pixels, 3))[0] == 255:
        return Decoded(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB))
    return Decoded(cv2.cvtColor(pixels, cv2.COLOR_RGBA2mRGBA), premultiplied=True)
