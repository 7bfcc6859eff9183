"""`captioning`: an image described in a sentence, in detail, or as the alternative text of a web page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, Literal

from msgspec import structs

from sightline.prompt import Prompt, Sampling, text_of
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.requests import Options, option
from sightline.tasks.alt_text import shorten
from sightline.tasks.base import Answer, Context, Example, MediaRule, Said, Task, Utterance, converse, instruct, tell

_LONGEST = {"short": 128, "detailed": 512, "alt_text": 96}
"""Tokens by style, where the caller is silent."""


class CaptioningOptions(Options, frozen=True, kw_only=True):
    """`style` sets how much is said."""

    style: Annotated[
        Literal["short", "detailed", "alt_text"],
        option(
            "short：一句话；detailed：详细描述；alt_text：网页替代文本，至多约 125 个字符。",
            "short: one sentence; detailed: everything of note; alt_text: for a web page, at most about 125 characters.",
        ),
    ] = "short"


class Captioning(Task):
    name = "captioning"
    version = "2"
    title = Bilingual("图片描述", "Caption")
    summary = Bilingual(
        "用一句话、详细地或作为网页替代文本描述图片；text 可补充要求。",
        "Describes an image in a sentence, in detail, or as alternative text for a web page; `text` may add a wish.",
    )
    Options = CaptioningOptions
    media = MediaRule(kinds=frozenset({"image"}), most=16)
    examples = (
        Example(Bilingual("", ""), {"style": "alt_text"}),
        Example(Bilingual("重点描述人物的衣着。", "Mention what the people wear."), {"style": "detailed"}),
    )

    def sampling(self, options: Any) -> Sampling:
        return structs.replace(super().sampling(options), max_tokens=options.max_tokens or _LONGEST[options.style])

    async def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        short = ctx.options.style == "alt_text"

        def render(turns: Sequence[Utterance]) -> Prompt:
            # An alternative text is a short caption that fits: what models are asked for, they know well.
            wish = text_of("captioning-short" if short else f"captioning-{ctx.options.style}", ctx.language)
            *earlier, last = turns
            asked = replace(last, text=f"{wish}\n{last.text}" if last.text else wish)
            return Prompt(converse([*earlier, asked], ctx.language, instruct(ctx, None)), self.sampling(ctx.options))

        async with aclosing(tell(ctx, render)) as happenings:
            async for happening in happenings:
                if not short:
                    yield happening
                elif isinstance(happening, Answer):  # what may still be shortened is not told piece by piece
                    text = shorten(happening.text)
                    yield Said(text)
                    yield replace(happening, text=text)
