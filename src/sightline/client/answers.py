"""What a caller gets: the answer, and the events of a streamed one."""

from __future__ import annotations

from typing import Any

import msgspec

from sightline.protocol.events import Accepted, Envelope, Final, Progress, Token


class Answer(Final, frozen=True, kw_only=True):
    """An answer. `print(answer)` shows its text; `confidence` is 0..1 or None; `metadata.receipts` tell what was done to each input.

    `code` is 0, or names what was less than asked while there still is an answer (2001: a lighter model gave it, see
    `metadata.degraded`); `structured` holds the answer of a task that parses; `warnings` are for a person to read.
    """

    @property
    def text(self) -> str:
        """The answer in words."""
        return self.answer

    def __str__(self) -> str:
        return self.answer

    @classmethod
    def of(cls, envelope: Envelope) -> Answer:
        """The answer in the body of a call that was not streamed."""
        result = envelope.result
        return cls(
            answer=result.answer,
            metadata=result.metadata,
            confidence=result.confidence,
            request_id=envelope.request_id,
            code=envelope.code,
            msg=envelope.msg,
            structured=result.structured,
            warnings=result.warnings,
        )


class TaskMedia(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs that a task takes: kinds (`image`, `document`, `video`), and how few and how many."""

    kinds: list[str]
    least: int
    most: int


class TaskInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a service can be asked to do. `title` and `summary` are by language; `options` is a JSON Schema."""

    name: str
    title: dict[str, str]
    summary: dict[str, str]
    needs_text: bool
    media: TaskMedia
    options: dict[str, Any]
    timeout_ms: int


class TaskList(msgspec.Struct, frozen=True):
    """The body of `/tasks`."""

    tasks: list[TaskInfo]


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a service has. `fake` marks a simulated engine, for tests."""

    name: str
    context_tokens: int | None = None
    fake: bool = False


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a service can answer, by lane, and its models."""

    ready: bool
    lanes: dict[str, bool] = {}
    models: list[ModelState] = []


StreamEvent = Accepted | Progress | Token | Answer
"""What a stream tells, in this order: admitted, work done on the way, pieces of text, the answer."""


class Gathered:
    """What has come of a stream until now; `AnswerStream` and `AsyncAnswerStream` share it."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._final: Answer | None = None
        self._accepted: Accepted | None = None

    @property
    def text(self) -> str:
        """The text that has come until now."""
        return "".join(self._text)

    @property
    def accepted(self) -> Accepted | None:
        """Which lane and model took the call, and the wait that was predicted."""
        return self._accepted

    @property
    def final(self) -> Answer:
        """The answer with its confidence and metadata. There is none before the stream has been read to its end: `RuntimeError`."""
        if self._final is None:
            raise RuntimeError("the stream has not been read to its end, so there is no final answer yet; call finish() to read the rest")
        return self._final

    def _note(self, event: StreamEvent) -> StreamEvent:
        match event:
            case Token():
                self._text.append(event.token)
            case Answer():
                self._final = event
            case Accepted():
                self._accepted = event
            case Progress():
                pass
        return event
