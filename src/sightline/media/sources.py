"""Where the bytes of an input come from: the request itself, an uploaded file, or an address. What comes is held and sniffed."""

from __future__ import annotations

import re
import threading
from collections.abc import Awaitable, Callable
from functools import partial

from sightline.media.addresses import REASONS, Refused
from sightline.media.budget import ByteBudget
from sightline.media.inline import decode_inline, read_held, scheme, start_of
from sightline.media.settings import MediaSettings
from sightline.media.sniff import ENOUGH, Format, accepted, name_stranger, sniff
from sightline.protocol.errors import MalformedRequest, MediaUnreachable, Overloaded, UnsupportedMedia
from sightline.protocol.language import Bilingual
from sightline.protocol.lifting import Held
from sightline.protocol.requests import Media, MediaObject
from sightline.service.ports import Caller, FileStore, MediaPolicy

_FILE_ID = re.compile(r"file_[0-9a-f]{32}")
_NO_FILE = Bilingual("没有该文件，或已过期", "there is no such file, or it has expired")
_RETRY_MS = 1000
Fetch = Callable[[str, Callable[[bytes], None]], Awaitable[None]]
"""`Fetcher.fetch`: an address, and what takes its content piece by piece."""
SMALL = 64 * 1024
"""Bytes that are decoded, hashed and looked at in less time than it takes to ask a thread to (about 0.1 ms)."""


class Content:
    """The bytes of one input as they come in: counted against the budget, and sniffed as soon as there are enough."""

    def __init__(self, index: int, policy: MediaPolicy, held: ByteBudget) -> None:
        self.form: Format | None = None
        self.taken = 0
        self._index = index
        self._policy = policy
        self._held = held
        self._pieces: list[bytes] = []
        self._dropped = False
        self._lock = threading.Lock()

    def feed(self, piece: bytes) -> None:
        """Raises what `identify` does; `Overloaded` when the process holds all it may."""
        with self._lock:
            if self._dropped:  # a thread that nobody waits for any more
                return
            if not self._held.take(len(piece)):
                raise Overloaded("media", retry_after_ms=_RETRY_MS)
            self.taken += len(piece)
        self._pieces.append(piece)
        if self.form is None and self.taken >= ENOUGH:
            self.form = self._identify()

    def identify(self) -> Format:
        """What has come so far is. Raises `UnsupportedMedia`, and `MalformedRequest` for a kind that is not wanted."""
        self.form = self.form or self._identify()
        return self.form

    def finish(self) -> tuple[bytes, Format]:
        """Everything that came, and what it is. Raises what `identify` does."""
        form = self.identify()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        return data, form

    def drop(self) -> None:
        """Gives back what was taken, when the input comes to nothing; nothing more is taken then."""
        with self._lock:
            self._dropped = True
            self._held.give(self.taken)

    def _identify(self) -> Format:
        head = b"".join(self._pieces)[:ENOUGH] if len(self._pieces) > 1 else b"".join(self._pieces[:1])[:ENOUGH]
        form = sniff(head)
        if form is None:
            raise UnsupportedMedia(self._index, name_stranger(head), accepted(self._policy.kinds))
        if not self._policy.kinds.intersection(form.kinds):
            reason = Bilingual(f"此处不能使用 {form.title}（{form.kinds[0]}）", f"{form.title} ({form.kinds[0]}) cannot be used here")
            raise MalformedRequest(f"images[{self._index}]", reason, sorted(self._policy.kinds))
        return form


class Sources:
    """Reads inputs from wherever they are."""

    def __init__(self, settings: MediaSettings, fetch: Fetch, files: FileStore | None) -> None:
        self._settings = settings
        self._fetch = fetch
        self._files = files

    async def read(self, index: int, source: Media, caller: Caller, content: Content) -> Callable[[], None] | None:
        """Feeds `content`, or returns the work that does, which blocks, where it stands in the request itself.

        Both raise `Over`, `MediaUnreachable`, `MalformedRequest`, and what `content` raises.
        """
        address, data, file_id = _kind_of(source)
        if file_id is not None:
            found = await self._files.get(file_id, caller.tenant) if self._files else None
            if found is None:
                raise MalformedRequest(f"images[{index}].file_id", _NO_FILE)
            content.feed(found)
        elif data is not None:
            return partial(self._decode, data, index, content)
        elif address is not None:
            try:
                await self._fetch(address, content.feed)
            except Refused as error:
                raise MediaUnreachable(index, REASONS[error.reason], error.reason, cause=error.cause) from None
        return None

    def _decode(self, data: str | Held, index: int, content: Content) -> None:
        content.feed(decode_inline(data, index, self._settings.most_bytes))


def _kind_of(source: Media) -> tuple[str | None, str | Held | None, str | None]:
    """address, inline content, file id: one of them is not None. Only `data:` and what has no scheme at all is content."""
    if isinstance(source, MediaObject):
        return source.url, source.data, source.file_id
    if isinstance(source, Held):
        head = start_of(source)
        if head is not None and scheme(head) in {None, "data"}:
            return None, source, None
        source = read_held(source)
    if _FILE_ID.fullmatch(source):
        return None, None, source
    return (source, None, None) if scheme(source) not in {None, "data"} else (None, source, None)
