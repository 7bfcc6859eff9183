"""What a caller may send: the request, its media, and the options that every task knows.

A task adds options by deriving its own struct from `Options` (see `tasks.base`). Unknown fields are refused by name, and
nothing is accepted that is then ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from sightline.protocol.language import Language
from sightline.protocol.lifting import Held

Text = Annotated[str, Meta(max_length=200_000)]


def option(zh: str, en: str, **bounds: Any) -> Meta:
    """What an option is for, in both languages, and its bounds: in a schema `description` and `x-description-zh`."""
    return Meta(description=en, extra_json_schema={"x-description-zh": zh}, **bounds)


class MediaObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An input said by name: exactly one of an http(s) address, the content itself (base64 or a data URI), or an uploaded file."""

    holds: ClassVar[tuple[str, ...]] = ("data",)
    url: Annotated[str, Meta(min_length=1, max_length=8192)] | None = None
    data: Annotated[str, Meta(min_length=1)] | None = None
    file_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.url, self.data, self.file_id)) != 1:
            raise ValueError("exactly one of url, data and file_id is needed")


WrittenMedia = Annotated[str, Meta(min_length=1)] | MediaObject
"""An image, document or video: an address, a data URI, or an object. What it is, is found by its content."""
Media = WrittenMedia | Held
"""The same after a body was decoded, where `lifting` may have left a long string unread."""


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One earlier turn of a conversation; only a user's turn may show something."""

    holds: ClassVar[tuple[str, ...]] = ("images",)
    role: Literal["user", "assistant"]
    text: Text = ""
    images: Annotated[list[WrittenMedia], Meta(max_length=200)] = []

    def __post_init__(self) -> None:
        if self.role == "assistant" and self.images:
            raise ValueError("an assistant's turn cannot hold images")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Options of every task. What is left out is chosen by the task and the model."""

    max_tokens: Annotated[int, option("回答的最大长度（token）。", "Longest answer, in tokens.", ge=1, le=32768)] | None = None
    temperature: Annotated[float, option("0 表示总取最可能的 token。", "0 always takes the likeliest token.", ge=0, le=2)] | None = None
    top_p: (
        Annotated[
            float,
            option(
                "只从累计概率达到此值的 token 中抽取。", "Draws from the likeliest tokens that together have this probability.", gt=0, le=1
            ),
        ]
        | None
    ) = None
    top_k: Annotated[int, option("0 表示关闭。", "0 switches it off.", ge=0, le=1000)] | None = None
    seed: Annotated[int, option("固定随机种子，使抽取可重复。", "Makes the draw repeatable.", ge=0, le=2**32 - 1)] | None = None
    stop: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=64)]],
        option("出现其中任一文字即停止。", "Words before which the answer ends.", max_length=4),
    ] = []
    stream: Annotated[
        bool, option("由路径决定；不支持流式的路径会拒绝 true。", "The path decides; true is refused on a path that does not stream.")
    ] = False
    timeout_ms: (
        Annotated[int, option("整个请求的时限，从到达时算起。", "Time for the whole call, from its arrival.", ge=1, le=3_600_000)] | None
    ) = None
    model: (
        Annotated[str, option("模型名称；默认由通道决定。", "The model's name; by default the lane's own.", min_length=1, max_length=128)]
        | None
    ) = None
    system: Annotated[str, option("代替任务自带的系统消息。", "Replaces the task's system message.", max_length=20_000)] | None = None
    persona: (
        Annotated[
            str,
            option(
                "以谁的身份作答；可选角色见 GET /tasks。",
                "In whose shoes the model answers; GET /tasks names them.",
                min_length=1,
                max_length=64,
            ),
        ]
        | None
    ) = None
    language: Annotated[
        Language | None, option("回答所用的语言；默认与问题相同。", "Language of the answer; by default that of the text.")
    ] = None
    detail: Annotated[
        Literal["low", "auto", "high"],
        option(
            "模型看到的像素：四分之一、默认，或直至其上限。",
            "How many pixels the model sees: a quarter, its default, or up to its maximum.",
        ),
    ] = "auto"
    cache: Annotated[
        Literal["auto", "only", "refresh", "off"],
        option(
            "auto：按任务默认；only：只用缓存的答案；refresh：重新提问并记住；off：不用缓存。",
            "auto: as the task does by default; only: a remembered answer or none; refresh: ask anew and remember; off.",
        ),
    ] = "auto"
    allow_degraded: Annotated[
        bool,
        option(
            "所请求的模型繁忙或不可用时，是否允许较轻的模型作答。", "Whether a lighter model may answer when the asked one is full or away."
        ),
    ] = True
    priority: Annotated[
        int, option("等待中的请求数值大者优先；上限由密钥决定。", "Higher goes first among waiting calls; capped by the key.", ge=0, le=9)
    ] = 0


class VideoOptions(Options, frozen=True, kw_only=True):
    """Options of tasks that take videos."""

    on_long_video: Annotated[
        Literal["clip", "reject"],
        option(
            "视频超过 30 秒时：使用前 30 秒并警告（1002），或拒绝。",
            "Of a video over 30 s: use its first 30 s and warn (1002), or refuse it.",
        ),
    ] = "clip"


class InferRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of `/infer` and `/infer_stream`. `options` stays undecoded until the task is known."""

    holds: ClassVar[tuple[str, ...]] = ("images",)
    task: Annotated[str, Meta(min_length=1, max_length=64)]
    images: Annotated[list[WrittenMedia], Meta(max_length=200)] = []
    text: Text = ""
    options: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))
    messages: Annotated[list[Turn], Meta(max_length=100, description="Earlier turns, oldest first.")] = []
