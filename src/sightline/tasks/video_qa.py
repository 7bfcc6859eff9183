"""`video_qa`: a question about a clip. The model sees frames with their times; of a long clip the first 30 seconds.

The times that its answer names are handed out as numbers, and checked against the length of what was seen.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from sightline.prompt import Prompt
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.protocol.requests import VideoOptions
from sightline.tasks.base import Answer, Context, Example, MediaRule, Said, Task, Utterance, converse, instruct, tell
from sightline.tasks.moments import find_moments

_OUTSIDE = Bilingual("回答提到的时间超出了视频：{moments}。", "The answer names times that are not in the clip: {moments}.")
_OUTSIDE_HINT = Bilingual("所用画面长 {seconds} 秒；请核对。", "What was seen is {seconds} s long; check them.")


class VideoQa(Task):
    name = "video_qa"
    version = "2"
    title = Bilingual("视频问答", "Video")
    summary = Bilingual(
        "就 30 秒以内的视频片段提问，回答注明时间；更长的只看前 30 秒。",
        "Ask about a clip of up to 30 s; answers say at which second. Of a longer one the first 30 s are seen.",
    )
    Options = VideoOptions
    media = MediaRule(kinds=frozenset({"video"}), most=1)
    examples = (
        Example(Bilingual("门是在第几秒打开的？", "At which second does the door open?")),
        Example(Bilingual("第 4 秒到第 8 秒之间，穿红衣服的人做了什么？", "What does the person in red do between second 4 and second 8?")),
    )
    needs_text = True
    timeout_ms = 120_000
    lane = "C"

    async def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        def render(turns: Sequence[Utterance]) -> Prompt:
            return Prompt(converse(turns, ctx.language, instruct(ctx, "video_qa")), self.sampling(ctx.options))

        seconds = next((item.seconds for item in ctx.given if item.seconds is not None), None)
        async with aclosing(tell(ctx, render)) as happenings:
            async for happening in happenings:
                yield _timed(happening, seconds) if isinstance(happening, Answer) else happening


def _timed(answer: Answer, seconds: float | None) -> Answer:
    """The answer with the times that it names; those outside of the clip's `seconds` are told."""
    moments = [replace(moment, within=seconds is None or moment.seconds <= seconds) for moment in find_moments(answer.text)]
    outside = ", ".join(moment.text for moment in moments if not moment.within)
    notices = answer.notices
    if outside and seconds is not None:
        notices = (*notices, Notice("moment_outside", _OUTSIDE.fill(moments=outside), _OUTSIDE_HINT.fill(seconds=f"{seconds:g}")))
    return replace(answer, structured={"timestamps": moments, "seconds": seconds}, notices=notices)
