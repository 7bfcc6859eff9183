"""What a caller may send: the request, its media, and the options that every task knows.

A task adds options by deriving its own struct from `Options` (see `tasks.base`). Unknown fields are refused by name, and
nothing is accepted that is then ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sightline.protocol.language import Language

Text = Annotated[str, Meta(max_length=200_000)]


class MediaObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An input said by name: exactly one of an http(s) address, the content itself (base64 or a data URI), or an uploaded file."""

    url: Annotated[str, Meta(min_length=1, max_length=8192)] | None = None
    data: Annotated[str, Meta(min_length=1)] | None = None
    file_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.url, self.data, self.file_id)) != 1:
            raise ValueError("exactly one of url, data and file_id is needed")


Media = Annotated[str, Meta(min_length=1)] | MediaObject
"""An image, document or video: an address, a data URI, or an object. What it is, is found by its content."""


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One earlier turn of a conversation; only a user's turn may show something."""

    role: Literal["user", "assistant"]
    text: Text = ""
    images: Annotated[list[Media], Meta(max_length=200)] = []

    def __post_init__(self) -> None:
        if self.role == "assistant" and self.images:
            raise ValueError("an assistant's turn cannot hold images")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Options of every task. What is left out is chosen by the task and the model."""

    max_tokens: Annotated[int, Meta(ge=1, le=32768, description="Longest answer, in tokens.")] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2, description="0 always takes the likeliest token.")] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=1000, description="0 switches it off.")] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None
    stop: Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=4)] = []
    stream: Annotated[bool, Meta(description="The path decides; true is refused on a path that does not stream.")] = False
    timeout_ms: Annotated[int, Meta(ge=1, le=3_600_000, description="Time for the whole call, from its arrival.")] | None = None
    model: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    system: Annotated[str, Meta(max_length=20_000, description="Replaces the task's system message.")] | None = None
    persona: (
        Annotated[str, Meta(min_length=1, max_length=64, description="In whose shoes the model answers; GET /tasks names them.")] | None
    ) = None
    language: Annotated[Language | None, Meta(description="Language of the answer; by default that of the text.")] = None
    detail: Annotated[
        Literal["low", "auto", "high"], Meta(description="How many pixels the model sees: a quarter, its default, or up to its maximum.")
    ] = "auto"
    cache: Annotated[
        Literal["auto", "only", "refresh", "off"],
        Meta(description="auto: as the task does by default; only: a remembered answer or none; refresh: ask anew and remember; off."),
    ] = "auto"
    allow_degraded: Annotated[bool, Meta(description="Whether a lighter model may answer when the asked one is full or away.")] = True
    priority: Annotated[int, Meta(ge=0, le=9, description="Higher goes first among waiting calls; capped by the key.")] = 0


class VideoOptions(Options, frozen=True, kw_only=True):
    """Options of tasks that take videos."""

    on_long_video: Annotated[
        Literal["clip", "reject"], Meta(description="Of a video over 30 s: use its first 30 s and warn (1002), or refuse it.")
    ] = "clip"


class InferRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of `/infer` and `/infer_stream`. `options` stays undecoded until the task is known."""

    task: Annotated[str, Meta(min_length=1, max_length=64)]
    images: Annotated[list[Media], Meta(max_length=200)] = []
    text: Text = ""
    options: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))
    messages: Annotated[list[Turn], Meta(max_length=100, description="Earlier turns, oldest first.")] = []
