"""`video_qa`: a question about a clip. The model sees frames with their times; of a long clip the first 30 seconds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from sightline.prompt import Prompt, text_of
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.requests import VideoOptions
from sightline.tasks.base import Answer, Context, MediaRule, Said, Task, Utterance, converse, tell


class VideoQa(Task):
    name = "video_qa"
    version = "1"
    title = Bilingual("视频问答", "Video")
    summary = Bilingual(
        "就 30 秒以内的视频片段提问；更长的只看前 30 秒。",
        "Ask about a clip of up to 30 s; of a longer one the first 30 s are seen.",
    )
    Options = VideoOptions
    media = MediaRule(kinds=frozenset({"video"}), most=1)
    needs_text = True
    timeout_ms = 120_000
    lane = "C"

    def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        def render(turns: Sequence[Utterance]) -> Prompt:
            system = ctx.options.system or text_of("video_qa", ctx.language)
            return Prompt(converse(turns, ctx.language, system), self.sampling(ctx.options))

        return tell(ctx, render)
