"""The gate itself, the port `MediaGate`: everything a person sends becomes safe, small and true here.

probe   address, data URI, base64 or file -> bytes -> sniffed, hashed, header read, bounded       threads of "probe" and "survey"
load    header + view -> decoded at reduced scale, fitted, looked over, encoded, receipted        threads of the lane
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Self

from sightline.media.budget import ByteBudget
from sightline.media.headers import Still
from sightline.media.inputs import Input
from sightline.media.loader import Loader
from sightline.media.refusals import Broken, Over
from sightline.media.settings import MediaSettings
from sightline.media.shares import Shares, patience, steps_back
from sightline.media.sniff import Format
from sightline.media.sources import SMALL, Content, Sources
from sightline.media.survey import SUPERVISED, Surveyor
from sightline.media.workers import Errand, Workers
from sightline.prompt import View
from sightline.protocol.requests import Media, MediaObject
from sightline.service.ports import Caller, Clock, Crop, FileStore, Loaded, MediaPolicy, Probed
from sightline.tasks.base import Lane

if TYPE_CHECKING:
    from sightline.media.fetch import Fetcher, Lookup

_TINY = 128
"""Side in pixels of a picture that is decoded faster than it is handed to a thread and back."""


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
        self._workers = Workers(settings, clock)
        self._held = ByteBudget(settings.held_bytes)
        self._surveyor = Surveyor(settings, clock, self._workers)
        self._decoded = ByteBudget(settings.decoded_bytes)
        self._loader = Loader(settings, clock, self._workers, self._decoded)
        self._fetcher: Fetcher | None = None
        self._open = False

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends transfers, threads and decoder processes."""
        self._open = False
        if self._fetcher:
            await self._fetcher.close()
        self._shares.close()
        await asyncio.to_thread(self._workers.close)

    @property
    def held_bytes(self) -> int:
        """Bytes of inputs that are held now."""
        return self._held.used

    async def probe(self, sources: Sequence[Media], policy: MediaPolicy, caller: Caller) -> Sequence[Probed]:
        """See the port."""
        if len(sources) == 1:
            return [await self._probe(0, sources[0], policy, caller)]
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
        seconds = patience(lane, self._settings.input_seconds)
        errand = Errand(seconds)
        try:
            work = partial(self._loader.load, probed, view, lane, crop, pages, errand)
            if self._is_tiny(probed) and self._loader.warm and not steps_back(lane):
                return work()
            return await self._shares.run(lane, work, seconds=seconds)
        except TimeoutError:
            errand.call_off()
            raise Broken("slow").told(probed.index, probed.form.title) from None
        except Broken as error:
            raise error.told(probed.index, probed.form.title) from None
        except Over as error:
            raise error.told(probed.index) from None
        except asyncio.CancelledError:
            errand.call_off()
            raise

    def _is_tiny(self, probed: Input) -> bool:
        """Whether decoding it here and now holds nobody up: little work, and room for it."""
        small = max(probed.width, probed.height) <= _TINY and len(probed.data) <= SMALL
        return small and isinstance(probed.header, Still) and self._decoded.used < self._settings.decoded_bytes // 2

    async def _fetch(self, address: str, take: Callable[[bytes], None]) -> None:
        """See `Fetcher.fetch`. What it stands on takes 8 MB and a tenth of a second to load: it is loaded for the first address."""
        if self._fetcher is None:
            fetcher = await asyncio.to_thread(_load_fetcher)
            self._fetcher = self._fetcher or fetcher(self._settings, self._lookup)
        await self._fetcher.fetch(address, take)

    async def _probe(self, index: int, source: Media, policy: MediaPolicy, caller: Caller) -> Input:
        if not self._open:
            raise RuntimeError("the gate is not open")
        started = self._clock.now()
        content = Content(index, policy, self._held)
        errand = Errand(patience("survey", self._settings.probe_seconds))
        try:
            decode = await Sources(self._settings, self._fetch, self._files).read(index, source, caller, content)
            survey = partial(self._surveyor.survey, index, content, policy, started, errand)
            here = _length(source) <= SMALL if decode else content.taken <= SMALL
            probed = None
            if decode or not _takes_a_process(content.identify()):
                # One way to a thread and back, for decoding, hashing and reading the header together.
                look = partial(_look, content, decode, survey)
                probed = look() if here else await self._shares.run("probe", look)
            if probed is None:
                probed = await self._shares.run("survey", survey)
        except BaseException as error:
            errand.call_off()
            content.drop()
            if isinstance(error, Over):
                raise error.told(index) from None
            if isinstance(error, Broken):
                raise error.told(index, content.form.title if content.form else "") from None
            raise
        probed.keep(self._held, content.taken)
        return probed


def _load_fetcher() -> type[Fetcher]:
    from sightline.media.fetch import Fetcher

    return Fetcher


def _look(content: Content, decode: Callable[[], None] | None, survey: Callable[[], Input]) -> Input | None:
    """What is read in this process; None for what takes a decoder process."""
    if decode:
        decode()
    return None if _takes_a_process(content.identify()) else survey()


def _takes_a_process(form: Format) -> bool:
    return form.name in SUPERVISED or "video" in form.kinds


def _length(source: Media) -> int:
    """Characters of what stands in the request."""
    return len((source.data or "") if isinstance(source, MediaObject) else source)
