"""Fonts, colours and shapes shared by all scenes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FONT_ROOT = Path("/usr/share/fonts")
LATIN_FONTS = (
    "truetype/dejavu/DejaVuSans.ttf",
    "truetype/dejavu/DejaVuSans-Bold.ttf",
    "truetype/dejavu/DejaVuSansCondensed.ttf",
    "truetype/dejavu/DejaVuSansMono.ttf",
    "truetype/dejavu/DejaVuSerif.ttf",
    "truetype/liberation/LiberationSans-Regular.ttf",
    "truetype/liberation/LiberationSans-Bold.ttf",
    "truetype/liberation/LiberationSerif-Regular.ttf",
    "truetype/liberation/LiberationMono-Regular.ttf",
    "opentype/noto/NotoSansCJK-Regular.ttc",
)
CJK_FONTS = (
    "opentype/noto/NotoSansCJK-Regular.ttc",
    "opentype/noto/NotoSansCJK-Bold.ttc",
    "opentype/noto/NotoSerifCJK-Regular.ttc",
)
# Never used in training: what is measured with them was not learnt by heart. Debian packages: fonts-lato, fonts-open-sans,
# fonts-roboto-unhinted, fonts-wqy-microhei.
HELD_OUT_FONTS = (
    "truetype/lato/Lato-Regular.ttf",
    "truetype/lato/Lato-Bold.ttf",
    "truetype/open-sans/OpenSans-Regular.ttf",
    "truetype/open-sans/OpenSans-Semibold.ttf",
    "truetype/roboto/unhinted/RobotoTTF/Roboto-Regular.ttf",
    "truetype/roboto/unhinted/RobotoTTF/Roboto-Medium.ttf",
)
HELD_OUT_CJK_FONTS = ("truetype/wqy/wqy-microhei.ttc", "opentype/noto/NotoSerifCJK-Bold.ttc")
SMOOTH_SHARE = 0.4  # of pictures: drawn larger and scaled down, as a large picture that a person sends is
SC_FACE = 2  # the Simplified Chinese face inside the Noto CJK collections

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Named:
    """A thing with an English and a Chinese name."""

    en: str
    zh: str


COLOURS: tuple[tuple[Named, Colour], ...] = (
    (Named("red", "红色"), (216, 38, 38)),
    (Named("blue", "蓝色"), (36, 90, 214)),
    (Named("green", "绿色"), (36, 150, 60)),
    (Named("yellow", "黄色"), (244, 208, 20)),
    (Named("orange", "橙色"), (248, 132, 16)),
    (Named("purple", "紫色"), (136, 56, 180)),
    (Named("black", "黑色"), (24, 24, 24)),
    (Named("gray", "灰色"), (140, 140, 140)),
)
# The same names, other values: outside of what `shade` makes of the above, and still what people call so.
HELD_OUT_COLOURS: tuple[Colour, ...] = (
    (176, 18, 30),
    (74, 128, 240),
    (88, 178, 92),
    (252, 226, 74),
    (232, 108, 34),
    (158, 96, 208),
    (52, 52, 52),
    (164, 164, 164),
)
SHAPES: tuple[Named, ...] = (
    Named("circle", "圆形"),
    Named("square", "方块"),
    Named("triangle", "三角形"),
    Named("star", "星形"),
    Named("diamond", "菱形"),
    Named("hexagon", "六边形"),
    Named("heart", "心形"),
    Named("cross", "十字"),
)
BACKGROUNDS: tuple[Colour, ...] = (
    (255, 255, 255),
    (255, 255, 255),
    (255, 255, 255),
    (247, 247, 247),
    (238, 242, 255),
    (255, 249, 236),
    (238, 250, 240),
)
INKS: tuple[Colour, ...] = ((0, 0, 0), (0, 0, 0), (34, 34, 34), (50, 50, 70), (70, 70, 70))
HELD_OUT_BACKGROUNDS: tuple[Colour, ...] = ((255, 255, 255), (252, 244, 250), (240, 240, 228), (232, 246, 250))
HELD_OUT_INKS: tuple[Colour, ...] = ((20, 20, 60), (60, 30, 30), (16, 56, 40))


@dataclass(frozen=True)
class Setting:
    """What a picture is drawn with: fonts below FONT_ROOT, colours in the order of COLOURS, papers and inks."""

    latin: tuple[str, ...]
    cjk: tuple[str, ...]
    colours: tuple[Colour, ...]
    backgrounds: tuple[Colour, ...]
    inks: tuple[Colour, ...]

    def font(self, rng: Random, size: int, cjk: bool = False) -> ImageFont.FreeTypeFont:
        return font(rng.choice(self.cjk if cjk else self.latin), size)


TRAINED = Setting(LATIN_FONTS, CJK_FONTS, tuple(value for _, value in COLOURS), BACKGROUNDS, INKS)
HELD_OUT = Setting(HELD_OUT_FONTS, HELD_OUT_CJK_FONTS, HELD_OUT_COLOURS, HELD_OUT_BACKGROUNDS, HELD_OUT_INKS)


def setting(held_out: bool) -> Setting:
    """Raises `FileNotFoundError`, naming the packages, where a font is missing that only measuring needs."""
    if held_out:
        check_fonts()
    return HELD_OUT if held_out else TRAINED


@lru_cache(maxsize=1)
def check_fonts() -> None:
    """See `setting`."""
    missing = [path for path in HELD_OUT_FONTS + HELD_OUT_CJK_FONTS if not (FONT_ROOT / path).is_file()]
    if missing:
        raise FileNotFoundError(
            f"fonts of the held-out pictures are missing below {FONT_ROOT}: {', '.join(missing)}; on Debian they are in "
            "fonts-lato, fonts-open-sans, fonts-roboto-unhinted, fonts-wqy-microhei and fonts-noto-cjk"
        )


@lru_cache(maxsize=512)
def font(path: str, size: int) -> ImageFont.FreeTypeFont:
    face = SC_FACE if "CJK" in path else 0
    return ImageFont.truetype(str(FONT_ROOT / path), size, index=face)


def pick_scale(rng: Random) -> int:
    """How much larger than its final size a picture is drawn."""
    return rng.choice((2, 3, 4)) if rng.random() < SMOOTH_SHARE else 1


def shrink(rng: Random, image: Image.Image, scale: int) -> NDArray[np.uint8]:
    """The picture [H, W, 3] at its final size."""
    if scale == 1:
        return np.asarray(image)
    how = rng.choice((Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR))
    if how == Image.Resampling.BOX:
        return np.asarray(image.reduce(scale))  # the same, faster
    # The gap lets a large picture be halved by averaging first: a third of the time, and nobody sees it.
    return np.asarray(image.resize((image.width // scale, image.height // scale), how, reducing_gap=2.0))


def pick_font(rng: Random, size: int, cjk: bool = False) -> ImageFont.FreeTypeFont:
    return font(rng.choice(CJK_FONTS if cjk else LATIN_FONTS), size)


def is_cjk(text: str) -> bool:
    return any(ord(char) > 0x2E80 for char in text)


@lru_cache(maxsize=65536)
def text_box(face: ImageFont.FreeTypeFont, text: str) -> tuple[int, int, int, int]:
    """Ink box (left, top, right, bottom) of `text` drawn at the origin."""
    left, top, right, bottom = face.getbbox(text)
    return int(left), int(top), math.ceil(right), math.ceil(bottom)


def shade(rng: Random, colour: Colour, spread: int = 16) -> Colour:
    """The colour, a little varied, so that a name is a region and not one value."""
    r, g, b = (max(0, min(255, c + rng.randint(-spread, spread))) for c in colour)
    return r, g, b


def _polygon(cx: float, cy: float, radius: float, count: int, turn: float, inner: float = 1.0) -> list[tuple[float, float]]:
    steps = count if inner == 1.0 else 2 * count
    points: list[tuple[float, float]] = []
    for step in range(steps):
        size = radius if inner == 1.0 or step % 2 == 0 else radius * inner
        angle = turn + 2 * math.pi * step / steps
        points.append((cx + size * math.sin(angle), cy - size * math.cos(angle)))
    return points


def draw_shape(d: ImageDraw.ImageDraw, kind: str, cx: float, cy: float, radius: float, fill: Colour, turn: float = 0.0) -> None:
    """One filled shape centred at (cx, cy) px; `radius` is half of its extent in px, `turn` in radians."""
    if kind == "circle":
        d.ellipse([cx - radius, cy - radius, cx + radius, cy + radius], fill=fill)
    elif kind == "square":
        half = radius * 0.86
        d.rectangle([cx - half, cy - half, cx + half, cy + half], fill=fill)
    elif kind == "triangle":
        d.polygon(_polygon(cx, cy + radius * 0.2, radius * 1.12, 3, turn), fill=fill)
    elif kind == "star":
        d.polygon(_polygon(cx, cy, radius * 1.1, 5, turn, 0.42), fill=fill)
    elif kind == "diamond":
        d.polygon([(cx, cy - radius * 1.1), (cx + radius * 0.8, cy), (cx, cy + radius * 1.1), (cx - radius * 0.8, cy)], fill=fill)
    elif kind == "hexagon":
        d.polygon(_polygon(cx, cy, radius * 1.05, 6, math.pi / 6 + turn), fill=fill)
    elif kind == "heart":
        lobe = radius * 0.54
        d.ellipse([cx - radius, cy - radius * 0.85, cx - radius + 2 * lobe, cy - radius * 0.85 + 2 * lobe], fill=fill)
        d.ellipse([cx + radius - 2 * lobe, cy - radius * 0.85, cx + radius, cy - radius * 0.85 + 2 * lobe], fill=fill)
        d.polygon([(cx - radius * 0.95, cy - radius * 0.1), (cx + radius * 0.95, cy - radius * 0.1), (cx, cy + radius * 0.95)], fill=fill)
    elif kind == "cross":
        arm = radius * 0.34
        d.rectangle([cx - arm, cy - radius, cx + arm, cy + radius], fill=fill)
        d.rectangle([cx - radius, cy - arm, cx + radius, cy + arm], fill=fill)
    else:
        raise ValueError(f"unknown shape {kind!r}")


def shape_extent(kind: str, cx: float, cy: float, radius: float, turn: float = 0.0) -> tuple[float, float, float, float]:
    """What `draw_shape` fills with the same arguments: left, top, right, bottom in px."""
    if kind == "square":
        return cx - 0.86 * radius, cy - 0.86 * radius, cx + 0.86 * radius, cy + 0.86 * radius
    if kind == "diamond":
        return cx - 0.8 * radius, cy - 1.1 * radius, cx + 0.8 * radius, cy + 1.1 * radius
    if kind == "heart":
        return cx - radius, cy - 0.85 * radius, cx + radius, cy + 0.95 * radius
    if kind in ("circle", "cross"):
        return cx - radius, cy - radius, cx + radius, cy + radius
    points = {
        "triangle": lambda: _polygon(cx, cy + radius * 0.2, radius * 1.12, 3, turn),
        "star": lambda: _polygon(cx, cy, radius * 1.1, 5, turn, 0.42),
        "hexagon": lambda: _polygon(cx, cy, radius * 1.05, 6, math.pi / 6 + turn),
    }[kind]()
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)
