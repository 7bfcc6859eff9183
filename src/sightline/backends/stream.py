"""The events of one streamed chat completion, gathered into `Delta`s; no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from sightline.backends.experts import read_experts
from sightline.backends.thoughts import Thoughts
from sightline.prompt import Delta, TokenLogprob, Usage
from sightline.protocol.sse import Message


class BrokenStream(Exception):
    """A stream that ended too early or holds what no chat completion holds."""


class _Logprob(msgspec.Struct, gc=False):
    token: str
    logprob: float


class _Logprobs(msgspec.Struct, gc=False):
    content: list[_Logprob] | None = None


class _Said(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    """What newer vLLM versions call `reasoning_content`."""


class _Choice(msgspec.Struct, gc=False):
    delta: _Said = msgspec.field(default_factory=_Said)
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Ended(msgspec.Struct, gc=False):
    message: _Message = msgspec.field(default_factory=_Message)
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None
    routed_experts: str | None = None


class _Completion(msgspec.Struct, gc=False):
    choices: list[_Ended] = []
    usage: _Usage | None = None


_whole = msgspec.json.Decoder(_Completion)
_decoder = msgspec.json.Decoder(_Chunk)
_END_TOKENS = frozenset({"<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>", ""})
_ABORTED = frozenset({"abort", "error", "cancelled"})


class Answer:
    """What has come of an answer and was not yet passed on.

    `done` once the server said so; `error` holds the body of an error object that came in the middle.
    """

    def __init__(self) -> None:
        self.done = False
        self.error: bytes | None = None
        self.error_status = 500
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._scored = False
        self._thoughts = Thoughts()
        self._withheld: list[_Logprob] = []

    def feed(self, events: Iterable[Message]) -> bool:
        """Takes in events; True when there was one. Raises `BrokenStream`."""
        heard = False
        for event in events:
            heard = True
            if event.data == b"[DONE]":
                self.end()
                break
            try:
                chunk = _decoder.decode(event.data)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BrokenStream("the stream holds something else than completion chunks") from error
            if chunk.error is not None or event.event == "error":
                self._fail(event.data, chunk.error)
                break
            for choice in chunk.choices:
                self._add(choice)
            if chunk.usage is not None:
                cached = chunk.usage.prompt_tokens_details.cached_tokens if chunk.usage.prompt_tokens_details else None
                self._usage = Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens, cached or 0)
        return heard

    def end(self) -> None:
        """The stream is over. Raises `BrokenStream` when no finish reason came before."""
        if self._finish is None:
            raise BrokenStream("the stream ended in the middle of an answer")
        self._split(*self._thoughts.end())
        self.done = True

    def take(self) -> Delta | None:
        """All that is new as one delta, the finish and usage only with the last; None while there is nothing."""
        if not (self._text or self._reasoning or self._logprobs or self.done):
            return None
        # A flush of withheld text comes without its tokens, which were told before: only an engine that never tells is None.
        logprobs = tuple(self._logprobs) if self._scored else None
        text, reasoning = "".join(self._text), "".join(self._reasoning)
        self._text, self._reasoning, self._logprobs = [], [], []
        if self.done:
            return Delta(text, logprobs, reasoning, self._finish, self._usage)
        return Delta(text, logprobs, reasoning)

    def _add(self, choice: _Choice) -> None:
        said = choice.delta
        thought = said.reasoning_content or said.reasoning
        if thought:
            self._reasoning.append(thought)
        if said.content:
            tokens = choice.logprobs.content if choice.logprobs is not None else None
            self._scored = self._scored or tokens is not None
            self._withheld += tokens or ()
            self._split(*self._thoughts.split(said.content))
        if choice.finish_reason in _ABORTED:
            raise BrokenStream(f"the engine ended the answer with {choice.finish_reason}")
        if choice.finish_reason:
            self._finish = "length" if choice.finish_reason == "length" else "stop"

    def _split(self, thought: str, text: str) -> None:
        """Tokens of thoughts, and the end token, which comes without text, are no part of the answer's confidence."""
        if thought:
            self._reasoning.append(thought)
        if text:
            self._text.append(text)
            if not thought:
                self._logprobs += [TokenLogprob(entry.token, entry.logprob) for entry in self._withheld]
        if thought or text or self._thoughts.thinking:
            self._withheld.clear()

    def _fail(self, data: bytes, error: Any) -> None:
        self.error = data
        code: Any = error.get("code") if isinstance(error, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any JSON may stand there
        self.error_status = code if isinstance(code, int) else 500


def read_whole(body: bytes, experts: int | None) -> Delta:
    """An answer that came in one piece; `experts` is how many a layer has, where that is known. Raises `BrokenStream`."""
    try:
        completion = _whole.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenStream("the answer is no chat completion") from error
    choice = completion.choices[0] if completion.choices else None
    if choice is None or choice.finish_reason is None or choice.finish_reason in _ABORTED:
        raise BrokenStream("the engine ended the answer without a reason" if choice is None else f"it ended with {choice.finish_reason}")
    said = choice.message
    thought = said.reasoning_content or said.reasoning or ""
    logprobs = choice.logprobs.content if choice.logprobs is not None and not thought else None
    usage = completion.usage
    cached = usage.prompt_tokens_details.cached_tokens if usage and usage.prompt_tokens_details else None
    scored = None if logprobs is None else tuple(TokenLogprob(entry.token, entry.logprob) for entry in _without_end(logprobs))
    return Delta(
        text=said.content or "",
        logprobs=scored,
        reasoning=thought,
        finish="length" if choice.finish_reason == "length" else "stop",
        usage=Usage(usage.prompt_tokens, usage.completion_tokens, cached or 0) if usage else None,
        experts=read_experts(choice.routed_experts, experts) if choice.routed_experts else None,
    )


def _without_end(logprobs: list[_Logprob]) -> list[_Logprob]:
    """The tokens of the text: the one that ends an answer is told among them, and is no part of it."""
    last = logprobs[-1].token if logprobs else ""
    return logprobs[:-1] if last in _END_TOKENS else logprobs
