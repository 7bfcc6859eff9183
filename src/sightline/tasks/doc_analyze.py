"""`doc_analyze`: a question about a document (PDF, TIFF, or pages as images) whose pages fit the model's context together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from sightline.prompt import Prompt, text_of
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.tasks.base import Answer, Context, MediaRule, Said, Task, Utterance, converse, tell


class DocAnalyze(Task):
    name = "doc_analyze"
    version = "1"
    title = Bilingual("文档分析", "Document")
    summary = Bilingual(
        "就 PDF、TIFF 或多页图片提问，回答指出页码。",
        "Ask about a PDF, a TIFF or pages as images; the answer names its page.",
    )
    media = MediaRule(kinds=frozenset({"document", "image"}), most=200)
    needs_text = True
    timeout_ms = 120_000
    lane = "B"
    cached = True
    temperature = 0.0

    def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        def render(turns: Sequence[Utterance]) -> Prompt:
            system = ctx.options.system or text_of("doc_analyze", ctx.language)
            return Prompt(converse(turns, ctx.language, system), self.sampling(ctx.options))

        return tell(ctx, render)
