"""Bytes of a still picture to pixels for a model, in a thread; every decoder here releases the interpreter lock.

JPEG is decoded at the least of libjpeg-turbo's eighth scales that still covers what is asked; PNG by libvips, whose
decoder is three times as fast as Pillow's; everything rarer by Pillow. Colour profiles are applied after the reduction,
on a tenth of the pixels.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
import pyvips
import simplejpeg  # pyright: ignore[reportMissingTypeStubs]  # it ships none
from PIL import Image

from sightline.media.headers import Still
from sightline.media.pixels import (
    Box,
    Picture,
    Pixels,
    as_stored,
    cmyk_to_rgb,
    cut,
    fit_to,
    on_white,
    to_8_bits,
    to_rgb,
    to_srgb,
    turn_upright,
)
from sightline.media.refusals import Broken

_PILLOW = {"gif": "GIF", "bmp": "BMP", "webp": "WEBP", "avif": "AVIF"}
_END_OF_IMAGE = b"\xff\xd9"


def memory_needed(name: str, still: Still) -> int:
    """Bytes that decoding may hold at its worst, scaled decoding left aside."""
    channels = still.components if name == "jpeg" else 4
    return still.width * still.height * channels * (2 if still.bits == 16 else 1)


def decode_still(name: str, data: bytes, still: Still, size: tuple[int, int], crop: Box | None = None) -> Picture:
    """Decodes a picture, or the part `crop` of it (in upright pixels), to exactly `size` (width, height in pixels).

    Raises `Broken`.
    """
    width, height = reversed(size) if still.turned else size
    box = as_stored(crop, still.width, still.height, still.orientation) if crop else (0, 0, still.width, still.height)
    decoded = _decode(name, data, still, (width, height), box)
    changes = list(decoded.changes)
    pixels = decoded.pixels
    if crop:
        pixels = cut(pixels, box, still.width, still.height)
        changes.append("cropped")
    pixels = to_8_bits(fit_to(pixels, width, height))
    if (width, height) != (box[2] - box[0], box[3] - box[1]):
        changes.append("resized")
    if decoded.premultiplied:
        pixels = on_white(pixels)
        changes.append("flattened")
    converted = to_srgb(pixels, still.icc) if still.icc else None
    if converted is not None:
        changes.append("colours_converted")
        pixels = converted
    elif pixels.ndim == 3 and pixels.shape[2] == 4:
        changes.append("colours_converted")
        pixels = cmyk_to_rgb(pixels)
    pixels = np.ascontiguousarray(turn_upright(to_rgb(pixels), still.orientation))
    return Picture(pixels, (*(("rotated",) if still.orientation > 1 else ()), *changes))


@dataclass(frozen=True, slots=True)
class _Decoded:
    pixels: Pixels
    changes: tuple[str, ...] = ()
    premultiplied: bool = False
    """Four channels, colour multiplied by alpha; four channels otherwise are inverted CMYK."""


def _decode(name: str, data: bytes, still: Still, size: tuple[int, int], box: Box) -> _Decoded:
    if name == "jpeg":
        return _Decoded(_decode_jpeg(data, still, size, box))
    if name == "png":
        return _decode_png(data, still)
    return _decode_pillow(_PILLOW[name], data, still)


def _decode_jpeg(data: bytes, still: Still, size: tuple[int, int], box: Box) -> Pixels:
    space = {1: "GRAY", 3: "RGB", 4: "CMYK"}.get(still.components)
    if space is None or still.bits != 8:
        raise Broken("variant")
    least_width = min(still.width, -(-size[0] * still.width // (box[2] - box[0])))
    least_height = min(still.height, -(-size[1] * still.height // (box[3] - box[1])))
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


def _decode_png(data: bytes, still: Still) -> _Decoded:
    try:
        image = pyvips.Image.pngload_buffer(data, access="sequential", fail_on="error")
        if (image.width, image.height) != (still.width, still.height):
            raise Broken("header")
        flattened = image.hasalpha()
        if flattened:
            image = image.flatten(background=[65535.0 if image.format == "ushort" else 255.0])
        return _Decoded(image.numpy(), ("flattened",) if flattened else ())
    except pyvips.Error as error:
        raise Broken("truncated" if not data.rstrip(b"\x00").endswith(b"IEND\xaeB`\x82") else "pixels", str(error)) from None


def _decode_pillow(name: str, data: bytes, still: Still) -> _Decoded:
    try:
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            if image.size != (still.width, still.height):
                raise Broken("header")
            image.load()
            if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
                return _Decoded(np.asarray(image.convert("RGBA").convert("RGBa")), premultiplied=True)
            return _Decoded(np.asarray(image if image.mode in {"L", "RGB"} else image.convert("RGB")))
    except (OSError, ValueError, SyntaxError, EOFError, RuntimeError, MemoryError, IndexError, KeyError, struct.error) as error:
        raise Broken("truncated" if "truncated" in str(error) else "pixels", type(error).__name__) from None
    except Image.DecompressionBombError:
        raise Broken("header") from None
