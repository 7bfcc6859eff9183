"""What one call was shown, kept as it happens: a receipt for every input, however often and in whatever parts the model saw it."""

from __future__ import annotations

from msgspec.structs import replace

from sightline.protocol.receipts import CloserLook, Notice, Receipt
from sightline.service.ports import Loaded
from sightline.tasks.base import Crop, Look


class Record:
    """Gathers what was loaded."""

    def __init__(self) -> None:
        self._receipts: dict[int, Receipt] = {}
        self._notices: dict[int, dict[str, Notice]] = {}

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        return tuple(self._receipts[index] for index in sorted(self._receipts))

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What a person should know about the inputs, each kind once an input."""
        return tuple(notice for index in sorted(self._notices) for notice in self._notices[index].values())

    def note(self, loaded: Loaded, look: Look | None = None) -> None:
        """One input was loaded; `look` says which part of it, None for all."""
        receipt = loaded.receipt
        known = self._receipts.get(receipt.index)
        if look is not None and look.crop is not None:
            # A part says nothing about the quality of the whole: its notices are not told.
            self._receipts[receipt.index] = _with_closer(known, receipt, look.crop)
            return
        if look is not None and look.pages and known is not None:
            receipt = _with_pages(known, receipt)
        elif known is not None:
            receipt = replace(receipt, closer=known.closer)
        self._receipts[receipt.index] = receipt
        kept = self._notices.setdefault(receipt.index, {})
        for notice in loaded.notices:
            pages = {*notice.pages, *(kept[notice.type].pages if notice.type in kept else ())}
            kept[notice.type] = replace(notice, pages=tuple(sorted(pages)))


def _with_closer(known: Receipt | None, seen: Receipt, crop: Crop) -> Receipt:
    part = CloserLook((crop.left, crop.top, crop.right, crop.bottom), seen.sent_width, seen.sent_height, seen.visual_tokens)
    if known is None:
        return replace(seen, closer=(part,))
    return replace(known, closer=(*known.closer, part), ms=round(known.ms + seen.ms, 1))


def _with_pages(known: Receipt, seen: Receipt) -> Receipt:
    """Pages that are read one after the other, as one receipt."""
    again = set(seen.pages) <= set(known.pages)
    return replace(
        known,
        sent_width=max(known.sent_width, seen.sent_width),
        sent_height=max(known.sent_height, seen.sent_height),
        visual_tokens=known.visual_tokens + (0 if again else seen.visual_tokens),
        changes=tuple(dict.fromkeys((*known.changes, *seen.changes))),
        pages=tuple(sorted({*known.pages, *seen.pages})),
        warnings=tuple(dict.fromkeys((*known.warnings, *seen.warnings))),
        ms=round(known.ms + seen.ms, 1),
    )
