"""From an `Input` to frames and a receipt: decode, fit, look over, encode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sightline.media.budget import ByteBudget
from sightline.media.frames import frame
from sightline.media.headers import Still
from sightline.media.inputs import Clip, Input, Pages
from sightline.media.orders import Limits, RenderPages, SampleClip, Wanted
from sightline.media.picture import Box, Picture, Pixels
from sightline.media.pixels import fit_to
from sightline.media.quality import inspect, notices
from sightline.media.refusals import Broken
from sightline.media.settings import MB, MediaSettings
from sightline.media.stills import decode_still, memory_needed
from sightline.media.workers import Errand, Workers
from sightline.prompt import Frame, View
from sightline.protocol.receipts import Notice, Receipt
from sightline.service.ports import Clock, Crop, Loaded
from sightline.service.vision import fit
from sightline.tasks.base import Lane

_VIDEO_THREADS = 2
"""Threads of the decoder of one video: frames of one video are all that a lane for videos has to do at a time."""
_BATCH_BYTES = 32 * MB
"""Pixels of pages that are drawn in one go."""


class Loader:
    """Decodes. Its method blocks and belongs in a thread."""

    def __init__(self, settings: MediaSettings, clock: Clock, workers: Workers, budget: ByteBudget) -> None:
        self._settings = settings
        self._clock = clock
        self._workers = workers
        self._budget = budget

    def load(self, probed: Input, view: View, lane: Lane, crop: Crop | None, pages: Sequence[int] | None, errand: Errand) -> Loaded:
        """Raises `Broken`, `Over`."""
        started = self._clock.now()
        view = probed.look(view)
        frames: list[Frame] = []
        changes: list[str] = []
        found: dict[str, list[int | None]] = {}
        for picture in self._pictures(probed, view, lane, crop, pages, errand):
            frames.append(frame(picture, view, self._settings.jpeg_quality))
            changes += picture.changes
            if probed.kind != "video":
                for kind in inspect(_unenlarged(picture.pixels, probed)).types:
                    found.setdefault(kind, []).append(picture.page if probed.kind == "document" else None)
        if isinstance(probed.header, Clip) and probed.header.used < probed.header.seconds:
            changes.insert(0, "clipped")
        told = (*probed.notices, *notices(probed.index, found))
        receipt = self._receipt(probed, frames, changes, told, 1000 * (self._clock.now() - started))
        return Loaded(probed.kind, tuple(frames), receipt, told)

    def _pictures(
        self, probed: Input, view: View, lane: Lane, crop: Crop | None, pages: Sequence[int] | None, errand: Errand
    ) -> Iterator[Picture]:
        match probed.header:
            case Still() as still:
                box = _clamp(crop, *still.shown)
                size = fit(*(_size(box) if box else still.shown), view)
                with self._budget.hold(memory_needed(probed.format, still)):
                    yield decode_still(probed.format, probed.data, still, size, box)
            case Pages() as document:
                yield from self._draw(probed, document, view, lane, crop, pages, errand)
            case Clip() as header:
                clip = header.shown(view)
                width, height = fit(clip.width, clip.height, view)
                order = SampleClip(probed.format, width, height, clip.used, clip.spacing, clip.frames, _VIDEO_THREADS, self._limits())
                room = width * height * 3 * clip.frames
                with self._budget.hold(room):
                    _, pictures = self._workers.carry_out(lane, order, probed.data, probed.sha256, room, errand)
                    yield from pictures

    def _draw(
        self, probed: Input, document: Pages, view: View, lane: Lane, crop: Crop | None, pages: Sequence[int] | None, errand: Errand
    ) -> Iterator[Picture]:
        """Pages a batch at a time, so that a long document is never in memory as pixels as a whole."""
        numbers = [page for page in (pages or range(1, len(document.sizes) + 1)) if 1 <= page <= len(document.sizes)]
        if not numbers:
            raise Broken("empty")
        deadline = self._clock.now() + errand.seconds
        batch: list[Wanted] = []
        room = 0
        for position, number in enumerate(numbers):
            wanted = _wanted(number, document.sizes[number - 1], view, crop)
            batch.append(wanted)
            room += wanted.width * wanted.height * 3
            if room < _BATCH_BYTES and position + 1 < len(numbers):
                continue
            errand.seconds = deadline - self._clock.now()
            order = RenderPages(probed.format, tuple(batch), self._limits())
            with self._budget.hold(room):
                _, pictures = self._workers.carry_out(lane, order, probed.data, probed.sha256, room, errand)
                yield from pictures
            batch, room = [], 0

    def _limits(self) -> Limits:
        return Limits(self._settings.most_pixels, self._settings.most_pages, cpu_seconds=2 + int(2 * self._settings.input_seconds))

    def _receipt(self, probed: Input, frames: Sequence[Frame], changes: Sequence[str], told: Sequence[Notice], ms: float) -> Receipt:
        largest = max(frames, key=lambda shown: shown.width * shown.height)
        header = probed.header
        original = (header.width, header.height) if isinstance(header, Still) else (probed.width, probed.height)
        return Receipt(
            index=probed.index,
            kind=probed.kind,
            format=probed.format,
            sha256=probed.sha256,
            bytes=len(probed.data),
            original_width=original[0],
            original_height=original[1],
            sent_width=largest.width,
            sent_height=largest.height,
            visual_tokens=sum(shown.visual_tokens for shown in frames),
            changes=tuple(dict.fromkeys(changes)),
            pages=tuple(shown.page for shown in frames if shown.page) if probed.kind == "document" else (),
            page_count=probed.pages if probed.kind == "document" else None,
            timestamps=tuple(shown.timestamp for shown in frames if shown.timestamp is not None),
            seconds=round(header.seconds, 3) if isinstance(header, Clip) else None,
            warnings=tuple(notice.type for notice in told),
            ms=round(probed.probe_ms + ms, 1),
        )


def _wanted(number: int, size: tuple[int, int], view: View, crop: Crop | None) -> Wanted:
    box = _clamp(crop, *size)
    width, height = fit(*(_size(box) if box else size), view)
    part = (box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1]) if box else None
    return Wanted(number, width, height, part)


def _unenlarged(pixels: Pixels, probed: Input) -> Pixels:
    """What was enlarged to reach the model's least size is judged as it came: enlarging is not blur."""
    height, width = pixels.shape[:2]
    if width <= probed.width or height <= probed.height:
        return pixels
    return fit_to(pixels, probed.width, probed.height)


def _size(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]


def _clamp(crop: Crop | None, width: int, height: int) -> Box | None:
    """The crop inside the picture, at least one pixel of it."""
    if crop is None:
        return None
    left, top = min(max(crop.left, 0), width - 1), min(max(crop.top, 0), height - 1)
    return left, top, max(left + 1, min(crop.right, width)), max(top + 1, min(crop.bottom, height))
