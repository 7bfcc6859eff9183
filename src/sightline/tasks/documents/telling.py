"""What a caller is told of pages: citations, which of them failed, and warnings for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.tasks.documents.reading import Reading

_SNIPPET = 300
"""Characters of a page's words in a citation."""
_UNREAD = Bilingual("未能读取第 {pages} 页。{reason}", "Pages that could not be read: {pages}. {reason}")
_UNREAD_HINT = Bilingual("结果只依据其余各页。", "The result rests on the other pages alone.")
_ASIDE = Bilingual(
    "第 {pages} 页也给出了答案，但页上没有问题中的字词，未采用。",
    "Pages whose answer has none of the question's words beside it: {pages}.",
)
_ASIDE_HINT = Bilingual("模型在这些页上可能是猜测；请以注明的页为准。", "The model may have guessed there; the pages cited count.")
_GUESSING = Notice(
    "pages_disagree",
    Bilingual("许多页给出了不同的答案，无法分辨哪一个正确。", "Many pages give different answers, and nothing tells which is right."),
    Bilingual(
        "文档可能没有说明；请缩小 options.pages 的范围，或使用更大的模型。",
        "It may not be in the document; narrow options.pages, or use a larger model.",
    ),
)
_CUT = Bilingual("第 {pages} 页的内容没有写完。", "Pages that were not written to their end: {pages}.")
_CUT_HINT = Bilingual("请增大 options.max_tokens。", "Allow more in options.max_tokens.")


def citation(reading: Reading) -> dict[str, Any]:
    """Where an answer stands: the page, the input that it belongs to (from 0), the page's own words, and how sure they are."""
    snippet = reading.text if len(reading.text) <= _SNIPPET else reading.text[: _SNIPPET - 1] + "…"
    return {"page": reading.page.number, "input": reading.page.look.input, "snippet": snippet, "confidence": reading.score}


def failed(readings: Sequence[Reading]) -> list[int]:
    """The numbers of the pages that could not be read."""
    return [reading.page.number for reading in readings if reading.error is not None]


def least(readings: Sequence[Reading]) -> float | None:
    """A statement about all pages is as sure as the least sure of those that were read; None where one's is unknown."""
    scores = [reading.score for reading in readings if reading.error is None]
    return min((score for score in scores if score is not None), default=None) if None not in scores else None


def warn(readings: Sequence[Reading]) -> tuple[Notice, ...]:
    """Which pages failed, and why the first of them did; which were cut."""
    said: list[Notice] = []
    error = next((reading.error for reading in readings if reading.error is not None), None)
    if error is not None:
        reason = Bilingual(error.say("zh"), error.say("en"))
        sentence = _UNREAD.fill(pages=_listed(failed(readings)), reason=reason)
        said.append(Notice("pages_failed", sentence, _UNREAD_HINT, code=error.code))
    if cut := [reading.page.number for reading in readings if reading.cut]:
        said.append(Notice("pages_cut", _CUT.fill(pages=_listed(cut)), _CUT_HINT))
    return tuple(said)


def doubt(claims: Sequence[Reading], believed: Sequence[Reading]) -> tuple[Notice, ...]:
    """Which pages claimed an answer and were not believed; or that nothing told the many that did apart."""
    numbers = [claim.page.number for claim in claims if claim not in believed]
    return (Notice("pages_set_aside", _ASIDE.fill(pages=_listed(numbers)), _ASIDE_HINT) if numbers else _GUESSING,)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
