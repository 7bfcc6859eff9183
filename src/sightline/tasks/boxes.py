"""Boxes around what a model points at: its own 0..1000 to pixels of the original picture.

Qwen3-VL answers `[{"bbox_2d":[x1,y1,x2,y2],"label":"..."}]`, in thousandths of the picture's width and height, whatever size it
was shown at; the whole picture is shown, so that a thousandth of it is a thousandth of the original. Source: Qwen3-VL's
cookbook on 2D grounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from sightline.prompt import Prompt, Sampling, text_of
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.tasks.aligned import Transcript
from sightline.tasks.base import Context, Given, Look, Utterance, converse, instruct
from sightline.tasks.charts.spans import Node, read
from sightline.tasks.confidence import Calibrator
from sightline.tasks.transcribe import transcribe

MOST_BOXES = 100
MAX_TOKENS = 1024
_THOUSAND = 1000

GRAMMAR = r"""
root ::= "[" (box ("," box){0,MOST})? "]"
box ::= "{\"bbox_2d\":[" place "," place "," place "," place "],\"label\":\"" char{0,80} "\"}"
place ::= "1000" | [1-9] [0-9]{0,2} | "0"
char ::= [^"\\\x00-\x1F\x7F] | "\\" ["\\/nt]
""".strip().replace("MOST", str(MOST_BOXES - 1))
_PLACE = {"type": "integer", "minimum": 0, "maximum": _THOUSAND}
SCHEMA: dict[str, Any] = {
    "type": "array",
    "maxItems": MOST_BOXES,
    "items": {
        "type": "object",
        "properties": {
            "bbox_2d": {"type": "array", "items": _PLACE, "minItems": 4, "maxItems": 4},
            "label": {"type": "string", "maxLength": 80},
        },
        "required": ["bbox_2d", "label"],
        "additionalProperties": False,
    },
}


class FoundBox(msgspec.Struct, frozen=True):
    """Something that was found. `box` is (left, top, right, bottom) in pixels of the original as displayed, upright."""

    image_index: int
    box: tuple[int, int, int, int]
    label: str
    confidence: float | None = None


_EMPTY = Bilingual("图{number}中有 {count} 个框没有面积，已去除。", "{count} boxes in image {number} had no area and were left out.")
_UNREADABLE = Bilingual("图{number}的定位结果无法读取。", "What the model said about places in image {number} cannot be read.")
_CUT = Bilingual("图{number}的框未列完。", "The boxes of image {number} are not all there.")
_CUT_HINT = Bilingual("可提高 options.max_tokens。", "Raise options.max_tokens.")


async def locate(ctx: Context, what: str, index: int, seed: int | None = None) -> tuple[list[FoundBox], list[Notice], bool]:
    """The boxes of `what` in one image, what went wrong, and whether the answer was cut. Raises what `generate` raises."""

    def render(turns: Sequence[Utterance]) -> Prompt:
        asked = Utterance("user", text_of("grounding", ctx.language).replace("{text}", what), turns[-1].shown)
        most = ctx.options.max_tokens or MAX_TOKENS
        sampling = Sampling(max_tokens=most, temperature=ctx.options.temperature or 0.0, seed=seed)
        return Prompt(converse([*turns[:-1], asked], ctx.language, instruct(ctx, None)), sampling, SCHEMA, GRAMMAR)

    writing = await transcribe(ctx, render, Look(index))
    node = read(writing.text)
    notices = [msgspec.structs.replace(notice, input=index) for notice in writing.notices]
    if node is None:
        return [], [*notices, Notice("unreadable", _UNREADABLE.fill(number=index + 1), input=index)], writing.cut
    boxes, empty = in_pixels(node, writing.transcript, index, ctx.given[index], ctx.calibrator("box"))
    if empty:
        notices.append(Notice("empty_boxes", _EMPTY.fill(number=index + 1, count=empty), input=index))
    if writing.cut or not node.whole:
        notices.append(Notice("truncated", _CUT.fill(number=index + 1), _CUT_HINT, input=index))
    return boxes, notices, writing.cut


def in_pixels(
    node: Node, transcript: Transcript, index: int, given: Given, calibrator: Calibrator | None = None
) -> tuple[list[FoundBox], int]:
    """The boxes of an answer in pixels of the original, inside it, and how many had no area. Their corners may come in any order."""
    boxes: list[FoundBox] = []
    empty = 0
    for entry in node.elements if node.kind == "array" else (node,):
        places = entry.members.get("bbox_2d")
        if places is None or len(places.elements) != 4 or not all(isinstance(place.value, int | float) for place in places.elements):
            continue
        x1, y1, x2, y2 = (min(max(float(place.value or 0), 0.0), _THOUSAND) / _THOUSAND for place in places.elements)
        left, right = sorted((x1, x2))
        top, bottom = sorted((y1, y2))
        box = (
            math.floor(left * given.width),
            math.floor(top * given.height),
            math.ceil(right * given.width),
            math.ceil(bottom * given.height),
        )
        if left == right or top == bottom:
            empty += 1
            continue
        label = entry.members["label"].value if "label" in entry.members else ""
        scores = [transcript.joint(place.start, place.end) for place in places.elements]
        known = [score for score in scores if score is not None]
        score = math.prod(known) if len(known) == 4 else None
        if score is not None:
            score = calibrator.share(score) if calibrator else round(score, 4)
        boxes.append(FoundBox(index, box, label if isinstance(label, str) else "", score))
    return boxes, empty
