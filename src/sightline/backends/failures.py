"""Foreign errors to ours, once: what an engine or the way to it says, read into the classes of `protocol.errors`.

What an engine says may quote the prompt, so little of it is kept, and only as the `cause`, which goes to the log alone.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from sightline.backends.dialects import Dialect
from sightline.protocol.errors import BackendUnavailable, Error, MalformedRequest, Overloaded
from sightline.protocol.language import Bilingual

_LENGTH = re.compile(r"context (?:length|size|window)|maximum model length|max_model_len|too long", re.I)
_LIMIT = re.compile(r"(?:maximum context length is|maximum model length of|available context size \(|context window of)\s*(\d+)", re.I)
_ASKED = re.compile(
    r"(?:request \(|your request has|you requested|requested about|\(length|prompt contains(?: at least)?|resulted in)\s*(\d+)", re.I
)
_SCHEMA = re.compile(r"schema|grammar|structured output|guided", re.I)
_MOST_CAUSE = 160


class Complaint(msgspec.Struct):
    """The error object of OpenAI-compatible servers; every field may be missing or of another type."""

    message: Any = ""
    type: Any = ""
    code: Any = None
    n_prompt_tokens: Any = None
    n_ctx: Any = None


class _Body(msgspec.Struct):
    error: Complaint | str | None = None
    message: Any = None
    type: Any = None


def read_complaint(body: bytes) -> Complaint | None:
    """The error object in a body; None when it is no JSON of that kind (a proxy's page, say)."""
    try:
        found = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(found.error, str):
        return Complaint(message=found.error)
    if found.error is None and found.message is not None:
        return Complaint(message=found.message, type=found.type or "")
    return found.error


def from_status(status: int, body: bytes, dialect: Dialect, *, retry_after: str | None = None, schema: bool = False) -> Error:
    """The error of an answer that is no 200, or of an error object in the middle of a stream (with its own `code` as status).

    `schema` says that the request asked for structured output, whose refusal is then the caller's to mend.
    """
    complaint = read_complaint(body)
    if complaint is None:
        return BackendUnavailable(cause=f"HTTP {status} without an error object")
    said = f"{complaint.type} {complaint.message}"
    if status in (429, 503) and not (dialect.loading and complaint.type == dialect.loading):
        return Overloaded("backend", retry_after_ms=_milliseconds(retry_after))
    if status in (400, 413, 422):
        if complaint.n_ctx is not None or _LENGTH.search(said):
            return _over_context(complaint)
        if schema and _SCHEMA.search(said):
            return MalformedRequest(
                "response_format", Bilingual("引擎无法按此 JSON Schema 作答", "the engine cannot follow this JSON Schema")
            )
    return BackendUnavailable(cause=f"HTTP {status}: {said[:_MOST_CAUSE]}")


def _over_context(complaint: Complaint) -> MalformedRequest:
    message = str(complaint.message)
    asked, limit = complaint.n_prompt_tokens, complaint.n_ctx
    if asked is None and (found := _ASKED.search(message)):
        asked = found[1]
    if limit is None and (found := _LIMIT.search(message)):
        limit = found[1]
    if asked is None or limit is None:
        return MalformedRequest("body", Bilingual("输入超出模型的上下文长度", "the input is longer than the model's context"))
    return MalformedRequest(
        "body",
        Bilingual(f"输入有 {asked} 个 token，超出模型的上下文", f"the input has {asked} tokens, over the model's context"),
        Bilingual(f"至多 {limit} 个 token", f"at most {limit} tokens"),
    )


def _milliseconds(retry_after: str | None) -> int:
    """A `Retry-After` in seconds; one second where it is absent, a date or nonsense."""
    try:
        seconds = float(retry_after or 1)
    except ValueError:
        seconds = 1.0
    return int(1000 * min(max(seconds, 0.1), 3600.0)) if math.isfinite(seconds) else 1000


_BRIEF = (
    (re.compile(r"certificate has expired", re.I), "its certificate has expired"),
    (re.compile(r"certificate|ssl|tls", re.I), "its certificate or its TLS was refused"),
    (re.compile(r"HTTP 40[13]"), "it refused the key"),
    (re.compile(r"HTTP \d+"), "it answers with an error"),
    (re.compile(r"not a list of models|not HTTP"), "what answers there is no such server"),
    (re.compile(r"no connection within|silent for|no answer in time|stopped answering"), "it does not answer in time"),
    (re.compile(r"is not served there"), ""),
)


def brief(trouble: str) -> str:
    """Why an engine is away, without its address and without its words; names of models are the operator's own."""
    for form, words in _BRIEF:
        if form.search(trouble):
            return words or trouble
    return "it cannot be reached"
