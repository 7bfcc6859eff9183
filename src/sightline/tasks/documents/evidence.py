"""Where suspiciously many pages claim to answer a question: which of them hold the words that it is about.

A model that should say "not on this page" and guesses instead does so on page after page. What gives it away is the page's own
text: of all pages that claim an answer, those with the question's rare words on them are believed. Words are weighed as in
retrieval (by how few of the pages have them), so that nothing has to be known of the language but what a word is; where no word
tells the pages apart, all are believed.
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from msgspec import structs

from sightline.prompt import Prompt, Sampling, text_of
from sightline.protocol.events import Progress
from sightline.tasks.base import Context, Utterance, converse
from sightline.tasks.documents.reading import Reading, read_pages

_FEW = 16
"""Of so many pages, one may differ from another without a second thought."""
_LONGEST = 512
"""Tokens of a page's text: enough to find words in."""
_CLOSE = 0.5
"""Of the best page's weight: who has less is not believed."""
_WORDS = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")


def is_suspicious(claims: int, pages: int) -> bool:
    """Whether so many pages that say different things, of all that were asked, are likelier guesses than answers."""
    return claims > max(1, pages // _FEW)


async def weigh_claims(ctx: Context, claims: Sequence[Reading], sampling: Sampling) -> AsyncGenerator[Progress | list[Reading]]:
    """Reads the text of the claiming pages; tells how far it is, and ends with the claims that are believed, in their order."""
    wish = text_of("ocr", ctx.language)

    def ask(turns: Sequence[Utterance]) -> Prompt:
        messages = converse([replace(turns[-1], text=wish)], ctx.language)
        return Prompt(messages, structs.replace(sampling, max_tokens=min(_LONGEST, sampling.max_tokens)))

    texts: dict[int, str] = {}
    async with aclosing(read_pages(ctx, [claim.page for claim in claims], ask, stage="evidence")) as happenings:
        async for happening in happenings:
            if isinstance(happening, Progress):
                yield happening
            else:
                texts[happening.page.number] = happening.text
    believed = believable(ctx.text, texts)
    yield [claim for claim in claims if claim.page.number in believed]


def believable(question: str, texts: Mapping[int, str]) -> set[int]:
    """The pages (number to text) that hold the words of the question as well as any."""
    asked = words_of(question)
    held = {page: asked & words_of(text) for page, text in texts.items()}
    counts = {word: sum(word in words for words in held.values()) for word in asked}
    weights = {page: sum(math.log(len(texts) / counts[word]) for word in words) for page, words in held.items()}
    best = max(weights.values(), default=0.0)
    return {page for page, weight in weights.items() if weight >= _CLOSE * best}


def words_of(text: str) -> set[str]:
    """Words and numbers in lower case, and single Han characters."""
    return set(_WORDS.findall(text.lower()))
