"""What the OpenAI-compatible door says: completions, chunks of them, models and errors, in OpenAI's shape.

Source: https://platform.openai.com/docs/api-reference/chat. What that shape has no place for stands in `sightline`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from sightline.protocol.errors import Error, MalformedRequest
from sightline.protocol.events import Final, Metadata, Token
from sightline.protocol.language import Language
from sightline.protocol.receipts import Advice

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class ChatLogprob(msgspec.Struct, frozen=True):
    """One token of the answer; `bytes` are those of its UTF-8. Other candidates are not told."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[Any] = []


class ChatLogprobs(msgspec.Struct, frozen=True):
    """The tokens of an answer or of a piece of it."""

    content: list[ChatLogprob]
    refusal: None = None


class ChatUsage(msgspec.Struct, frozen=True):
    """Tokens read, written, and both together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatExtra(msgspec.Struct, frozen=True):
    """How the answer came about, as `/infer` tells it."""

    request_id: str
    code: int
    confidence: float | None
    metadata: Metadata
    warnings: tuple[Advice, ...]


class ChatAnswer(msgspec.Struct, frozen=True):
    """The model's turn."""

    content: str
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class ChatChoice(msgspec.Struct, frozen=True):
    """The one answer; `finish_reason` is `stop`, or `length` where it was cut at max_tokens."""

    message: ChatAnswer
    finish_reason: str
    logprobs: ChatLogprobs | None = None
    index: int = 0


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an answer in one piece."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage
    sightline: ChatExtra


class ChatDelta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a chunk adds."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChatPiece(msgspec.Struct, frozen=True):
    """The piece of the one answer in a chunk; the last one says why it ended."""

    delta: ChatDelta
    finish_reason: str | None = None
    logprobs: ChatLogprobs | None = None
    index: int = 0


class ChatChunk(msgspec.Struct, frozen=True, kw_only=True):
    """The data of one event of a streamed answer. The one before `[DONE]` holds the usage, where that was asked for."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChatPiece]
    usage: ChatUsage | msgspec.UnsetType = msgspec.UNSET
    sightline: ChatExtra | msgspec.UnsetType = msgspec.UNSET


class ChatModel(msgspec.Struct, frozen=True):
    """One model; `default` stands for whichever the service has."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "sightline"


class ChatModels(msgspec.Struct, frozen=True):
    """The models that can be asked."""

    data: list[ChatModel]
    object: Literal["list"] = "list"


class ChatErrorDetail(msgspec.Struct, frozen=True):
    """`type` is OpenAI's, by the HTTP status; `code` is the error's name in our table; `param` is the field that is meant."""

    message: str
    type: str
    param: str | None
    code: str


class ChatError(msgspec.Struct, frozen=True):
    """An error: the body of a refused call, and the data of the last event of one that failed later."""

    error: ChatErrorDetail


def failed(error: Error, language: Language) -> ChatError:
    """An error of the table in OpenAI's shape."""
    body = error.body("", language)
    field = error.details.get("field")
    return ChatError(
        ChatErrorDetail(
            message=f"{body.msg} {body.error.hint}",
            type=_TYPES.get(status_of(error), "invalid_request_error" if error.status < 500 else "server_error"),
            param=field.removeprefix("options.") if isinstance(field, str) else None,
            code="model_not_found" if _is_unknown_model(error) else body.error.type,
        )
    )


def status_of(error: Error) -> int:
    """The HTTP status at this door: a model that is not there is 404 to OpenAI's clients."""
    return 404 if _is_unknown_model(error) else error.status


def _is_unknown_model(error: Error) -> bool:
    return isinstance(error, MalformedRequest) and error.details["field"] == "options.model"


def logprobs(tokens: Sequence[Token]) -> ChatLogprobs:
    """The log-probabilities of pieces of an answer."""
    spoken = [each for token in tokens if token.logprobs is not msgspec.UNSET for each in token.logprobs]
    return ChatLogprobs([ChatLogprob(each.token, each.logprob, list(each.token.encode())) for each in spoken])


def usage(final: Final) -> ChatUsage:
    """What the answer cost."""
    read, written = final.metadata.input_tokens or 0, final.metadata.output_tokens or 0
    return ChatUsage(read, written, read + written)


def extra(final: Final) -> ChatExtra:
    """What OpenAI's shape has no place for."""
    return ChatExtra(final.request_id, final.code, final.confidence, final.metadata, final.warnings)
