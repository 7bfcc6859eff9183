"""`captioning`: an image described in a sentence, or in detail."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from msgspec import Meta

from sightline.prompt import Prompt, text_of
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.requests import Options
from sightline.tasks.base import Answer, Context, MediaRule, Said, Task, Utterance, converse, tell


class CaptioningOptions(Options, frozen=True, kw_only=True):
    """`style` sets how much is said."""

    style: Annotated[Literal["short", "detailed"], Meta(description="One sentence, or everything of note.")] = "short"


class Captioning(Task):
    name = "captioning"
    version = "1"
    title = Bilingual("图片描述", "Caption")
    summary = Bilingual(
        "用一句话或详细地描述图片；text 可补充要求。", "Describes an image in a sentence or in detail; `text` may add a wish."
    )
    Options = CaptioningOptions
    media = MediaRule(kinds=frozenset({"image"}), most=16)

    def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        def render(turns: Sequence[Utterance]) -> Prompt:
            wish = text_of(f"captioning-{ctx.options.style}", ctx.language)
            *earlier, last = turns
            asked = replace(last, text=f"{wish}\n{last.text}" if last.text else wish)
            return Prompt(converse([*earlier, asked], ctx.language, ctx.options.system), self.sampling(ctx.options))

        return tell(ctx, render)
