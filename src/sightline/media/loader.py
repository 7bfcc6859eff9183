"""From an `Input` to frames and a receipt: who decodes, fits, looks over and encodes it.

A still picture that a person waits for is decoded in the thread that runs this; everything else in processes of their own, which never
hold the interpreter, nor the event loop with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from sightline.media.budget import ByteBudget
from sightline.media.headers import Still, memory_needed
from sightline.media.inputs import Clip, Input, Pages
from sightline.media.notices import notices
from sightline.media.orders import EncodeStill, Finish, Limits, RenderPages, SampleClip, Wanted
from sightline.media.picture import Box, Encoded
from sightline.media.refusals import Broken
from sightline.media.settings import MB, MediaSettings
from sightline.media.shares import steps_back
from sightline.media.workers import Errand, Workers
from sightline.prompt import Encoding, Frame, View
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
        self._encode_still: Callable[[bytes, EncodeStill, Still], Encoded] | None = None

    @property
    def warm(self) -> bool:
        """Whether the next picture has not to wait until the decoders are loaded."""
        return self._encode_still is not None

    def load(self, probed: Input, view: View, lane: Lane, crop: Crop | None, pages: Sequence[int] | None, errand: Errand) -> Loaded:
        """Raises `Broken`, `Over`."""
        started = self._clock.now()
        view = probed.look(view)
        frames: list[Frame] = []
        changes: list[str] = []
        found: dict[str, list[int | None]] = {}
        for picture in self._pictures(probed, view, lane, crop, pages, errand):
            frames.append(_frame(picture, view))
            changes += picture.changes
            for kind in picture.found:
                found.setdefault(kind, []).append(picture.page if probed.kind == "document" else None)
        if isinstance(probed.header, Clip) and probed.header.used < probed.header.seconds:
            changes.insert(0, "clipped")
        told = (*probed.notices, *notices(probed.index, found))
        receipt = self._receipt(probed, frames, changes, told, 1000 * (self._clock.now() - started))
        return Loaded(probed.kind, tuple(frames), receipt, told)

    def _pictures(
        self, probed: Input, view: View, lane: Lane, crop: Crop | None, pages: Sequence[int] | None, errand: Errand
    ) -> Iterator[Encoded]:
        natural = None if probed.kind == "video" else (probed.width, probed.height)
        finish = Finish(view.encoding, self._settings.jpeg_quality, natural)
        match probed.header:
            case Still() as still:
                box = _clamp(crop, *still.shown)
                size = fit(*(_size(box) if box else still.shown), view)
                order = EncodeStill(probed.format, size, box, finish, self._limits())
                with self._budget.hold(memory_needed(probed.format, still)):
                    if steps_back(lane):
                        yield self._workers.encode(lane, order, probed.data, probed.sha256, errand)
                    else:
                        yield self._encode_here(probed.data, order, still)
            case Pages() as document:
                yield from self._draw(probed, document, finish, lane, _all_wanted(document, view, crop, pages), errand)
            case Clip() as header:
                clip = header.shown(view)
                width, height = fit(clip.width, clip.height, view)
                sample = SampleClip(probed.format, width, height, clip.used, clip.spacing, clip.frames, _VIDEO_THREADS, self._limits())
                room = width * height * 3 * clip.frames
                with self._budget.hold(room):
                    yield from self._workers.draw(lane, sample, finish, probed.data, probed.sha256, room, errand)

    def _encode_here(self, data: bytes, order: EncodeStill, header: Still) -> Encoded:
        """What it stands on takes 30 MB and a tenth of a second to load: it is loaded for the first picture."""
        if self._encode_still is None:
            from sightline.media.encode import encode_still

            self._encode_still = encode_still
        return self._encode_still(data, order, header)

    def _draw(
        self, probed: Input, document: Pages, finish: Finish, lane: Lane, wanted: Sequence[Wanted], errand: Errand
    ) -> Iterator[Encoded]:
        """Pages a batch at a time, so that a long document is never in memory as pixels as a whole."""
        deadline = self._clock.now() + errand.seconds
        batch: list[Wanted] = []
        room = 0
        for position, each in enumerate(wanted):
            batch.append(each)
            room += each.width * each.height * 3
            if room < _BATCH_BYTES and position + 1 < len(wanted):
                continue
            errand.seconds = deadline - self._clock.now()
            order = RenderPages(probed.format, tuple(batch), self._limits())
            with self._budget.hold(room):
                yield from self._workers.draw(lane, order, finish, probed.data, probed.sha256, room, errand)
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


_MIME: dict[Encoding, str] = {"bmp": "image/bmp", "ppm": "image/x-portable-pixmap", "jpeg": "image/jpeg", "png": "image/png"}


def _frame(picture: Encoded, view: View) -> Frame:
    """Its digest is the SHA-256 of what is sent, so that nobody can forge one."""
    return Frame(
        data=picture.data,
        mime=_MIME[view.encoding],
        width=picture.width,
        height=picture.height,
        visual_tokens=(picture.width // view.grid) * (picture.height // view.grid),
        digest=hashlib.sha256(picture.data).hexdigest(),
        timestamp=picture.timestamp,
        page=picture.page,
    )


def _all_wanted(document: Pages, view: View, crop: Crop | None, pages: Sequence[int] | None) -> list[Wanted]:
    """Raises `Broken` where the document has none of `pages`."""
    numbers = [page for page in (pages or range(1, len(document.sizes) + 1)) if 1 <= page <= len(document.sizes)]
    if not numbers:
        raise Broken("empty")
    return [_wanted(number, document.sizes[number - 1], view, crop) for number in numbers]


def _wanted(number: int, size: tuple[int, int], view: View, crop: Crop | None) -> Wanted:
    box = _clamp(crop, *size)
    width, height = fit(*(_size(box) if box else size), view)
    part = (box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1]) if box else None
    return Wanted(number, width, height, part)


def _size(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]


def _clamp(crop: Crop | None, width: int, height: int) -> Box | None:
    """The crop inside the picture, at least one pixel of it."""
    if crop is None:
        return None
    left, top = min(max(crop.left, 0), width - 1), min(max(crop.top, 0), height - 1)
    return left, top, max(left + 1, min(crop.right, width)), max(top + 1, min(crop.bottom, height))
