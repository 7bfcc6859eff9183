"""`vqa`: a question about one or several images, answered in words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from sightline.prompt import Prompt, text_of
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.tasks.base import Answer, Context, MediaRule, Said, Task, Utterance, converse, tell


class Vqa(Task):
    name = "vqa"
    version = "1"
    title = Bilingual("看图问答", "Visual Q&A")
    summary = Bilingual("就一张或多张图片提问，得到文字回答。", "Ask about one or several images and get an answer in words.")
    media = MediaRule(kinds=frozenset({"image"}), most=16)
    needs_text = True

    def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        def render(turns: Sequence[Utterance]) -> Prompt:
            system = ctx.options.system or text_of("vqa", ctx.language)
            return Prompt(converse(turns, ctx.language, system), self.sampling(ctx.options))

        return tell(ctx, render)
