"""What happens to a picture on its way: compression, blur, noise, a slightly turned camera, a scanner.

Every function takes (rng, picture [H, W, 3]) and gives a picture of the same size that a person still reads well. Turns are so
small that marks stay where they are.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Picture = NDArray[np.uint8]
_TILE = 512  # px: noise is cut from one tile, because drawing it anew costs more than the picture


@lru_cache(maxsize=1)
def _grain() -> NDArray[np.float32]:
    """Gaussian noise of standard deviation 1, [_TILE, _TILE]."""
    return np.random.default_rng(7).standard_normal((_TILE, _TILE), np.float32)


def _cut(rng: Random, height: int, width: int) -> NDArray[np.float32]:
    if height > _TILE or width > _TILE:
        return np.random.default_rng(rng.getrandbits(32)).standard_normal((height, width), np.float32)
    y, x = rng.randint(0, _TILE - height), rng.randint(0, _TILE - width)
    return _grain()[y : y + height, x : x + width]


def jpeg(rng: Random, picture: Picture) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=rng.randint(40, 92))
    return np.asarray(Image.open(buffer).convert("RGB"))


def blur(rng: Random, picture: Picture) -> Picture:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.75))))


def noise(rng: Random, picture: Picture) -> Picture:
    grain = _cut(rng, *picture.shape[:2])[..., None] * rng.uniform(2, 9)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def rotate(rng: Random, picture: Picture, most: float = 1.5) -> Picture:
    """Turned by up to `most` degrees about its middle; what comes into view has the colour of the top left corner."""
    corner = tuple(int(channel) for channel in picture[0, 0])
    turned = Image.fromarray(picture).rotate(rng.uniform(-most, most), Image.Resampling.BILINEAR, fillcolor=corner)
    return np.asarray(turned)


def scan(rng: Random, picture: Picture) -> Picture:
    """Grey, with light that falls off to one side, a little grain, and specks of dust."""
    height, width = picture.shape[:2]
    grey = np.asarray(Image.fromarray(picture).convert("L"), np.float32)
    slope = np.linspace(0, rng.uniform(0, 40), width if rng.random() < 0.5 else height, dtype=np.float32)
    slope = slope[::-1] if rng.random() < 0.5 else slope
    light = slope[None, :] if len(slope) == width and (width != height or rng.random() < 0.5) else slope[:, None]
    out = grey * rng.uniform(0.85, 1.0) - light + _cut(rng, height, width) * rng.uniform(1, 6) + rng.uniform(0, 12)
    for _ in range(rng.randint(0, 5)):
        out[rng.randrange(height), rng.randrange(width)] = rng.choice((40, 90, 140))
    return np.repeat(np.clip(out, 0, 255).astype(np.uint8)[..., None], 3, 2)


ALL: tuple[Callable[[Random, Picture], Picture], ...] = (jpeg, blur, noise, rotate, scan)

WORN_SHARE = 0.2


def worn(rng: Random, picture: Picture) -> Picture:
    """Now and then as a picture comes after a way through mail or a camera; with its colours, because questions are about them."""
    return rng.choice((jpeg, blur, noise, rotate))(rng, picture) if rng.random() < WORN_SHARE else picture


def degrade(rng: Random, picture: Picture, share: float = 0.4) -> Picture:
    """The picture as it was, or, with the chance `share`, as one or two of these leave it."""
    if rng.random() >= share:
        return picture
    for change in rng.sample(ALL, rng.choice((1, 1, 2))):
        picture = change(rng, picture)
    return picture
