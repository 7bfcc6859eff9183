"""Which pages there are, over all inputs, and which of them the caller wants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.protocol.errors import MalformedRequest, TooLarge
from sightline.protocol.language import Bilingual
from sightline.tasks.base import Given, Look

MOST_PAGES = 200
_PAGES = Bilingual("文档页数", "The number of pages")
_UNIT = Bilingual("页", "pages")
_FORM = Bilingual("页码或页码范围，以逗号分隔，如 1-3,7", "page numbers and ranges with commas between, such as 1-3,7")
_RANGE = re.compile(r"(\d{1,6})(?:\s*[-–~]\s*(\d{1,6})?)?")


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `number` counts from 1 over all inputs, so that a document sent as pictures has page numbers as well."""

    number: int
    look: Look


def pages_of(given: Sequence[Given], wanted: str | None) -> tuple[Page, ...]:
    """The wanted pages of all inputs, in order; an image is one page. `wanted` such as `1-3,7` or `5-`; None takes all.

    Raises `MalformedRequest` naming the pages that there are, `TooLarge` for more than `MOST_PAGES`.
    """
    looks = [look for index, item in enumerate(given) for look in _looks(index, item)]
    pages = tuple(Page(number, look) for number, look in enumerate(looks, start=1))
    if wanted is not None:
        chosen = read_range(wanted, len(pages))
        pages = tuple(page for page in pages if page.number in chosen)
    if len(pages) > MOST_PAGES:
        advice = Bilingual(
            "请用 options.pages 选择其中的页，或拆分后发送。", "Choose some of them with options.pages, or send it in parts."
        )
        raise TooLarge(_PAGES, len(pages), MOST_PAGES, _UNIT, advice=advice)
    return pages


def _looks(index: int, item: Given) -> list[Look]:
    return [Look(index)] if item.kind == "image" else [Look(index, pages=(page,)) for page in range(1, item.pages + 1)]


def read_range(text: str, count: int) -> frozenset[int]:
    """The page numbers that `text` names, of a document of `count` pages.

    Raises `MalformedRequest`: `options.pages`, why, and what would be allowed.
    """
    chosen: set[int] = set()
    for part in text.replace("，", ",").split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise MalformedRequest("options.pages", Bilingual("不是页码范围", "it is not a range of pages"), _FORM)
        first = int(found[1])
        last = first if found[0].isdigit() else int(found[2] or count)
        outside = next((page for page in (first, last) if not 1 <= page <= count), None)
        if outside is not None:
            reason = Bilingual(f"没有第 {outside} 页，文档共 {count} 页", f"there is no page {outside} in a document of {count}")
            raise MalformedRequest("options.pages", reason, f"1-{count}")
        if last < first:
            reason = Bilingual(f"{first}-{last} 首尾颠倒", f"{first}-{last} ends before it begins")
            raise MalformedRequest("options.pages", reason, f"{last}-{first}")
        chosen.update(range(first, last + 1))
    return frozenset(chosen)
