"""How long a question may take where nobody says: what its task takes in the service, known here so that a silent one is given up.

A document's time grows with its pages, which only the service counts: it is left to choose the time, and waited for as long as
the largest document may take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.client._media import Content, Source

IMAGE_SECONDS, VIDEO_SECONDS = 30.0, 120.0


@dataclass(frozen=True, slots=True)
class TaskTime:
    """Seconds of a task: for one answer, and for every page that is read."""

    base: float
    page: float = 0.0


TASKS = {
    "captioning": TaskTime(IMAGE_SECONDS),
    "chart_parse": TaskTime(60.0),
    "chat": TaskTime(IMAGE_SECONDS),
    "doc_analyze": TaskTime(60.0, page=10.0),
    "grounding": TaskTime(60.0),
    "ocr": TaskTime(60.0),
    "video_qa": TaskTime(VIDEO_SECONDS),
    "vqa": TaskTime(IMAGE_SECONDS),
}
OTHER_SECONDS = 600.0
"""Of a task that a service has of its own: it chooses the time, and is waited for so long."""
MOST_PAGES = 200


@dataclass(frozen=True, slots=True)
class Time:
    """The seconds that a call may take; `told`: whether the service is told them, or chooses them itself."""

    seconds: float
    told: bool = True


def by_default(task: str, shown: Sequence[Source]) -> Time:
    """The time of a question that shows these inputs."""
    known = TASKS.get(task)
    if known is None:
        return Time(OTHER_SECONDS, told=False)
    if known.page:
        pages_are_known = all(isinstance(source, Content) and source.is_picture for source in shown)
        pages = len(shown) if pages_are_known else MOST_PAGES
        return Time(known.base + known.page * pages, told=pages_are_known)
    video = any(source.is_video for source in shown)
    return Time(max(known.base, VIDEO_SECONDS) if video else known.base)
