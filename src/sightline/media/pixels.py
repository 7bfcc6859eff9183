"""Arithmetic on decoded pixels: fit, turn, flatten, convert. Arrays are (height, width, channels) or (height, width), uint8 or uint16.

Reductions halve by exact 2x2 means while much is left; the rest is one bicubic step, to twice the size and halved again
where a single step would alias. Against a full Lanczos reduction of a page this is 5 dB closer than OpenCV's area filter
and twice as fast; see bench/media.py.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image, ImageCms

from sightline.media.picture import Box, Picture, Pixels

# A lane's threads are its share of the CPU: OpenCV's own would be everybody's, and cost a small picture more than they save it.
cv2.setNumThreads(1)

_HALVE = 2.7
_STEP = 1.1
_STEP_SMOOTH = 1.35
"""Ratios: of one more halving, and of the largest single bicubic step."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as a decoder left it, uint8 or uint16. Four channels are inverted CMYK, or colour multiplied by alpha."""

    pixels: Pixels
    changes: tuple[str, ...] = ()
    premultiplied: bool = False


def finish(
    decoded: Decoded, size: tuple[int, int], crop: Box | None, stored: tuple[int, int], orientation: int, icc: bytes | None
) -> Picture:
    """What is left to do after decoding, on as few pixels as can be: cut, fit, flatten, convert, turn.

    `size` is (width, height) as displayed, `crop` a box of the picture as stored, whose full size is `stored`: the
    decoder may have reduced it.
    """
    width, height = reversed(size) if orientation >= 5 else size
    changes = ["rotated"] if orientation > 1 else []
    changes += decoded.changes
    pixels, whole = decoded.pixels, stored
    if crop:
        pixels = cut(pixels, crop, *stored)
        whole = (crop[2] - crop[0], crop[3] - crop[1])
        changes.append("cropped")
    if pixels.dtype != np.uint8:
        changes.append("depth_reduced")
    if (width, height) != whole:
        changes.append("resized")
    pixels = to_8_bits(fit_to(pixels, width, height, smooth=decoded.pixels.shape[1] < stored[0]))
    if decoded.premultiplied:
        pixels = on_white(pixels)
        changes.append("flattened")
    converted = to_srgb(pixels, icc) if icc else None
    if converted is not None:
        pixels = converted
        changes.append("colours_converted")
    elif pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = cmyk_to_rgb(pixels)
        changes.append("colours_converted")
    return Picture(np.ascontiguousarray(turn_upright(to_rgb(pixels), orientation)), tuple(changes))


def fit_to(pixels: Pixels, width: int, height: int, *, smooth: bool = False) -> Pixels:
    """Resizes to exactly `width` x `height`; deterministic. `smooth` says that a scaled decode has taken the finest detail out."""
    while pixels.shape[1] >= _HALVE * width and pixels.shape[0] >= _HALVE * height:
        pixels = _halve(pixels)
    if (pixels.shape[1], pixels.shape[0]) == (width, height):
        return pixels
    if pixels.shape[1] > (_STEP_SMOOTH if smooth else _STEP) * width:
        return _halve(cv2.resize(pixels, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC))
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)


def _halve(pixels: Pixels) -> Pixels:
    width, height = pixels.shape[1] // 2, pixels.shape[0] // 2
    return cv2.resize(pixels[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)


def to_8_bits(pixels: Pixels) -> Pixels:
    """uint16 at full range to uint8, rounded."""
    return pixels if pixels.dtype == np.uint8 else cv2.convertScaleAbs(pixels, alpha=1 / 257)


def to_rgb(pixels: Pixels) -> Pixels:
    """One grey channel to three; three stay as they are."""
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB) if pixels.ndim == 2 or pixels.shape[2] == 1 else pixels


def on_white(premultiplied: Pixels) -> Pixels:
    """Four channels, colour already multiplied by alpha, to three on a white ground; uint8."""
    alpha = cv2.bitwise_not(premultiplied[:, :, 3])
    return cv2.add(premultiplied[:, :, :3], cv2.merge([alpha, alpha, alpha]))


def turn_upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undoes an Exif orientation (1..8)."""
    match orientation:
        case 2:
            return cv2.flip(pixels, 1)
        case 3:
            return cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            return cv2.flip(pixels, 0)
        case 5:
            return cv2.transpose(pixels)
        case 6:
            return cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            return cv2.flip(cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE), 0)
        case 8:
            return cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return pixels


def as_stored(box: Box, width: int, height: int, orientation: int) -> Box:
    """A box of the upright picture in the coordinates of the stored one, whose size is `width` x `height`."""
    left, top, right, bottom = box
    if orientation >= 5:  # the axes change places
        left, top, right, bottom = top, left, bottom, right
    if orientation in {2, 3, 7, 8}:
        left, right = width - right, width - left
    if orientation in {3, 4, 6, 7}:
        top, bottom = height - bottom, height - top
    return left, top, right, bottom


def cut(pixels: Pixels, box: Box, width: int, height: int) -> Pixels:
    """The part of a picture under `box`, which is given for the picture at `width` x `height`; at least one pixel of it."""
    rows, columns = pixels.shape[:2]
    left, right = box[0] * columns // width, -(-box[2] * columns // width)
    top, bottom = box[1] * rows // height, -(-box[3] * rows // height)
    return np.ascontiguousarray(pixels[top : max(bottom, top + 1), left : max(right, left + 1)])


def cmyk_to_rgb(inverted: Pixels) -> Pixels:
    """Adobe's inverted CMYK (255 is no ink) to RGB without a profile; uint8."""
    black = inverted[:, :, 3]
    return cv2.merge([cv2.multiply(inverted[:, :, channel], black, scale=1 / 255) for channel in range(3)])


def to_srgb(pixels: Pixels, profile: bytes) -> Pixels | None:
    """uint8 RGB, grey, or inverted CMYK (4 channels) in the colours of an ICC profile to sRGB.

    None when the profile is sRGB already, is not for such pixels, or cannot be read: it is then as good as absent.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        image = Image.fromarray(cv2.bitwise_not(pixels), "CMYK") if pixels.ndim == 3 and pixels.shape[2] == 4 else Image.fromarray(pixels)
        target = ImageCms.ImageCmsProfile(cast("Any", ImageCms).createProfile("sRGB"))
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return np.asarray(cast("Image.Image", converted))
