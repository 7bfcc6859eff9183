"""A second opinion by a model: any backend that answers in Qwen3Guard's form.

    Safety: Unsafe
    Categories: Violent, Suicide & Self-Harm

Text goes to a guard model as it is (Qwen3Guard's own chat template asks the question); pictures go to a vision model with
the instruction of `personas/guard-image`. What a guard says decides; when it is away or answers in another form, the call
fails as `BackendUnavailable` (5001) rather than go unchecked. Form: Qwen3Guard's model card (Qwen/Qwen3Guard-Gen-8B).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from sightline.prompt import Frame, Message, Prompt, Sampling, text_of
from sightline.protocol.errors import BackendUnavailable
from sightline.protocol.language import Language
from sightline.service.ports import Backend

CATEGORIES = {
    "Violent": "violent",
    "Non-violent Illegal Acts": "illegal_acts",
    "Sexual Content or Sexual Acts": "sexual_content",
    "PII": "personal_data",
    "Suicide & Self-Harm": "self_harm",
    "Unethical Acts": "unethical_acts",
    "Politically Sensitive Topics": "political",
    "Copyright Violation": "copyright",
    "Jailbreak": "jailbreak",
}
"""The guard's categories and what they are called in a refusal."""

_SAFETY = re.compile(r"Safety:\s*(Safe|Unsafe|Controversial)\b")
_NAMED = re.compile("|".join(re.escape(name) for name in CATEGORIES))
_MOST_TOKENS = 64
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard said; `categories` are ours, in its order."""

    label: Literal["safe", "controversial", "unsafe"]
    categories: tuple[str, ...] = ()


def parse(answer: str) -> Verdict | None:
    """The verdict in an answer; None when it holds none, or more than one that differ."""
    labels = set(_SAFETY.findall(answer))
    if len(labels) != 1:
        return None
    categories = answer.partition("Categories:")[2]
    named = tuple(dict.fromkeys(CATEGORIES[name] for name in _NAMED.findall(categories)))
    match labels.pop():
        case "Unsafe":
            return Verdict("unsafe", named)
        case "Controversial":
            return Verdict("controversial", named)
        case _:
            return Verdict("safe")


def windows(length: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """Stretches (begin, end) of a text that together cover it, each sharing `overlap` characters with the one before."""
    edges = [*range(0, max(length, 1), size), length]
    return [(max(0, begin - overlap), end) for begin, end in pairwise(edges)]


class Guard:
    """A guard model behind a backend. `refuses` says which verdicts refuse."""

    def __init__(
        self,
        backend: Backend,
        *,
        refuse_controversial: bool = False,
        window: int = 400,
        overlap: int = 100,
        input_window: int = 4000,
        frames_at_once: int = 8,
    ) -> None:
        """Sizes are characters: `window` of an answer is judged before any of it is shown, `input_window` of a question at a time."""
        self._backend = backend
        self._refuse_controversial = refuse_controversial
        self.window = window
        self.overlap = overlap
        self._input_window = input_window
        self._frames_at_once = frames_at_once

    @property
    def version(self) -> str:
        return f"{self._backend.name}{'+' if self._refuse_controversial else ''}"

    async def judge(self, text: str, tenant: str) -> str | None:
        """The category for which a text is refused, or None. Raises `BackendUnavailable`."""
        if not text.strip():
            return None
        stretches = [text[begin:end] for begin, end in windows(len(text), self._input_window, self.overlap)]
        return await self._first([(stretch,) for stretch in stretches], tenant)

    async def judge_pictures(self, frames: Sequence[Frame], language: Language, tenant: str) -> str | None:
        """The category for which pictures are refused, or None; all of them are shown, some at a time. Raises `BackendUnavailable`."""
        instruction = text_of("guard-image", language)
        steps = range(0, len(frames), self._frames_at_once)
        return await self._first([(*frames[step : step + self._frames_at_once], instruction) for step in steps], tenant)

    async def _first(self, asked: Sequence[tuple[str | Frame, ...]], tenant: str) -> str | None:
        for step in range(0, len(asked), _AT_ONCE):
            verdicts = await asyncio.gather(*(self._ask(parts, tenant) for parts in asked[step : step + _AT_ONCE]))
            for verdict in verdicts:
                if verdict.label == "unsafe" or (self._refuse_controversial and verdict.label == "controversial"):
                    return verdict.categories[0] if verdict.categories else verdict.label
        return None

    async def _ask(self, parts: tuple[str | Frame, ...], tenant: str) -> Verdict:
        prompt = Prompt((Message("user", parts),), Sampling(max_tokens=_MOST_TOKENS, temperature=0.0))
        answer: list[str] = []
        async with aclosing(self._backend.generate(prompt, tenant=tenant)) as deltas:
            async for delta in deltas:
                answer.append(delta.text)
        verdict = parse("".join(answer))
        if verdict is None:
            raise BackendUnavailable(cause=f"the guard {self._backend.name} did not answer in its form")
        return verdict
