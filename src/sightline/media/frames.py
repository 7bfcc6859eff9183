"""Pixels to `Frame`: how they are handed to an engine, and their name."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import simplejpeg  # pyright: ignore[reportMissingTypeStubs]  # it ships none

from sightline.media.picture import Picture
from sightline.prompt import Encoding, Frame, View


def frame(picture: Picture, view: View, jpeg_quality: int) -> Frame:
    """Encodes one fitted picture as the view asks. Its digest is a SHA-256 of size and pixels, so that nobody can forge one."""
    height, width = picture.pixels.shape[:2]
    name = hashlib.sha256(b"%dx%d" % (width, height))
    name.update(picture.pixels.data)
    return Frame(
        data=_encode(picture, view.encoding, jpeg_quality),
        mime=_MIME[view.encoding],
        width=width,
        height=height,
        visual_tokens=(width // view.grid) * (height // view.grid),
        digest=name.hexdigest(),
        timestamp=picture.timestamp,
        page=picture.page,
    )


_MIME: dict[Encoding, str] = {"bmp": "image/bmp", "ppm": "image/x-portable-pixmap", "jpeg": "image/jpeg", "png": "image/png"}


def _encode(picture: Picture, encoding: Encoding, jpeg_quality: int) -> bytes:
    pixels = picture.pixels
    match encoding:
        case "ppm":
            return b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes()
        case "jpeg":
            return simplejpeg.encode_jpeg(pixels, quality=jpeg_quality, colorspace="RGB", colorsubsampling="444")
        case "bmp" | "png":
            options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if encoding == "png" else []
            _, encoded = cv2.imencode(f".{encoding}", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
            return np.asarray(encoded).tobytes()
