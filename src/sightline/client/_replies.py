"""Reading what came back: answers, refusals, and what no Sightline service would say."""

from __future__ import annotations

import contextlib
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec

from sightline.client._steps import Head
from sightline.client.answers import Answer, StreamEvent
from sightline.client.failures import ConnectionFailed, UnexpectedAnswer, received
from sightline.protocol.errors import TABLE, Error, ErrorBody, ErrorDetail, snake
from sightline.protocol.events import Accepted, Envelope, Progress, Result, Token
from sightline.protocol.language import Bilingual
from sightline.protocol.sse import Message

T = TypeVar("T")

_GATEWAY = {502, 503, 504}
_EVENTS: dict[str, type[Accepted | Token | Progress | Answer | ErrorBody]] = {
    "accepted": Accepted,
    "token": Token,
    "progress": Progress,
    "final": Answer,
    "error": ErrorBody,
}


class _Reply(msgspec.Struct):
    """An envelope or an error; which of them is found by what is present."""

    request_id: str = ""
    code: int = 0
    msg: str = "success"
    result: Result | None = None
    error: ErrorDetail | None = None


def answer(head: Head, data: bytes, address: str) -> Answer:
    """The answer in a body. A result that is present is a result, whatever the code; raises the `Error` otherwise."""
    reply = _reply(data)
    if reply and reply.result:
        return Answer.of(Envelope(request_id=reply.request_id, code=reply.code, msg=reply.msg, result=reply.result))
    raise refusal(head, data, address)


def document(head: Head, data: bytes, kind: type[T], address: str) -> T:
    """A body that is no answer; 503 may hold one too (`/ready`). Raises the `Error` that it tells of, or `UnexpectedAnswer`."""
    if head.status in {200, 201, 503}:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            return msgspec.json.decode(data, type=kind)
    raise refusal(head, data, address)


def refusal(head: Head, data: bytes, address: str) -> Error:
    """The error in a body; what a proxy on the way says instead of a service that is away counts as `ConnectionFailed`."""
    reply = _reply(data)
    wait = _retry_after(head)
    if reply and reply.code in TABLE:
        kind = TABLE[reply.code]
        detail = reply.error or ErrorDetail(type=snake(kind.__name__), hint="", retryable=kind.retryable)
        name = reply.request_id or head.headers.get("x-request-id", "")
        error = received(ErrorBody(name, reply.code, reply.msg, detail), address, head.status)
        error.retry_after_ms = wait if error.retry_after_ms is None else error.retry_after_ms
        return error
    if head.status in _GATEWAY:
        reason = Bilingual(f"中间的代理回答 HTTP {head.status}", f"a proxy on the way answered HTTP {head.status}")
        return ConnectionFailed(address, reason, retry_after_ms=wait)
    return UnexpectedAnswer(address, head.status)


def event(message: Message, address: str) -> StreamEvent | None:
    """One event of a stream; None for one that is newer than this library. Raises the `Error` that it tells of."""
    kind = _EVENTS.get(message.event)
    if kind is None:
        return None
    try:
        told = msgspec.json.decode(message.data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UnexpectedAnswer(address, 200) from None
    if isinstance(told, ErrorBody):
        raise received(told, address, 200)
    return told


def _reply(data: bytes) -> _Reply | None:
    try:
        return msgspec.json.decode(data, type=_Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _retry_after(head: Head) -> int | None:
    """Milliseconds by `Retry-After`: seconds, or a date against the `Date` of the same response, so that no clock need agree."""
    value = head.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(int(value), 86_400) * 1000
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(head.headers.get("date", ""))
        return max(0, round(wait.total_seconds() * 1000))
    except (ValueError, TypeError):
        return None
