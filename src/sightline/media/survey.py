"""From bytes to an `Input`: hash, header, bounds. Still pictures are read here, documents and videos in a decoder process."""

from __future__ import annotations

import hashlib
import math

from sightline.media.headers import read_header
from sightline.media.inputs import Clip, Header, Input, Pages, check_sizes
from sightline.media.orders import ClipFound, Limits, PagesFound, SurveyClip, SurveyPages
from sightline.media.refusals import Broken, Over
from sightline.media.settings import MediaSettings
from sightline.media.sniff import Format, accepted
from sightline.media.sources import Content
from sightline.media.workers import Errand, Workers
from sightline.protocol.errors import UnsupportedMedia, VideoTooLong
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Kind
from sightline.service.ports import Clock, MediaPolicy

SUPERVISED = frozenset({"pdf", "tiff", "dicom", "heic"})
"""Formats of pages and pictures that are read in a decoder process."""
_LEAST_FRAMES = 4
_TOLERANCE = 0.5
"""A video so little (s) over what is used of it counts as whole: containers round up."""
_MANY_PAGES = Bilingual("多页 {title}", "a {title} of several pages")


class Surveyor:
    """Reads headers. Its method blocks and belongs in a thread."""

    def __init__(self, settings: MediaSettings, clock: Clock, workers: Workers) -> None:
        self._settings = settings
        self._clock = clock
        self._workers = workers

    def survey(self, index: int, content: Content, policy: MediaPolicy, started: float, errand: Errand) -> Input:
        """Raises `UnsupportedMedia`, `VideoTooLong`, `Broken`, `Over`."""
        data, form = content.finish()
        sha256 = hashlib.sha256(data).hexdigest()
        header = self._read(index, form, data, sha256, policy, errand)
        check_sizes(header, self._settings.most_pixels)
        kind = _kind(form, header)
        if kind not in policy.kinds:
            raise UnsupportedMedia(index, _MANY_PAGES.fill(title=form.title), accepted(policy.kinds))
        return Input(index, data, sha256, form, kind, header, 1000 * (self._clock.now() - started))

    def _read(self, index: int, form: Format, data: bytes, sha256: str, policy: MediaPolicy, errand: Errand) -> Header:
        settings = self._settings
        limits = Limits(settings.most_pixels, settings.most_pages, cpu_seconds=2 + int(2 * settings.probe_seconds))
        if "video" in form.kinds:
            found = self._workers.survey("survey", SurveyClip(form.name, limits), data, sha256, errand)
            if not isinstance(found, ClipFound):
                raise Broken("header", "a decoder process answered another question")
            return self._clip(index, found, policy)
        if form.name in SUPERVISED:
            found = self._workers.survey("survey", SurveyPages(form.name, settings.document_dpi, limits), data, sha256, errand)
            if not isinstance(found, PagesFound):
                raise Broken("header", "a decoder process answered another question")
            return Pages(found.sizes, found.animated)
        return read_header(form.name, data)

    def _clip(self, index: int, found: ClipFound, policy: MediaPolicy) -> Clip:
        settings = self._settings
        if found.seconds > settings.most_video_seconds:
            raise Over("seconds", found.seconds, settings.most_video_seconds)
        used = found.seconds
        if found.seconds > policy.most_seconds + _TOLERANCE:
            if policy.reject_long_video:
                raise VideoTooLong(index, round(found.seconds, 1), policy.most_seconds)
            used = policy.most_seconds
        least = min(_LEAST_FRAMES, settings.most_frames)
        spacing = min(max(1 / settings.frames_per_second, used / settings.most_frames), used / least)
        frames = max(1, math.ceil(used / spacing - 1e-6))
        return Clip(found.width, found.height, found.seconds, used, spacing, frames, settings.video_pictures)


def _kind(form: Format, header: Header) -> Kind:
    if isinstance(header, Pages) and len(header.sizes) > 1:
        return "document"
    return form.kinds[0]
