"""The rarer still formats, read by Pillow; also the pages of a TIFF."""

from __future__ import annotations

import io
import struct
from collections.abc import Generator
from contextlib import contextmanager

import cv2
import numpy as np
from PIL import Image

from sightline.media.pixels import Decoded
from sightline.media.refusals import Broken

_16_BITS = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})


def read_with_pillow(name: str, data: bytes, size: tuple[int, int]) -> Decoded:
    """The picture (the first, when there are many), whose header told `size`. Raises `Broken`."""
    with opened(name, data) as image:
        if image.size != size:
            raise Broken("header")
        return read_pixels(image)


@contextmanager
def opened(name: str, data: bytes) -> Generator[Image.Image]:
    """Opens content as exactly this one of Pillow's formats, and puts everything Pillow may raise into our words."""
    try:
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            yield image
    except (Image.UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Broken("header", type(error).__name__) from None
    except (OSError, ValueError, TypeError, SyntaxError, EOFError, RuntimeError, LookupError, struct.error, OverflowError) as error:
        raise Broken("truncated" if "truncated" in str(error) else "pixels", type(error).__name__) from None


def read_pixels(image: Image.Image) -> Decoded:
    """The pixels of an opened picture, in the least of the shapes that `finish` takes."""
    image.load()
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        return Decoded(np.asarray(image.convert("RGBA").convert("RGBa")), premultiplied=True)
    if image.mode == "CMYK":
        return Decoded(cv2.bitwise_not(np.asarray(image)))
    if image.mode in _16_BITS:
        return Decoded(np.asarray(image).astype(np.uint16, copy=False))
    if image.mode in {"I", "F"}:
        raise Broken("variant")  # no scale is told, so no grey can be said to be right
    return Decoded(np.asarray(image if image.mode in {"L", "RGB"} else image.convert("RGB")))
