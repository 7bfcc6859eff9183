"""What stands before a question: the system message and the labels of the pictures, word for word as the service renders them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal

from training.scenes.qa import Language

# The system message of vqa, that of doc_analyze with a page number, that of video_qa with the times of the frames, or nothing, as for
# captions, reading and boxes. The questions of vqa also come without a system message: other people's must not upset the model.
Mode = Literal["vqa", "doc", "clip", "bare"]

SYSTEM: dict[tuple[Language, Mode], str] = {
    ("en", "vqa"): "Answer from what the images show. If they do not show it, say so.",
    ("zh", "vqa"): "根据图片回答。图中看不出的，请直说。",
    ("en", "doc"): "Answer from this page of a document. If the page does not say it, answer: not on this page.",
    ("zh", "doc"): "根据文档的这一页回答。如果这一页没有说明，请回答：本页没有。",
    ("en", "clip"): "The frames of a video follow, each with its time. Answer from what they show; say at which second where it matters.",
    ("zh", "clip"): "以下是一段视频的画面，每帧前标有时间。根据画面回答；需要时请说明在第几秒。",
}
PAGE_LABEL: dict[Language, str] = {"en": "Page {}:", "zh": "第{}页："}
IMAGE_LABEL: dict[Language, str] = {"en": "Image {}:", "zh": "图{}："}
TIME_LABEL = "<{:.1f} seconds>"


def picture_labels(language: Language, pictures: int, times: Sequence[float] = ()) -> list[str]:
    """What stands before each picture; `times` (s) are those of a clip's frames."""
    if times:
        return [TIME_LABEL.format(seconds) for seconds in times]
    return [IMAGE_LABEL[language].format(number) for number in range(1, pictures + 1)] if pictures > 1 else [""]


def preamble(rng: Random, mode: Mode, language: Language, pictures: int, times: Sequence[float] = ()) -> tuple[str | None, list[str]]:
    """The system message, and what stands before each picture."""
    if mode == "doc":
        number = PAGE_LABEL[language].format(rng.choice((1, 1, 2, 3, rng.randint(4, 30))))
        return SYSTEM[language, "doc"], [number if rng.random() < 0.4 else ""]
    return None if mode == "bare" else SYSTEM[language, mode], picture_labels(language, pictures, times)
