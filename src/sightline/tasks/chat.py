"""`chat`: a free conversation, with or without pictures: what the OpenAI-compatible door speaks to. No prompt of ours is added."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any

import msgspec

from sightline.prompt import Prompt
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.requests import Options, option
from sightline.tasks.base import Answer, Context, MediaRule, Said, Task, Utterance, converse, instruct, tell
from sightline.tasks.schemas import check_schema


class ChatOptions(Options, frozen=True, kw_only=True):
    """`schema` asks for an answer in JSON; `logprobs` puts each token's log-probability on the `token` events."""

    schema: Annotated[dict[str, Any], option("回答须满足的 JSON Schema。", "JSON Schema that the answer must satisfy.")] | None = None
    logprobs: Annotated[bool, option("token 事件带对数概率；用于流式。", "Token events carry log-probabilities; for streams.")] = False


class Chat(Task):
    name = "chat"
    version = "1"
    title = Bilingual("对话", "Chat")
    summary = Bilingual(
        "自由对话，可带图片，也可要求按 JSON Schema 作答。", "A free conversation, with or without images; may answer by a JSON Schema."
    )
    Options = ChatOptions
    media = MediaRule(kinds=frozenset({"image"}), least=0, most=16)
    needs_text = True

    def check(self, options: Any, text: str) -> None:
        super().check(options, text)
        if options.schema is not None:
            check_schema(options.schema, "options.schema")

    def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        def render(turns: Sequence[Utterance]) -> Prompt:
            messages = converse(turns, ctx.language, instruct(ctx, None))
            return Prompt(messages, self.sampling(ctx.options), ctx.options.schema)

        told = tell(ctx, render)
        return told if ctx.options.schema is None else _structured(told)


async def _structured(told: AsyncGenerator[Said | Progress | Answer]) -> AsyncGenerator[Said | Progress | Answer]:
    async with aclosing(told):
        async for happening in told:
            yield replace(happening, structured=_parsed(happening.text)) if isinstance(happening, Answer) else happening


def _parsed(text: str) -> Any:
    """The answer as JSON; None where it was cut before its end."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
