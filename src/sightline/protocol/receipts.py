"""Receipts: for every input, what it was and what was done to it before the model saw it."""

from __future__ import annotations

from typing import Literal

import msgspec

from sightline.protocol.language import Bilingual, Language

Kind = Literal["image", "document", "video"]


class Advice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that went less well than asked, told beside a result that is still a result.

    `code` is a number of the error table (1002: only the first 30 s were used) or 0 for advice; `type` is its name for
    programs (`blurry`, `video_clipped`, ...); `input` is the index of the input that it is about.
    """

    code: int
    type: str
    msg: str
    hint: str = ""
    input: int | None = None


class Notice(msgspec.Struct, frozen=True):
    """A warning before the reader's language is known."""

    type: str
    msg: Bilingual
    hint: Bilingual = Bilingual("", "")
    code: int = 0
    input: int | None = None
    pages: tuple[int, ...] = ()
    """The pages that it is about, 1-based; told before the sentence."""

    def show(self, language: Language) -> Advice:
        msg = self.msg
        if self.pages:
            msg = _ON_PAGES.fill(pages=", ".join(map(str, self.pages)), what=msg)
        return Advice(code=self.code, type=self.type, msg=msg.pick(language), hint=self.hint.pick(language), input=self.input)


_ON_PAGES = Bilingual("第 {pages} 页：{what}", "Page {pages}: {what}")


class CloserLook(msgspec.Struct, frozen=True):
    """A part of an input that was shown to the model once more, larger. `box` is (left, top, right, bottom) in pixels of the
    original as displayed, upright; `sent_*` are the pixels it was shown at."""

    box: tuple[int, int, int, int]
    sent_width: int
    sent_height: int
    visual_tokens: int


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One input's way to the model.

    Sizes are pixels. `original_*` is as stored, before orientation; `sent_*` is what the model saw (of the largest frame,
    for many). `changes` are names such as `rotated`, `flattened`, `resized`, `clipped`, in the order they were made.
    """

    index: int
    kind: Kind
    format: str
    sha256: str
    """Hex digest of the bytes as they came."""
    bytes: int
    original_width: int
    original_height: int
    sent_width: int
    sent_height: int
    visual_tokens: int
    changes: tuple[str, ...] = ()
    pages: tuple[int, ...] = ()
    """1-based numbers of the pages used, for documents."""
    page_count: int | None = None
    timestamps: tuple[float, ...] = ()
    """Seconds of the frames used, for videos."""
    seconds: float | None = None
    """Length of the whole video."""
    warnings: tuple[str, ...] = ()
    """Types of the warnings about this input; their sentences stand in the result's `warnings`."""
    closer: tuple[CloserLook, ...] = ()
    """Parts that the model was shown once more, larger, in the order in which it saw them."""
    ms: float = 0.0
    """Milliseconds spent on fetching, decoding and resizing."""
