"""Files and pixels to what an engine takes: decoded, looked over, encoded.

For a person who waits this runs in a thread of the gateway, else in a process of its own; see loader.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import simplejpeg  # pyright: ignore[reportMissingTypeStubs]  # it ships none

from sightline.media.headers import Still
from sightline.media.orders import EncodeStill, Finish
from sightline.media.picture import Encoded, Picture, Pixels
from sightline.media.pixels import fit_to
from sightline.media.quality import inspect
from sightline.media.stills import decode_still
from sightline.prompt import Encoding


def encode_still(data: bytes, order: EncodeStill, header: Still) -> Encoded:
    """One picture from its file. Raises `Broken`."""
    return finish(decode_still(order.form, data, header, order.size, order.crop), order.finish)


def encode_all(pictures: Iterator[Picture], how: Finish) -> Iterator[Encoded]:
    """Pictures that were drawn elsewhere."""
    for picture in pictures:
        yield finish(picture, how)


def finish(picture: Picture, how: Finish) -> Encoded:
    """One picture that is fitted already."""
    height, width = picture.pixels.shape[:2]
    found = inspect(_unenlarged(picture.pixels, how.natural)).types if how.natural else ()
    data = _encode(picture.pixels, how.encoding, how.quality)
    return Encoded(data, width, height, found, picture.changes, picture.page, picture.timestamp)


def _unenlarged(pixels: Pixels, natural: tuple[int, int]) -> Pixels:
    """What was enlarged to reach the model's least size is judged as it came: enlarging is not blur."""
    height, width = pixels.shape[:2]
    if width <= natural[0] or height <= natural[1]:
        return pixels
    return fit_to(pixels, *natural)


_FINE_COLOUR = 1.5
"""Mean step of colour (of 255) from pixel to pixel above which halving its resolution would be seen."""


def _encode(pixels: Pixels, encoding: Encoding, quality: int) -> bytes:
    match encoding:
        case "ppm":
            return b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes()
        case "jpeg":
            sampling = "444" if _has_fine_colour(pixels) else "420"
            return simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB", colorsubsampling=sampling)
        case "bmp" | "png":
            options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if encoding == "png" else []
            _, encoded = cv2.imencode(f".{encoding}", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
            return np.asarray(encoded).tobytes()


def _has_fine_colour(pixels: Pixels) -> bool:
    """Pages and tables of black on white have none, and cost a third less without it."""
    rows = pixels[::8]
    steps = [cv2.absdiff(rows[:, 1:, channel], rows[:, :-1, channel]) for channel in range(3)]
    return cv2.mean(cv2.absdiff(steps[0], steps[2]))[0] + cv2.mean(cv2.absdiff(steps[0], steps[1]))[0] > _FINE_COLOUR
