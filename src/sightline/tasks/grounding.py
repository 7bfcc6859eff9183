"""`grounding`: where something is: boxes in pixels of the original pictures, each with a label and a confidence."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.tasks.base import Answer, Context, Example, Given, Look, MediaRule, Said, Task
from sightline.tasks.boxes import MAX_TOKENS, FoundBox, locate


class Boxes(msgspec.Struct, frozen=True):
    """The result of `grounding`."""

    boxes: tuple[FoundBox, ...]


class Grounding(Task):
    name = "grounding"
    version = "1"
    title = Bilingual("目标定位", "Find in images")
    summary = Bilingual(
        "在图中找出 text 所说的内容，给出原图像素坐标的框。", "Finds what `text` names and gives boxes in pixels of the original image."
    )
    media = MediaRule(kinds=frozenset({"image"}), most=8)
    examples = (Example(Bilingual("红色的圆", "the red circle")), Example(Bilingual("每一个安全帽", "every safety helmet")))
    needs_text = True
    timeout_ms = 60_000
    prose = False
    max_tokens = MAX_TOKENS
    temperature = 0.0

    def looks(self, options: Any, given: Sequence[Given]) -> tuple[Look, ...] | None:
        return tuple(Look(index) for index in range(len(given)))

    async def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        boxes: list[FoundBox] = []
        notices: list[Notice] = []
        finish = "stop"
        total = len(ctx.given)
        for index in range(total):
            yield Progress(stage="images", done=index, total=total)
            found, told, cut = await locate(ctx, ctx.text.strip(), index, ctx.options.seed)
            boxes += found
            notices += told
            finish = "length" if cut else finish
        scores = [box.confidence for box in boxes if box.confidence is not None]
        confidence = round(sum(scores) / len(scores), 4) if scores and len(scores) == len(boxes) else None
        answer = msgspec.json.encode([{"image_index": box.image_index, "box": box.box, "label": box.label} for box in boxes]).decode()
        yield Answer(answer, confidence, finish, Boxes(tuple(boxes)), tuple(notices), calibrated=ctx.calibrator("box") is not None)
