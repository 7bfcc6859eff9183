"""The OpenAI-compatible wire: what a chat completion may ask, and how it becomes a call. What is not supported is refused by name.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual
from sightline.protocol.requests import MediaObject, Text, Turn, WrittenMedia
from sightline.service.calls import Call, check
from sightline.service.ports import Caller
from sightline.tasks.base import tasks
from sightline.tasks.chat import ChatOptions

_Detail = Literal["low", "auto", "high"]
ANY_MODEL = "default"
"""The model name that stands for whichever model the service has."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class ImageAddress(_Strict, frozen=True):
    holds: ClassVar[tuple[str, ...]] = ("url",)
    url: Annotated[str, Meta(min_length=1)]
    detail: _Detail = "auto"


class TextPart(_Strict, frozen=True, tag_field="type", tag="text"):
    text: Text


class ImagePart(_Strict, frozen=True, tag_field="type", tag="image_url"):
    image_url: ImageAddress


class ChatMessage(_Strict, frozen=True):
    """One turn. An answer of ours can be sent back as it came, with its `refusal` of null."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart | ImagePart] = ""
    name: str | None = None
    refusal: None = None


class JsonSchema(_Strict, frozen=True):
    schema: dict[str, Any]
    name: str = "answer"
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(_Strict, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(_Strict, frozen=True):
    include_usage: bool = False


class ChatRequest(_Strict, frozen=True, kw_only=True):
    """The body of POST /v1/chat/completions.

    Where only one value of a field can be kept (`n`, penalties), that value may be sent, since many clients always do.
    """

    messages: Annotated[list[ChatMessage], Meta(min_length=1, max_length=101)]
    model: Annotated[str, Meta(max_length=128)] = ANY_MODEL
    max_tokens: Annotated[int, Meta(ge=1, le=32768)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1, le=32768)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=0)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=0, le=0)] | None = None
    presence_penalty: Annotated[float, Meta(ge=0, le=0)] | None = None
    response_format: ResponseFormat | None = None


def to_call(request: ChatRequest, caller: Caller, request_id: str, arrived: float) -> Call:
    """The call behind a chat completion: task `chat`. Raises `MalformedRequest`, `TooLarge`."""
    system = [_words(message) for message in request.messages if message.role in ("system", "developer")]
    spoken = [message for message in request.messages if message.role in ("user", "assistant")]
    if not spoken or spoken[-1].role != "user":
        raise MalformedRequest("messages", Bilingual("最后一条消息应来自 user", "the last message must be the user's"))
    turns = tuple(Turn("assistant" if each.role == "assistant" else "user", _words(each), _images(each)) for each in spoken)
    options = ChatOptions(
        max_tokens=request.max_completion_tokens or request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        seed=request.seed,
        stop=[request.stop] if isinstance(request.stop, str) else request.stop or [],
        system="\n".join(system) or None,
        model=None if request.model == ANY_MODEL else request.model,
        detail=_detail(request),
        schema=_schema(request.response_format),
        logprobs=bool(request.logprobs),
    )
    call = Call(request_id, tasks()["chat"], options, turns, caller, arrived)
    check(call)
    return call


def _words(message: ChatMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n".join(part.text for part in message.content if isinstance(part, TextPart))


def _images(message: ChatMessage) -> list[WrittenMedia]:
    parts = [part for part in message.content if isinstance(part, ImagePart)]
    if parts and message.role != "user":
        raise MalformedRequest("messages", Bilingual("只有 user 的消息可以带图片", "only a user's message may hold images"))
    return [_media(part.image_url.url) for part in parts]


def _media(url: str) -> WrittenMedia:
    """An uploaded file may stand where OpenAI has an address: `file_...`."""
    named = isinstance(url, str) and url.startswith("file_")  # pyright: ignore[reportUnnecessaryIsInstance]  # a long one is a `Held`
    return MediaObject(file_id=url) if named else url


def _detail(request: ChatRequest) -> _Detail:
    """The closest look that any of the images asks for."""
    asked = {part.image_url.detail for message in request.messages for part in message.content if isinstance(part, ImagePart)}
    if "high" in asked:
        return "high"
    return "low" if asked == {"low"} else "auto"


def _schema(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "object"}
    if wanted.json_schema is None:
        raise MalformedRequest("response_format.json_schema", Bilingual("缺少该字段", "it is missing"))
    return wanted.json_schema.schema
