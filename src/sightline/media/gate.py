"""The gate itself, the port `MediaGate`: everything a person sends becomes safe, small and true here.

probe   address, data URI, base64 or file -> bytes -> sniffed, hashed, header read, bounded       threads of "probe"
load    header + view -> decoded at reduced scale, fitted, looked over, encoded, receipted        threads of the lane
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Self

from sightline.media.budget import ByteBudget
from sightline.media.fetch import Fetcher, Lookup
from sightline.media.frames import frame
from sightline.media.headers import Still, read_header
from sightline.media.inputs import Input, check_sizes
from sightline.media.pixels import Box, Picture
from sightline.media.refusals import Broken, Over
from sightline.media.settings import MediaSettings
from sightline.media.shares import Shares
from sightline.media.sources import Content, Sources
from sightline.media.stills import decode_still, memory_needed
from sightline.prompt import View
from sightline.protocol.receipts import Notice, Receipt
from sightline.protocol.requests import Media
from sightline.service.ports import Caller, Clock, Crop, FileStore, Loaded, MediaPolicy, Probed
from sightline.service.vision import fit
from sightline.tasks.base import Lane


class Gate:
    """The media gate of one service. Open it in the service's event loop: `async with Gate(...) as gate`.

    `shares` is threads for each lane; `files` holds uploads; `lookup` replaces the system's resolver in tests.
    """

    def __init__(
        self,
        settings: MediaSettings,
        clock: Clock,
        *,
        shares: Mapping[Lane, int],
        files: FileStore | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self.version = f"media-1.{settings.version}"
        self._settings = settings
        self._clock = clock
        self._files = files
        self._lookup = lookup
        self._shares = Shares(shares)
        self._held = ByteBudget(settings.held_bytes)
        self._decoded = ByteBudget(settings.decoded_bytes)
        self._fetcher: Fetcher | None = None

    async def __aenter__(self) -> Self:
        self._fetcher = Fetcher(self._settings, self._lookup)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends transfers and threads."""
        if self._fetcher:
            await self._fetcher.close()
        self._shares.close()

    async def probe(self, sources: Sequence[Media], policy: MediaPolicy, caller: Caller) -> Sequence[Probed]:
        """See the port."""
        try:
            async with asyncio.TaskGroup() as group:
                jobs = [group.create_task(self._probe(index, source, policy, caller)) for index, source in enumerate(sources)]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [job.result() for job in jobs]

    async def load(self, probed: Probed, view: View, *, lane: Lane, crop: Crop | None = None, pages: Sequence[int] | None = None) -> Loaded:
        """See the port."""
        if not isinstance(probed, Input):
            raise TypeError("load takes what the probe of this gate returned")
        try:
            async with asyncio.timeout(self._settings.input_seconds):
                return await self._shares.run(lane, self._load, probed, view, crop)
        except TimeoutError:
            raise Broken("slow").told(probed.index, probed.form.title) from None
        except Broken as error:
            raise error.told(probed.index, probed.form.title) from None
        except Over as error:
            raise error.told(probed.index) from None

    async def _probe(self, index: int, source: Media, policy: MediaPolicy, caller: Caller) -> Input:
        if self._fetcher is None:
            raise RuntimeError("the gate is not open")
        started = self._clock.now()
        content = Content(index, policy, self._held)
        try:
            await Sources(self._settings, self._fetcher, self._files, self._shares).read(index, source, caller, content)
            probed = await self._shares.run("probe", self._survey, index, content, started)
        except BaseException as error:
            content.drop()
            if isinstance(error, Over):
                raise error.told(index) from None
            if isinstance(error, Broken):
                title = content.form.title if content.form else ""
                raise error.told(index, title) from None
            raise
        probed.keep(self._held, content.taken)
        return probed

    def _survey(self, index: int, content: Content, started: float) -> Input:
        data, form = content.finish()
        header = read_header(form.name, data)
        check_sizes(header, self._settings.most_pixels)
        digest = hashlib.sha256(data).hexdigest()
        return Input(index, data, digest, form, form.kinds[0], header, 1000 * (self._clock.now() - started))

    def _load(self, probed: Input, view: View, crop: Crop | None) -> Loaded:
        started = self._clock.now()
        header = probed.header
        if not isinstance(header, Still):
            raise Broken("variant")
        width, height = header.shown
        box: Box | None = None
        if crop:
            box = _clamped(crop, width, height)
            width, height = box[2] - box[0], box[3] - box[1]
        with self._decoded.hold(memory_needed(probed.form.name, header)):
            picture = decode_still(probed.form.name, probed.data, header, fit(width, height, view), box)
        return self._finish(probed, view, [picture], (header.width, header.height), started)

    def _finish(self, probed: Input, view: View, pictures: Sequence[Picture], original: tuple[int, int], started: float) -> Loaded:
        frames = tuple(frame(picture, view, self._settings.jpeg_quality) for picture in pictures)
        largest = max(frames, key=lambda shown: shown.width * shown.height)
        notices: tuple[Notice, ...] = probed.notices
        receipt = Receipt(
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
            changes=tuple(dict.fromkeys(change for picture in pictures for change in picture.changes)),
            warnings=tuple(notice.type for notice in notices),
            ms=round(probed.probe_ms + 1000 * (self._clock.now() - started), 1),
        )
        return Loaded(probed.kind, frames, receipt, notices)


def _clamped(crop: Crop, width: int, height: int) -> Box:
    """The crop inside the picture, at least one pixel of it."""
    left, top = min(max(crop.left, 0), width - 1), min(max(crop.top, 0), height - 1)
    return left, top, max(left + 1, min(crop.right, width)), max(top + 1, min(crop.bottom, height))
