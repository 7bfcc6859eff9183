"""What the gate asks of a decoder process, and what comes back: the whole language between the two.

One order and one reply at a time over a socket, as JSON; the input and the pixels travel beside it as two anonymous
files in memory, so that no content is ever parsed as a message, and nothing is unpickled.
"""

from __future__ import annotations

import msgspec

from sightline.media.refusals import Bound, Reason


class Limits(msgspec.Struct, frozen=True):
    """The bounds that hold inside a decoder as well: `pixels` of one picture, `pages`, `cpu_seconds` for the order."""

    pixels: int
    pages: int
    cpu_seconds: int


class SurveyPages(msgspec.Struct, frozen=True, tag=True):
    """Read a document's header. `dpi` is the resolution at which the sizes of pages without pixels are told."""

    form: str
    dpi: int
    limits: Limits


class SurveyClip(msgspec.Struct, frozen=True, tag=True):
    """Read a video's header."""

    form: str
    limits: Limits


class Wanted(msgspec.Struct, frozen=True):
    """One page (1-based), the size (pixels) it is wanted at, and the part of it: left, top, right, bottom in 0..1."""

    page: int
    width: int
    height: int
    part: tuple[float, float, float, float] | None = None


class RenderPages(msgspec.Struct, frozen=True, tag=True):
    """Draw pages into the second file, one after the other."""

    form: str
    pages: tuple[Wanted, ...]
    limits: Limits


class SampleClip(msgspec.Struct, frozen=True, tag=True):
    """Take at most `frames` frames of the first `used` seconds, one every `spacing`, at a size in pixels, into the second file."""

    form: str
    width: int
    height: int
    used: float
    spacing: float
    frames: int
    threads: int
    limits: Limits


Order = SurveyPages | SurveyClip | RenderPages | SampleClip


class PagesFound(msgspec.Struct, frozen=True, tag=True):
    """(width, height) of every page."""

    sizes: tuple[tuple[int, int], ...]
    animated: bool = False


class ClipFound(msgspec.Struct, frozen=True, tag=True):
    """A video's size as displayed (pixels) and length (s)."""

    width: int
    height: int
    seconds: float


class Drawn(msgspec.Struct, frozen=True):
    """One picture in the second file: (height, width, 3) uint8 RGB; pictures follow each other without gaps."""

    width: int
    height: int
    changes: tuple[str, ...] = ()
    page: int | None = None
    timestamp: float | None = None


class Drawings(msgspec.Struct, frozen=True, tag=True):
    """What was drawn, in order."""

    pictures: tuple[Drawn, ...]


class WasBroken(msgspec.Struct, frozen=True, tag=True):
    """`refusals.Broken`, carried over."""

    reason: Reason
    cause: str | None = None


class WasOver(msgspec.Struct, frozen=True, tag=True):
    """`refusals.Over`, carried over."""

    bound: Bound
    actual: float
    limit: float


Reply = PagesFound | ClipFound | Drawings | WasBroken | WasOver
