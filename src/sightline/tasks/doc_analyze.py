"""`doc_analyze`: a question about a document of up to 200 pages: PDF, TIFF, or pages as images.

Every page is read by a generation of its own (`documents.reading`), so that no context bounds the document; what the pages
said becomes one answer with citations (`documents.notes`), one Markdown text, or values for the caller's fields
(`documents.fields`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, Literal

from msgspec import Meta

from sightline.prompt import Prompt, Sampling, text_of
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.protocol.requests import Options
from sightline.tasks.base import Answer, Context, Given, Look, MediaRule, Said, Task, Utterance, converse
from sightline.tasks.documents.notes import SNIPPET, Outcome, agreed, reduce, says_nothing
from sightline.tasks.documents.pages import MOST_PAGES, pages_of
from sightline.tasks.documents.reading import Reading, read_pages

_LONGEST = {"answer": 512, "markdown": 2048, "fields": 1024}
_SILENT = Bilingual("文档中没有说明。", "The document does not say.")
_HEADING = Bilingual("## 第 {page} 页", "## Page {page}")
_UNREAD = Bilingual("未能读取第 {pages} 页：{reason}", "Pages that could not be read: {pages}. {reason}")
_UNREAD_HINT = Bilingual("回答只依据其余各页。", "The answer rests on the other pages alone.")
_CUT = Bilingual("第 {pages} 页的文字被 max_tokens 截断。", "Pages cut at max_tokens: {pages}.")
_CUT_HINT = Bilingual("请增大 options.max_tokens。", "Allow more in options.max_tokens.")


class DocumentOptions(Options, frozen=True, kw_only=True):
    """`output` says what becomes of the pages."""

    output: Annotated[
        Literal["answer", "markdown"],
        Meta(description="answer: to the question, with citations; markdown: the text of the pages."),
    ] = "answer"
    pages: Annotated[str, Meta(min_length=1, max_length=500, description="Which pages, such as 1-3,7 or 5-.")] | None = None


class DocAnalyze(Task):
    name = "doc_analyze"
    version = "2"
    title = Bilingual("文档分析", "Document")
    summary = Bilingual(
        "就 PDF、TIFF 或多页图片（至多 200 页）提问，回答注明页码；也可转写为 Markdown。",
        "Ask about a PDF, a TIFF or pages as images, up to 200 pages; the answer cites its pages. Or have it written out as Markdown.",
    )
    Options = DocumentOptions
    media = MediaRule(kinds=frozenset({"document", "image"}), most=MOST_PAGES)
    needs_text = True
    timeout_ms = 60_000
    timeout_ms_per_look = 10_000
    lane = "B"
    cached = True
    temperature = 0.0

    def check(self, options: Any, text: str) -> None:
        if options.output == "answer":
            super().check(options, text)

    def looks(self, options: Any, given: Sequence[Given]) -> tuple[Look, ...]:
        return tuple(page.look for page in pages_of(given, options.pages))

    def sampling(self, options: Any) -> Sampling:
        return replace(super().sampling(options), max_tokens=options.max_tokens or _LONGEST[options.output])

    def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        return self._transcribe(ctx) if ctx.options.output == "markdown" else self._answer(ctx)

    async def _answer(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        """What the pages say to the question: of one page its words, of several that differ a generation over their words."""
        sampling = self.sampling(ctx.options)
        system = ctx.options.system or text_of("doc_page", ctx.language)
        readings: list[Reading] = []
        pages = pages_of(ctx.given, ctx.options.pages)
        async with aclosing(read_pages(ctx, pages, lambda turns: Prompt(converse(turns, ctx.language, system), sampling))) as happenings:
            async for happening in happenings:
                if isinstance(happening, Reading):
                    readings.append(happening)
                else:
                    yield happening
        readings.sort(key=lambda reading: reading.page.number)
        read = [reading for reading in readings if reading.error is None]
        found = [reading for reading in read if not says_nothing(reading.text)]
        if not found:
            outcome = Outcome(_SILENT.pick(ctx.language), _least(read), "stop")
            yield Said(outcome.text)
        elif surest := agreed(found):
            outcome = Outcome(surest.text, surest.score, surest.finish)
            yield Said(outcome.text, surest.logprobs)
        else:
            outcome = Outcome("", None, "stop")
            async with aclosing(reduce(ctx, found, sampling)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Outcome):
                        outcome = piece
                    else:
                        yield piece
        structured = {
            "output": "answer",
            "found": bool(found),
            "pages": [page.number for page in pages],
            "citations": [_citation(reading) for reading in found],
            "failed_pages": _failed(readings),
        }
        yield Answer(outcome.text, outcome.score, outcome.finish, structured, notices(readings, ctx))

    async def _transcribe(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        """The text of the pages, told in their order as far as they are read."""
        sampling = self.sampling(ctx.options)
        wish = text_of("doc_markdown", ctx.language)

        def ask(turns: Sequence[Utterance]) -> Prompt:
            asked = replace(turns[-1], text=f"{wish}\n{ctx.text}" if ctx.text.strip() else wish)
            return Prompt(converse([asked], ctx.language, ctx.options.system), sampling)

        pages = pages_of(ctx.given, ctx.options.pages)
        order = [page.number for page in pages]
        done: dict[int, Reading] = {}
        text = ""
        async with aclosing(read_pages(ctx, pages, ask)) as happenings:
            async for happening in happenings:
                if isinstance(happening, Progress):
                    yield happening
                    continue
                done[happening.page.number] = happening
                while order and order[0] in done:
                    reading = done[order.pop(0)]
                    if reading.error is None:
                        heading = _HEADING.fill(page=reading.page.number).pick(ctx.language)
                        piece = ("\n\n" if text else "") + f"{heading}\n\n{reading.text}".rstrip()
                        text += piece
                        yield Said(piece)
        readings = [done[page.number] for page in pages]
        read = [reading for reading in readings if reading.error is None]
        structured = {
            "output": "markdown",
            "pages": [
                {"page": each.page.number, "input": each.page.look.input, "markdown": each.text, "confidence": each.score} for each in read
            ],
            "failed_pages": _failed(readings),
        }
        finish = "length" if any(reading.finish == "length" for reading in read) else "stop"
        yield Answer(text, _least(read), finish, structured, notices(readings, ctx))


def _citation(reading: Reading) -> dict[str, Any]:
    snippet = reading.text if len(reading.text) <= SNIPPET else reading.text[: SNIPPET - 1] + "…"
    return {"page": reading.page.number, "input": reading.page.look.input, "snippet": snippet, "confidence": reading.score}


def _failed(readings: Sequence[Reading]) -> list[int]:
    return [reading.page.number for reading in readings if reading.error is not None]


def _least(readings: Sequence[Reading]) -> float | None:
    """A statement about all pages is as sure as the least sure of them; None where one's is unknown."""
    scores = [reading.score for reading in readings]
    return min((score for score in scores if score is not None), default=None) if None not in scores else None


def notices(readings: Sequence[Reading], ctx: Context) -> tuple[Notice, ...]:
    """What a person should know about the pages: which failed, and why the first of them did; which were cut."""
    failed = [reading for reading in readings if reading.error is not None]
    cut = [reading.page.number for reading in readings if reading.finish == "length"]
    said: list[Notice] = []
    if failed and failed[0].error:
        reason = Bilingual(failed[0].error.say("zh"), failed[0].error.say("en"))
        sentence = _UNREAD.fill(pages=_listed(_failed(failed)), reason=reason)
        said.append(Notice("pages_failed", sentence, _UNREAD_HINT, code=failed[0].error.code))
    if cut:
        said.append(Notice("pages_cut", _CUT.fill(pages=_listed(cut)), _CUT_HINT))
    return tuple(said)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
