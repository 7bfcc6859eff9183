"""`ocr`: all the text in an image, line by line, each line with its own confidence. Several images are read one by one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import msgspec

from sightline.prompt import Prompt, text_of
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.tasks.aligned import Transcript
from sightline.tasks.base import Answer, Context, Given, Look, MediaRule, Said, Task, Utterance, converse, instruct
from sightline.tasks.confidence import Calibrator
from sightline.tasks.writing import Written

_BETWEEN = "\n\n"


class Line(msgspec.Struct, frozen=True):
    """One line as it was read."""

    text: str
    confidence: float | None


class TextOfImage(msgspec.Struct, frozen=True):
    """The lines of one image, from the top."""

    image_index: int
    lines: tuple[Line, ...]


class Texts(msgspec.Struct, frozen=True):
    """The result of `ocr`."""

    images: tuple[TextOfImage, ...]


class Ocr(Task):
    name = "ocr"
    version = "1"
    title = Bilingual("文字识别", "Text in images")
    summary = Bilingual("逐行读出图片中的所有文字；text 可补充要求。", "Reads all the text in images, line by line; `text` may add a wish.")
    media = MediaRule(kinds=frozenset({"image"}), most=16)
    timeout_ms = 60_000
    max_tokens = 2048
    temperature = 0.0

    def looks(self, options: Any, given: Sequence[Given]) -> tuple[Look, ...] | None:
        return tuple(Look(index) for index in range(len(given)))

    async def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        def render(turns: Sequence[Utterance]) -> Prompt:
            wish, last = text_of("ocr", ctx.language), turns[-1]
            asked = replace(last, text=f"{wish}\n{last.text}" if last.text else wish)
            return Prompt(converse([*turns[:-1], asked], ctx.language, instruct(ctx, None)), self.sampling(ctx.options))

        told: list[str] = []
        images: list[TextOfImage] = []
        scores: list[float | None] = []
        notices: list[Notice] = []
        finish = "stop"
        for index in range(len(ctx.given)):
            if index:
                told.append(_BETWEEN)
                yield Said(_BETWEEN)
            writing = Written()
            async with aclosing(writing.follow(ctx.generate(render, Look(index)))) as pieces:
                async for piece in pieces:
                    yield Said(piece.text, piece.logprobs)
            told.append(writing.told)
            calibrator = ctx.calibrator("line")
            images.append(TextOfImage(index, tuple(_lines(writing.transcript, len(writing.text), calibrator))))
            scores.append(writing.transcript.prose())
            notices += [msgspec.structs.replace(notice, input=index) for notice in writing.notices]
            finish = "length" if writing.cut else finish
        yield Answer("".join(told), _mean(scores), finish, Texts(tuple(images)), tuple(notices))


def _lines(transcript: Transcript, end: int, calibrator: Calibrator | None) -> Iterator[Line]:
    """The lines up to `end` with the joint probability of their characters, whose line ends are not theirs."""
    start = 0
    for line in transcript.text[:end].split("\n"):
        if line.strip():
            score = transcript.joint(start, start + len(line))
            if score is not None:
                score = calibrator.share(score) if calibrator else round(score, 4)
            yield Line(line.strip(), score)
        start += len(line) + 1


def _mean(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return round(sum(known) / len(known), 4) if len(known) == len(scores) > 0 else None
