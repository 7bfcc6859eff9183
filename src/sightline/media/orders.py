"""What the gate asks of a decoder process, and what comes back: the whole language between the two.

One order and one reply at a time over a socket, as JSON; what is read and what is written travel beside it as two anonymous
files in memory, so that no content is ever parsed as a message, and nothing is unpickled.

What a document or a video draws goes from the process that read it to another that encodes it: whoever takes over a decoder can
show a model other pixels, and hand no engine a file of its own making.
"""

from __future__ import annotations

import msgspec

from sightline.media.picture import Box
from sightline.media.refusals import Bound, Reason
from sightline.prompt import Encoding


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


class Drawn(msgspec.Struct, frozen=True):
    """One picture in the second file: (height, width, 3) uint8 RGB; pictures follow each other without gaps."""

    width: int
    height: int
    changes: tuple[str, ...] = ()
    page: int | None = None
    timestamp: float | None = None


class Finish(msgspec.Struct, frozen=True):
    """What is done with pixels: the encoding, the quality where it is lossy (1..100), and whether they are looked over.

    `natural` is (width, height) of the picture as it came, since one that was enlarged is judged as it was; None: it is not judged.
    """

    encoding: Encoding
    quality: int
    natural: tuple[int, int] | None = None


class EncodeStill(msgspec.Struct, frozen=True, tag=True):
    """Decode a still picture, or the part `crop` of it (upright pixels), to exactly `size`, and encode it into the second file."""

    form: str
    size: tuple[int, int]
    crop: Box | None
    finish: Finish
    limits: Limits


class EncodeDrawings(msgspec.Struct, frozen=True, tag=True):
    """Encode what another process has drawn, in the order in which it lies in the first file, into the second."""

    pictures: tuple[Drawn, ...]
    finish: Finish
    limits: Limits


Order = SurveyPages | SurveyClip | RenderPages | SampleClip | EncodeStill | EncodeDrawings


class PagesFound(msgspec.Struct, frozen=True, tag=True):
    """(width, height) of every page."""

    sizes: tuple[tuple[int, int], ...]
    animated: bool = False


class ClipFound(msgspec.Struct, frozen=True, tag=True):
    """A video's size as displayed (pixels) and length (s)."""

    width: int
    height: int
    seconds: float


class Drawings(msgspec.Struct, frozen=True, tag=True):
    """What was drawn, in order."""

    pictures: tuple[Drawn, ...]


class Written(msgspec.Struct, frozen=True):
    """One encoded picture in the second file: its `size` (bytes) there, the rest as in `picture.Encoded`."""

    size: int
    width: int
    height: int
    found: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    page: int | None = None
    timestamp: float | None = None


class Writings(msgspec.Struct, frozen=True, tag=True):
    """What was encoded, in order."""

    pictures: tuple[Written, ...]


class WasBroken(msgspec.Struct, frozen=True, tag=True):
    """`refusals.Broken`, carried over."""

    reason: Reason
    cause: str | None = None


class WasOver(msgspec.Struct, frozen=True, tag=True):
    """`refusals.Over`, carried over."""

    bound: Bound
    actual: float
    limit: float


Reply = PagesFound | ClipFound | Drawings | Writings | WasBroken | WasOver
