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

import msgspec

from sightline.prompt import Prompt, Sampling, text_of
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.requests import Options, option
from sightline.tasks.base import Answer, Context, Example, Given, Look, MediaRule, Said, Task, Utterance, converse, instruct
from sightline.tasks.documents.evidence import is_suspicious, weigh_claims
from sightline.tasks.documents.fields import check_fields, of_one_page, question, surest, values_of
from sightline.tasks.documents.notes import Outcome, agree, conclude, says_nothing
from sightline.tasks.documents.pages import MOST_PAGES, Page, pages_of
from sightline.tasks.documents.reading import Reading, read_pages
from sightline.tasks.documents.telling import citation, doubt, failed, least, warn

_LONGEST = {"answer": 512, "markdown": 2048, "fields": 1024}
"""Tokens of one page, by output, where the caller is silent."""
_SILENT = Bilingual("文档中没有说明。", "The document does not say.")
_HEADING = Bilingual("## 第 {page} 页", "## Page {page}")


class DocumentOptions(Options, frozen=True, kw_only=True):
    """`output` says what becomes of the pages."""

    output: Annotated[
        Literal["answer", "markdown", "fields"],
        option(
            "answer：回答问题并注明出处；markdown：转写各页文字；fields：按 schema 提取字段。",
            "answer: to the question, with citations; markdown: the text of the pages; fields: values for `schema`.",
        ),
    ] = "answer"
    pages: (
        Annotated[str, option("读取哪些页，如 1-3,7 或 5-。", "Which pages, such as 1-3,7 or 5-.", min_length=1, max_length=500)] | None
    ) = None
    schema: (
        Annotated[
            dict[str, Any],
            option(
                "用于 output=fields：JSON Schema 对象，其 properties 即字段。",
                "For output=fields: a JSON Schema, an object whose properties are the fields.",
            ),
        ]
        | None
    ) = None


class DocAnalyze(Task):
    name = "doc_analyze"
    version = "2"
    title = Bilingual("文档分析", "Document")
    summary = Bilingual(
        "就 PDF、TIFF 或多页图片（至多 200 页）提问，回答注明页码；也可转写为 Markdown，或按给定字段提取。",
        "Ask about a PDF, a TIFF or page images (up to 200 pages); answers cite their pages. Or have it written out, or fields filled in.",
    )
    Options = DocumentOptions
    media = MediaRule(kinds=frozenset({"document", "image"}), most=MOST_PAGES)
    examples = (
        Example(Bilingual("合同的违约金是多少？写在哪一页？", "How high is the contract penalty, and on which page does it stand?")),
        Example(Bilingual("", ""), {"output": "markdown", "pages": "1-3"}),
        Example(
            Bilingual("", ""),
            {
                "output": "fields",
                "schema": {
                    "type": "object",
                    "properties": {
                        "invoice_number": {"type": "string", "description": "as printed"},
                        "total": {"type": "number", "description": "amount to pay, without currency"},
                    },
                },
            },
        ),
    )
    needs_text = True
    timeout_ms = 60_000
    timeout_ms_per_look = 10_000
    lane = "B"
    cached = True
    temperature = 0.0

    def check(self, options: Any, text: str) -> None:
        if options.output == "answer":
            super().check(options, text)
        if options.output == "fields":
            check_fields(options.schema)
        elif options.schema is not None:
            raise MalformedRequest("options.schema", Bilingual("仅用于 output=fields", "only output=fields takes it"))

    def asks(self, options: Any) -> bool:
        return options.output == "answer"

    def looks(self, options: Any, given: Sequence[Given]) -> tuple[Look, ...]:
        return tuple(page.look for page in pages_of(given, options.pages))

    def sampling(self, options: Any) -> Sampling:
        return msgspec.structs.replace(super().sampling(options), max_tokens=options.max_tokens or _LONGEST[options.output])

    def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        pages = pages_of(ctx.given, ctx.options.pages)
        work = {"answer": self._answer, "markdown": self._transcribe, "fields": self._fill}[ctx.options.output]
        return work(ctx, pages)

    async def _answer(self, ctx: Context, pages: Sequence[Page]) -> AsyncGenerator[Said | Progress | Answer]:
        """What the pages say to the question."""
        sampling = self.sampling(ctx.options)
        system = instruct(ctx, "doc_page")

        def ask(turns: Sequence[Utterance]) -> Prompt:
            return Prompt(converse(turns, ctx.language, system), sampling)

        readings: dict[int, Reading] = {}
        async with aclosing(read_pages(ctx, pages, ask)) as happenings:
            async for happening in happenings:
                if isinstance(happening, Progress):
                    yield happening
                else:
                    readings[happening.page.number] = happening
        ordered = [readings[page.number] for page in pages]
        told = warn(ordered)
        claims = found = [reading for reading in ordered if reading.error is None and not says_nothing(reading.text)]
        if is_suspicious(len(claims), len(pages)) and not agree(claims):
            async with aclosing(weigh_claims(ctx, claims, sampling)) as weighing:
                async for step in weighing:
                    if isinstance(step, Progress):
                        yield step
                    else:
                        found = step
            told = (*told, *doubt(claims, found))
        outcome = await conclude(ctx, found, sampling) if found else Outcome(_SILENT.pick(ctx.language), least(ordered))
        structured = {
            "output": "answer",
            "found": bool(found),
            "pages": [page.number for page in pages],
            "citations": [citation(reading) for reading in found],
            "set_aside": [reading.page.number for reading in claims if reading not in found],
            "failed_pages": failed(ordered),
        }
        yield Said(outcome.text)
        finish = "length" if outcome.cut else "stop"
        yield Answer(outcome.text, outcome.score, finish, structured, (*told, *outcome.notices))

    async def _transcribe(self, ctx: Context, pages: Sequence[Page]) -> AsyncGenerator[Said | Progress | Answer]:
        """The text of the pages, told in their order as far as they are read."""
        sampling = self.sampling(ctx.options)
        wish = text_of("ocr", ctx.language)

        def ask(turns: Sequence[Utterance]) -> Prompt:
            asked = replace(turns[-1], text=f"{wish}\n{ctx.text}" if ctx.text.strip() else wish)
            return Prompt(converse([asked], ctx.language, instruct(ctx, None)), sampling)

        order = [page.number for page in pages]
        readings: dict[int, Reading] = {}
        text = ""
        async with aclosing(read_pages(ctx, pages, ask)) as happenings:
            async for happening in happenings:
                if isinstance(happening, Progress):
                    yield happening
                    continue
                readings[happening.page.number] = happening
                while order and order[0] in readings:
                    reading = readings[order.pop(0)]
                    if reading.error is None:
                        piece = ("\n\n" if text else "") + _under_heading(ctx, reading)
                        text += piece
                        yield Said(piece)
        ordered = [readings[page.number] for page in pages]
        read = [reading for reading in ordered if reading.error is None]
        structured = {
            "output": "markdown",
            "pages": [
                {"page": each.page.number, "input": each.page.look.input, "markdown": each.text, "confidence": each.score} for each in read
            ],
            "failed_pages": failed(ordered),
        }
        finish = "length" if any(reading.cut for reading in read) else "stop"
        yield Answer(text, least(ordered), finish, structured, warn(ordered))

    async def _fill(self, ctx: Context, pages: Sequence[Page]) -> AsyncGenerator[Said | Progress | Answer]:
        """The caller's fields. The answer is their plain values as JSON."""
        sampling = self.sampling(ctx.options)
        schema: dict[str, Any] = ctx.options.schema
        wish, form = question(ctx), of_one_page(schema)

        def ask(turns: Sequence[Utterance]) -> Prompt:
            return Prompt(converse([replace(turns[-1], text=wish)], ctx.language, instruct(ctx, None)), sampling, form)

        readings: dict[int, Reading] = {}
        async with aclosing(read_pages(ctx, pages, ask)) as happenings:
            async for happening in happenings:
                if isinstance(happening, Progress):
                    yield happening
                else:
                    readings[happening.page.number] = happening
        ordered = [readings[page.number] for page in pages]
        said = [values_of(reading, schema) for reading in ordered if reading.error is None]
        fields = {name: surest(name, said) for name in schema["properties"]}
        text = msgspec.json.format(msgspec.json.encode({name: field["value"] for name, field in fields.items()})).decode()
        structured = {"output": "fields", "fields": fields, "pages": [page.number for page in pages], "failed_pages": failed(ordered)}
        sure = [field["confidence"] for field in fields.values() if field["value"] is not None]
        yield Said(text)
        yield Answer(text, None if None in sure else min(sure, default=None), "stop", structured, warn(ordered))


def _under_heading(ctx: Context, reading: Reading) -> str:
    return f"{_HEADING.fill(page=reading.page.number).pick(ctx.language)}\n\n{reading.text}".rstrip()
