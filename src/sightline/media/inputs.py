"""One input between `probe` and `load`: its bytes, what its header told, and its price. Implements the port `Probed`."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace

from sightline.media.budget import ByteBudget
from sightline.media.headers import Still
from sightline.media.refusals import Over
from sightline.media.sniff import Format
from sightline.prompt import View
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Kind, Notice
from sightline.service.vision import MOST_ASPECT, visual_tokens


@dataclass(frozen=True, slots=True)
class Pages:
    """The header of a document: (width, height) of every page in pixels at the gate's own resolution."""

    sizes: tuple[tuple[int, int], ...]
    animated: bool = False
    """There are more pictures, which are left out."""


@dataclass(frozen=True, slots=True)
class Clip:
    """The header of a video. Sizes are pixels as displayed.

    Of its `seconds`, the first `used` are looked at, `frames` times, every `spacing` seconds.
    """

    width: int
    height: int
    seconds: float
    used: float
    spacing: float
    frames: int
    pictures: int
    """How many whole pictures' pixels all frames may take together."""

    def shown(self, view: View) -> Clip:
        """The clip as a view shows it: looked at less often where the view takes fewer frames."""
        if view.most_frames is None or self.frames <= view.most_frames:
            return self
        return replace(self, frames=view.most_frames, spacing=self.used / view.most_frames)


Header = Still | Pages | Clip


class Input:
    """An input whose headers were read. Its bytes count against the process's budget until it is collected."""

    __slots__ = ("__weakref__", "data", "form", "header", "index", "kind", "notices", "probe_ms", "sha256")

    def __init__(self, index: int, data: bytes, sha256: str, form: Format, kind: Kind, header: Header, probe_ms: float) -> None:
        self.index = index
        self.data = data
        self.sha256 = sha256
        self.form = form
        self.kind: Kind = kind
        self.header = header
        self.probe_ms = probe_ms
        self.notices = tuple(_notices(index, header))

    def keep(self, budget: ByteBudget, count: int) -> None:
        """Gives `count` bytes back to the budget as soon as nobody holds this input any more."""
        weakref.finalize(self, budget.give, count).atexit = False

    @property
    def format(self) -> str:
        return self.form.name

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(width, height) as displayed of every frame that showing all of it takes."""
        match self.header:
            case Still():
                return (self.header.shown,)
            case Pages():
                return self.header.sizes
            case Clip():
                return ((self.header.width, self.header.height),) * self.header.frames

    @property
    def width(self) -> int:
        return max(self.sizes, key=_area)[0]

    @property
    def height(self) -> int:
        return max(self.sizes, key=_area)[1]

    @property
    def pages(self) -> int:
        return len(self.header.sizes) if isinstance(self.header, Pages) else 1

    @property
    def seconds(self) -> float | None:
        return self.header.used if isinstance(self.header, Clip) else None

    def look(self, view: View) -> View:
        """The view for one frame: a video's many frames share the pixels of a few pictures."""
        if not isinstance(self.header, Clip):
            return view
        clip = self.header.shown(view)
        share = view.max_pixels * clip.pictures // clip.frames
        most = min(view.max_pixels, share, view.most_frame_pixels or share)
        return replace(view, max_pixels=max(view.min_pixels, most))

    def visual_tokens(self, view: View) -> int:
        """What showing all of it costs; repetitions among a video's frames may make it cheaper, never dearer."""
        sizes = self.sizes[: self.header.shown(view).frames] if isinstance(self.header, Clip) else self.sizes
        return sum(visual_tokens(width, height, self.look(view)) for width, height in sizes)


def check_sizes(header: Header, most_pixels: int) -> None:
    """Bounds every picture of an input before any is decoded. Raises `Over`."""
    sizes = (
        (header.shown,) if isinstance(header, Still) else header.sizes if isinstance(header, Pages) else ((header.width, header.height),)
    )
    for width, height in sizes:
        if width * height > most_pixels:
            raise Over("pixels", width * height, most_pixels)
        aspect = max(width, height) / min(width, height)
        if aspect > MOST_ASPECT:
            raise Over("aspect", aspect, MOST_ASPECT)


_FIRST_FRAME = Bilingual("文件中有多帧画面，只使用了第一帧。", "There are several frames in it; only the first was used.")
_SEND_VIDEO = Bilingual("如需理解全部内容，请转换为 MP4 后发送。", "Convert it to MP4 to have all of it looked at.")
_CLIPPED = Bilingual("视频长 {seconds} 秒，只使用了前 {used} 秒。", "The video is {seconds} s long; only its first {used} s were used.")
_CUT_IT = Bilingual("如需其余部分，请分段发送。", "Send the rest in pieces of its own.")


def _notices(index: int, header: Header) -> list[Notice]:
    if not isinstance(header, Clip) and header.animated:
        return [Notice("first_frame", _FIRST_FRAME, _SEND_VIDEO, input=index)]
    if isinstance(header, Clip) and header.used < header.seconds:
        sentence = _CLIPPED.fill(seconds=f"{header.seconds:.1f}", used=f"{header.used:g}")
        return [Notice("video_clipped", sentence, _CUT_IT, code=1002, input=index)]
    return []


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]
