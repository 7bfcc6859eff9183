"""Pictures made from nothing: clean ones of many kinds, and ways in which people's pictures go wrong. All seeded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Array = NDArray[Any]
WORDS = ("invoice", "total", "amount", "date", "number", "quantity", "price", "the", "of", "and", "report", "market", "2024", "17.50")


def _text(draw: ImageDraw.ImageDraw, rng: np.random.Generator, box: tuple[int, int, int, int], size: int, fill: Any) -> None:
    font = ImageFont.load_default(size)
    y = box[1]
    while y + size < box[3]:
        line = ""
        while draw.textlength(line, font) < (box[2] - box[0]) * rng.uniform(0.7, 0.95):
            line += str(rng.choice(WORDS)) + " "
        draw.text((box[0], y), line, fill=fill, font=font)
        y += int(size * 1.5)


def page(seed: int, width: int = 960, height: int = 1280) -> Array:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), (255, 255, 255) if seed % 2 else (247, 245, 238))
    draw = ImageDraw.Draw(image)
    _text(draw, rng, (80, 90, width - 80, 150), 40, (10, 10, 10))
    _text(draw, rng, (80, 200, width - 80, height - int(rng.integers(80, 500))), int(rng.integers(18, 28)), (30, 30, 30))
    return np.asarray(image)


def chart(seed: int, width: int = 1024, height: int = 768) -> Array:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    _text(draw, rng, (100, 20, width - 100, 70), 30, (40, 40, 40))
    draw.line((100, 100, 100, height - 100, width - 60, height - 100), fill=(60, 60, 60), width=2)
    for bar in range(8):
        left = 130 + bar * 105
        top = int(rng.integers(130, height - 200))
        draw.rectangle((left, top, left + 60, height - 101), fill=tuple(int(v) for v in rng.integers(40, 220, 3)))
        draw.text((left, height - 90), f"Q{bar}", fill=(40, 40, 40), font=ImageFont.load_default(22))
    return np.asarray(image)


def screen(seed: int, width: int = 1280, height: int = 800) -> Array:
    rng = np.random.default_rng(seed)
    dark = seed % 2 == 0
    image = Image.new("RGB", (width, height), (24, 26, 30) if dark else (250, 250, 252))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 240, height), fill=(36, 40, 48) if dark else (232, 235, 240))
    _text(draw, rng, (20, 60, 220, height - 100), 20, (210, 215, 220) if dark else (50, 55, 60))
    _text(draw, rng, (280, 60, width - 40, height - 60), 22, (235, 235, 235) if dark else (25, 25, 30))
    draw.rectangle((300, height - 50, 420, height - 15), fill=(40, 110, 220))
    return np.asarray(image)


def photo(seed: int, width: int = 1024, height: int = 768) -> Array:
    """A scene with the spectrum of natural pictures (1/f), light from one side, and things with sharp edges in it."""
    rng = np.random.default_rng(seed)
    spectrum = rng.normal(size=(height, width)) + 1j * rng.normal(size=(height, width))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    frequency[0, 0] = 1
    layers = [np.fft.ifft2(spectrum / frequency ** rng.uniform(1.0, 1.25)).real for _ in range(1)]
    base = cv2.normalize(layers[0], None, 30, 215, cv2.NORM_MINMAX)
    colour = cv2.resize(rng.uniform(0.6, 1.3, (4, 5, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    scene = np.clip(base[..., None] * colour, 0, 250).astype(np.uint8)
    for _ in range(int(rng.integers(6, 14))):
        center = int(rng.integers(0, width)), int(rng.integers(0, height))
        tint = tuple(int(v) for v in rng.integers(15, 235, 3))
        if rng.random() < 0.5:
            cv2.circle(scene, center, int(rng.integers(20, 120)), tint, -1, cv2.LINE_AA)
        else:
            size = rng.integers(30, 200, 2)
            cv2.rectangle(scene, center, (center[0] + int(size[0]), center[1] + int(size[1])), tint, -1, cv2.LINE_AA)
    grain = rng.normal(0, 2.0, scene.shape)
    return np.clip(scene + grain, 0, 255).astype(np.uint8)


def pencil(seed: int, width: int = 960, height: int = 1280) -> Array:
    """A drawing in pencil on white paper: strokes of every pressure, none of them dark."""
    rng = np.random.default_rng(seed)
    paper = np.full((height, width), 255.0, np.float32)
    for _ in range(260):
        x, y = rng.uniform(0.1, 0.9, 2) * (width, height)
        turn, length = rng.uniform(0, np.pi), rng.uniform(30, 180)
        ends = [(int(x), int(y)), (int(x + length * np.cos(turn)), int(y + length * np.sin(turn)))]
        stroke = np.zeros_like(paper)
        cv2.line(stroke, ends[0], ends[1], 1.0, int(rng.integers(2, 5)), cv2.LINE_AA)
        paper -= stroke * rng.uniform(25, 115) * (0.75 + 0.25 * rng.random(paper.shape, np.float32))
    return np.repeat(np.clip(paper, 130, 255).astype(np.uint8)[..., None], 3, axis=2)


def pastel(seed: int, width: int = 960, height: int = 960) -> Array:
    """A drawing of outlines in pale colours on white."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 255, np.uint8)
    for _ in range(14):
        center = int(rng.uniform(0.15, 0.85) * width), int(rng.uniform(0.15, 0.85) * height)
        colour = np.array([255, 150, 150])[rng.permutation(3)] + rng.integers(0, 25, 3)
        cv2.circle(image, center, int(rng.integers(40, 130)), [int(part) for part in np.minimum(colour, 255)], 5, cv2.LINE_AA)
    return image


CLEAN: dict[str, Callable[[int], Array]] = {"page": page, "chart": chart, "screen": screen, "photo": photo}


def _float(image: Array) -> Array:
    return image.astype(np.float32)


def _bytes(image: Array) -> Array:
    return np.clip(image, 0, 255).astype(np.uint8)


def gaussian_blur(image: Array, seed: int) -> Array:
    return cv2.GaussianBlur(image, (0, 0), 3.0 + seed % 3)


def motion_blur(image: Array, seed: int) -> Array:
    length = 15 + 2 * (seed % 4)
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), 20 + 35 * (seed % 5), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def defocus(image: Array, seed: int) -> Array:
    radius = 5 + seed % 3
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    kernel = (x * x + y * y <= radius * radius).astype(np.float32)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def gaussian_noise(image: Array, seed: int) -> Array:
    return _bytes(image + np.random.default_rng(seed).normal(0, 22 + 4 * (seed % 3), image.shape))


def shot_noise(image: Array, seed: int) -> Array:
    photons = 9.0 + 3 * (seed % 3)
    dimmed = _float(image) * 0.8 + 10
    return _bytes(np.random.default_rng(seed).poisson(dimmed / 255 * photons) * 255 / photons)


def specks(image: Array, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    chosen = rng.random(image.shape[:2])
    worse = image.copy()
    worse[chosen < 0.04] = 0
    worse[chosen > 0.96] = 255
    return worse


def dim(image: Array, seed: int) -> Array:
    return _bytes(_float(image) * (0.22 + 0.03 * (seed % 3)))


def gamma_dark(image: Array, seed: int) -> Array:
    return _bytes(255 * 0.4 * (_float(image) / 255) ** 1.8)


def bright(image: Array, seed: int) -> Array:
    return _bytes(_float(image) * 1.3 + 120 + 10 * (seed % 3))


def gamma_bright(image: Array, seed: int) -> Array:
    return _bytes(300 * (0.18 + 0.82 * _float(image) / 255) ** 0.42)


def flat(image: Array, seed: int) -> Array:
    return _bytes(120 + (_float(image) - 128) * (0.12 + 0.02 * (seed % 3)))


def haze(image: Array, seed: int) -> Array:
    veil = 165 + 10 * (seed % 3)
    return _bytes(_float(image) * 0.16 + veil * 0.84)


def lamp(image: Array, seed: int) -> Array:
    """A soft round highlight."""
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    cx, cy = rng.uniform(0.25, 0.75) * width, rng.uniform(0.25, 0.75) * height
    radius = rng.uniform(0.12, 0.2) * width
    glow = 420 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius**2))
    return _bytes(0.75 * _float(image) + glow[..., None])


def streak(image: Array, seed: int) -> Array:
    """A long highlight, as of a tube light on glossy paper."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    across = (x - width * (0.35 + 0.1 * (seed % 3))) * np.cos(0.5) + (y - height / 2) * np.sin(0.5)
    glow = 380 * np.exp(-(across**2) / (2 * (0.07 * width) ** 2))
    return _bytes(0.75 * _float(image) + glow[..., None])


def tiny(image: Array, seed: int) -> Array:
    """Letters of about four pixels, as when a dense page is sent with few pixels."""
    small = cv2.resize(image, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    return np.tile(small, (3, 3, 1))


def faint(image: Array, seed: int) -> Array:
    """A blank page from a scanner: paper, a shadow at the edge, dust."""
    rng = np.random.default_rng(seed)
    paper = np.full_like(image, 250)
    paper[:, :6] = 235
    paper = _bytes(paper + rng.normal(0, 1.5, paper.shape))
    for _ in range(5):
        paper[int(rng.integers(0, paper.shape[0])), int(rng.integers(0, paper.shape[1]))] = 120
    return paper
