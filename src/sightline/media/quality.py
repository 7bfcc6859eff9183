"""What a person should know about a picture before they trust an answer about it: never a refusal, always advice.

Measured on the pixels that the model sees, and on few of them: a thumbnail for light, the sharpest tiles for blur, the
liveliest for the size of text, the calmest for noise. About 4 ms a megapixel.

Thresholds are set on some kinds of degradation (Gaussian blur and noise, gain) and tested on others (motion blur,
defocus, shot noise, gamma, haze); see tests/unit/media/test_quality.py. Blur is judged by the width of edges, as Marziliano's
measure does (ICIP 2002); noise is Immerkaer's (CVIU 64, 1996).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from sightline.media.picture import Pixels
from sightline.media.pixels import fit_to

_TILE = 64
_TILES = 16
_LEAST = 4 * _TILE * _TILE
"""Pixels below which only light is judged."""
_THUMBNAIL = 192
"""Longest side (pixels)."""

_SHARP = 0.59
_SHARP_DRAWN = 0.71
_DRAWN = 0.02
"""Noise below this is of something drawn or rendered; edges there are sharper than a lens makes them."""
_WINDOW = 9
_EDGE = 24.0
_EDGE_OVER_NOISE = 5.0
"""Levels of luminance, and multiples of the noise, that an edge changes by within the window of so many pixels."""
_EDGES = 16
"""Places with edges without which a tile is not judged."""
_NOISE = 8.0
_DARK = 104.0
_BRIGHT = 100.0
_BURNT = 0.15
_VEILED = 130.0
_CONTRAST = 70.0
_MARKED = 0.0005
_UNEVEN = 0.02
_PAPER = 240
_SPARSE = 0.25
_SHADES = 24
_COLOUR = 24.0
_TEXT_PIXELS = 7.0
_LETTERS = 100
_ROUND = 5.0
"""Pixels of the thumbnail that a burnt-out spot has for each one along its edge; slivers of sky have fewer."""


@dataclass(frozen=True, slots=True)
class Report:
    """Measurements of one picture, and the types of warnings they give. Luminance is 0..255, shares are 0..1."""

    sharpness: float
    """Of its sharpest parts: the share of an edge that the steepest step from pixel to pixel takes, 1 where one step is all of it."""
    noise: float
    """Standard deviation of luminance that its calmest parts show."""
    darkest: float
    """Luminance that 0.5 % of the pixels do not exceed."""
    brightest: float
    """Luminance that 1 % of the pixels exceed."""
    burnt: float
    """Share of white pixels."""
    marked: float
    """Share of pixels that stand out clearly from the ground."""
    uneven: float
    """Share of pixels that differ from the ground at all."""
    pale: bool
    """Whether it is a drawing on white paper in tones of its own, such as pencil or pastel: nothing in it was burnt out."""
    glare: float
    """Share of the largest white area that its surroundings rise to softly."""
    text: float | None
    """Median height (pixels) of what looks like letters; None when there are few."""

    @property
    def types(self) -> tuple[str, ...]:
        if self.marked < _MARKED and self.uneven < _UNEVEN:
            return ("near_blank",)
        found: list[str] = []
        if self.brightest < _DARK:
            found.append("underexposed")
        elif not self.pale and ((self.darkest > _BRIGHT and self.burnt > _BURNT) or (self.darkest > _VEILED and self.brightest >= 250)):
            found.append("overexposed")
        elif self.brightest - self.darkest < _CONTRAST:
            found.append("low_contrast")
        if self.noise > _NOISE:
            found.append("noisy")
        elif self.sharpness < (_SHARP_DRAWN if self.noise < _DRAWN else _SHARP):
            found.append("blurry")
        if self.glare > 0 and "overexposed" not in found:
            found.append("glare")
        if self.text is not None and self.text < _TEXT_PIXELS and self.noise <= _NOISE:
            found.append("tiny_text")
        return tuple(found)


def inspect(pixels: Pixels) -> Report:
    """Measures an RGB picture, (height, width, 3) uint8."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    sample = np.ascontiguousarray(grey[::2])
    shares = cv2.calcHist([sample], [0], None, [256], [0, 256]).ravel() / sample.size
    below = np.cumsum(shares)
    darkest, ground, brightest = (int(np.searchsorted(below, share)) for share in (0.005, 0.5, 0.99))
    light = Report(
        sharpness=1.0,
        noise=0.0,
        darkest=darkest,
        brightest=brightest,
        burnt=float(shares[250:].sum()),
        marked=_beyond(shares, ground, 40),
        uneven=_beyond(shares, ground, 8),
        pale=darkest > _BRIGHT and ground >= _PAPER and _is_pale(pixels[::4, ::4], grey[::4, ::4], shares[: ground - 8], darkest),
        glare=0.0,
        text=None,
    )
    if grey.size < _LEAST:  # an icon says nothing of focus: only whether there is something on it
        return light
    sharp, lively, calm = _tiles(grey)
    noise = _noise(calm)
    return replace(light, sharpness=_sharpness(sharp, noise), noise=noise, glare=_glare(grey), text=_text_height(lively))


def _beyond(shares: Pixels, ground: int, distance: int) -> float:
    return float(shares[: max(0, ground - distance)].sum() + shares[ground + distance + 1 :].sum())


def _is_pale(pixels: Pixels, grey: Pixels, marks: Pixels, darkest: int) -> bool:
    """Whether what little there is on white paper is of many shades or coloured: what a burnt-out page leaves of its print is neither.

    `marks` are the shares of the levels below the paper's.
    """
    drawn = float(marks.sum())
    if not 0 < drawn < _SPARSE:
        return False
    shades = 1 + int(np.searchsorted(np.cumsum(np.sort(marks)[::-1]), drawn / 2))
    strongest = pixels[grey <= darkest + 16]
    coloured = strongest.size > 0 and float(np.ptp(strongest, axis=1).mean()) > _COLOUR
    return shades >= _SHADES or coloured


def _tiles(grey: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """The tiles with the finest detail, with the most and with the least going on in them, each (tiles, height, width).

    The finest, since one flower in focus before a soft ground is a sharp photograph.
    """
    tile = min(_TILE, *grey.shape)
    rows, columns = grey.shape[0] // tile, grey.shape[1] // tile
    whole = grey[: rows * tile, : columns * tile]
    tiles = whole.reshape(rows, tile, columns, tile).swapaxes(1, 2).reshape(-1, tile, tile)
    if tile % 8:  # a strip too narrow to be judged in parts
        return tiles[:_TILES], tiles[:_TILES], tiles[:_TILES]
    sample = whole[::4, ::4].astype(np.float32).reshape(rows, tile // 4, columns, tile // 4)
    order = np.argsort(sample.std(axis=(1, 3)).ravel(), kind="stable")
    lines = whole[::8]
    steps = np.square(cv2.absdiff(lines, whole[1::8]), dtype=np.float32)
    steps[:, 1:] += np.square(cv2.absdiff(lines[:, 1:], lines[:, :-1]), dtype=np.float32)
    fine = np.argsort(steps.reshape(rows, tile // 8, columns, tile).sum(axis=(1, 3)).ravel(), kind="stable")
    return tiles[fine[::-1][:_TILES]], tiles[order[::-1][:_TILES]], tiles[order[:_TILES]]


def _sharpness(tiles: Pixels, noise: float) -> float:
    """How steep the steepest edges are, in the direction in which they are softest: motion leaves those along it sharp.

    An edge is what changes by more than noise within nine pixels; its steepness, the share of that which one step takes.
    """
    floor = max(_EDGE, _EDGE_OVER_NOISE * noise)
    found: list[Pixels] = []
    for turned in (tiles, tiles.swapaxes(1, 2)):
        lines = np.ascontiguousarray(turned).reshape(-1, turned.shape[2])
        if lines.shape[1] <= _WINDOW:
            return 1.0
        steps = cv2.dilate(cv2.absdiff(lines[:, 1:], lines[:, :-1]), np.ones((1, _WINDOW - 1), np.uint8))
        change = cv2.subtract(cv2.dilate(lines, np.ones((1, _WINDOW), np.uint8)), cv2.erode(lines, np.ones((1, _WINDOW), np.uint8)))
        margin, width = _WINDOW // 2, lines.shape[1] - _WINDOW + 1
        change, steps = change[:, margin : margin + width], steps[:, margin : margin + width]
        share = cv2.divide(steps, change, scale=255)
        share[change < floor] = 0
        ordered = np.sort(share.reshape(len(tiles), -1), axis=1)
        edges = np.count_nonzero(ordered, axis=1)
        steepest = ordered[np.arange(len(tiles)), ordered.shape[1] - 1 - edges // 20]
        found.append(np.where(edges >= _EDGES, steepest / 255, np.nan))
    softest = np.fmin(*found)
    softest = softest[~np.isnan(softest)]
    # A picture without edges, such as a gradient, says nothing of focus.
    return float(np.percentile(softest, 85)) if softest.size >= 2 else 1.0


_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def _noise(tiles: Pixels) -> float:
    """The median over the calmest tiles of the deviation that no smooth surface explains."""
    if min(tiles.shape[1:]) < 3:
        return 0.0
    strip = np.ascontiguousarray(tiles).reshape(-1, tiles.shape[2])
    strange = cv2.filter2D(strip, cv2.CV_32F, _IMMERKAER).reshape(tiles.shape)[:, 1:-1, 1:-1]
    return float(np.median(np.abs(strange).mean(axis=(1, 2))) * np.sqrt(np.pi / 2) / 6)


def _glare(grey: Pixels) -> float:
    """The share of the largest white area that light falls off from: the edges of paper and windows do not go on falling."""
    shrink = max(1.0, max(grey.shape) / _THUMBNAIL)
    size = max(1, round(grey.shape[1] / shrink)), max(1, round(grey.shape[0] / shrink))
    small = fit_to(grey, *size)
    small = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))  # without thin dark marks such as letters
    white = cv2.threshold(small, 247, 255, cv2.THRESH_BINARY)[1]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(white)
    if count < 2:
        return 0.0
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    share = float(stats[largest, cv2.CC_STAT_AREA]) / small.size
    if not 0.004 <= share <= 0.7:
        return 0.0
    area = (labels == largest).astype(np.uint8)
    grown = [cv2.dilate(area, np.ones((side, side), np.uint8)) for side in (3, 7, 11, 17)]
    if cv2.countNonZero(area) < _ROUND * cv2.countNonZero(grown[0] - area):
        return 0.0
    rings = [small[(outer - inner) > 0] for inner, outer in pairwise(grown)]
    near, middle, far = (float(np.median(ring)) if ring.size else 255.0 for ring in rings)
    # It shines on whatever lies around it; of a bright sky, a part ends at something dark.
    around = float(np.percentile(rings[0], 25)) if rings[0].size else 255.0
    return share if near > 200 and around > 170 and near - middle > 2 and middle - far > 3 else 0.0


def _text_height(tiles: Pixels) -> float | None:
    """Letters are small marks on an even ground; textures and noise have no ground."""
    height = tiles.shape[1] + 2
    even = 0
    sheet = np.zeros((height * len(tiles), tiles.shape[2] + 2), np.uint8)
    for number, tile in enumerate(list[Pixels](tiles)):
        ground = np.full_like(tile, int(np.median(tile[::2, ::2])))
        ink = cv2.absdiff(tile, ground)
        if cv2.countNonZero(cv2.threshold(ink, 8, 1, cv2.THRESH_BINARY_INV)[1]) < 0.5 * tile.size:
            continue
        even += 1
        _, marks = cv2.threshold(ink, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        sheet[number * height + 1 : number * height + 1 + tile.shape[0], 1 : 1 + tile.shape[1]] = marks
    count, _, stats, _ = cv2.connectedComponentsWithStats(sheet, connectivity=8)
    if count <= _LETTERS or even < 0.75 * len(tiles):
        return None
    tall, wide = stats[1:, cv2.CC_STAT_HEIGHT], stats[1:, cv2.CC_STAT_WIDTH]
    letters = tall[(tall >= 3) & (tall <= 40) & (wide <= 4 * tall)]
    return float(np.median(letters)) if letters.size >= _LETTERS else None
