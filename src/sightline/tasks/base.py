"""The contract of a task. A task is one file in this folder with one `Task` subclass; nothing else registers it.

A task says which options it takes, which media, how long it may run, and how an answer comes about: `run(ctx)`, an async
generator of `Said` and `Progress` that ends with one `Answer`. It sees its caller's text and media through the context and
may generate as often as it needs.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import msgspec

from sightline.prompt import Delta, Frame, Message, Part, Prompt, Sampling, TokenLogprob, text_of
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual, Language
from sightline.protocol.receipts import Kind, Notice
from sightline.protocol.requests import Options
from sightline.tasks.confidence import Calibrator
from sightline.tasks.personas import Persona
from sightline.tasks.writing import Written

Lane = Literal["A", "B", "C"]


class Said(msgspec.Struct, frozen=True, gc=False):
    """A piece of the answer, to be shown at once. All pieces of a text task together are its answer."""

    text: str
    logprobs: tuple[TokenLogprob, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a task ends with. `confidence` is 0..1 or None; `finish` is `stop` or `length`."""

    text: str
    confidence: float | None
    finish: str = "stop"
    structured: Any = None
    notices: tuple[Notice, ...] = ()
    calibrated: bool | None = None
    """Whether a calibrator was applied to `confidence`; None leaves that to the service, which applies that of the task's answers."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One input as the model sees it: an image is one frame, a document or a video many."""

    kind: Kind
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn of the conversation with its media loaded."""

    role: Literal["user", "assistant"]
    text: str
    shown: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """One input as it came, before anything is decoded. Sizes are pixels as displayed (upright), of a document's largest page."""

    kind: Kind
    width: int
    height: int
    pages: int = 1
    seconds: float | None = None
    """Length of a video that is used."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of an image in pixels of the original as displayed (upright): left, top, right, bottom."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Look:
    """One input looked at alone, whole or in part. `input` counts the inputs of all turns from 0.

    A `crop` of an image is shown up to `scale` times as large as the whole picture is, as far as the original has the detail;
    `pages` (1-based) are those of a document.
    """

    input: int
    crop: Crop | None = None
    scale: float = 2.0
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decided for all callers."""

    arithmetic: bool = True
    """Questions about rates, sums and differences of charts are computed from the values, where the caller does not say otherwise."""


Render = Callable[[Sequence[Utterance]], Prompt]
"""The conversation (oldest turn first, the new question last) to what is asked of the model."""


class Context(Protocol):
    """What a task may use while it runs."""

    @property
    def options(self) -> Any:
        """The caller's options: an instance of the task's `Options`."""
        ...

    @property
    def language(self) -> Language:
        """The language in which to ask the model and to answer."""
        ...

    @property
    def persona(self) -> Persona | None:
        """In whose shoes the caller wants it answered."""
        ...

    @property
    def text(self) -> str:
        """The caller's new question; may be empty."""
        ...

    @property
    def given(self) -> Sequence[Given]:
        """The inputs of all turns, oldest first."""
        ...

    @property
    def policy(self) -> Policy: ...

    @property
    def seconds_left(self) -> float:
        """Until the call's time is over."""
        ...

    def generate(self, render: Render, *looks: Look, bare: bool = False) -> AsyncGenerator[Delta]:
        """One generation. Close it to stop the engine; several may run at the same time.

        `render` turns the conversation into a prompt. It is called with the media fitted to the model that will answer,
        and again where another model has to step in, so it must have no effects of its own. With `looks` the conversation
        is one turn, the new question with these views of the inputs and nothing else; the originals are read anew for them.
        With `bare` it is the new question alone, and nothing is decoded.
        """
        ...

    def calibrator(self, what: str, task: str | None = None) -> Calibrator | None:
        """What makes shares of right answers out of scores, for this task's `what` (or another's) and the model that answered last."""
        ...


@dataclass(frozen=True, slots=True)
class MediaRule:
    """Which inputs a task takes: the kinds, and how few and how many."""

    kinds: frozenset[Kind]
    least: int = 1
    most: int = 16


@dataclass(frozen=True, slots=True)
class Example:
    """Something worth asking: a question that is concrete, with its options."""

    text: Bilingual
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Task(ABC):
    """One thing the service can be asked to do."""

    name: ClassVar[str]
    version: ClassVar[str]
    """Part of every cache key: raise it whenever the prompt or the reading of the answer changes."""
    title: ClassVar[Bilingual]
    summary: ClassVar[Bilingual]
    Options: ClassVar[type[Options]] = Options
    media: ClassVar[MediaRule]
    examples: ClassVar[tuple[Example, ...]] = ()
    """Shown to people who look for words, and to those whose question is vague."""
    needs_text: ClassVar[bool] = False
    timeout_ms: ClassVar[int] = 30_000
    timeout_ms_per_look: ClassVar[int] = 0
    """What each part that `looks` names adds to it."""
    lane: ClassVar[Lane] = "A"
    """Where it runs unless its media or its caller's batch say otherwise; never chosen by the client."""
    prose: ClassVar[bool] = True
    """Whether its pieces, put together, are its answer; a structured task tells its progress instead."""
    cached: ClassVar[bool] = False
    """Whether its answers are remembered by default; greedy ones are for every task."""
    max_tokens: ClassVar[int] = 512
    temperature: ClassVar[float | None] = None
    """What is used where the caller is silent; None is the model's recommended setting."""

    @abstractmethod
    def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        """The work. Yields what can be shown as it comes, and one `Answer` last."""

    def check(self, options: Any, text: str) -> None:
        """Raises `MalformedRequest` where text and options do not go together."""
        if self.needs_text and not text.strip():
            raise MalformedRequest("text", Bilingual("该任务需要问题文字", "this task needs a question"))

    def asks(self, options: Any) -> bool:
        """Whether the text is a question whose answer is what the caller gets: then a vague one is worth a word."""
        return self.needs_text

    def looks(self, options: Any, given: Sequence[Given]) -> tuple[Look, ...] | None:
        """The parts of the inputs that are shown one by one, each to a generation of its own; None where one generation sees all.

        Asked before the call is admitted: price, room in the context and time follow from it. Raises `MalformedRequest`,
        `TooLarge`.
        """
        return None

    def sampling(self, options: Options) -> Sampling:
        """The caller's sampling over the task's own."""
        return Sampling(
            max_tokens=options.max_tokens or self.max_tokens,
            temperature=self.temperature if options.temperature is None else options.temperature,
            top_p=options.top_p,
            top_k=options.top_k,
            seed=options.seed,
            stop=tuple(options.stop),
        )


def instruct(ctx: Context, own: str | Bilingual | None) -> str | None:
    """The system message of a call: who the model is to be, then what it is told by the caller, or else by the task.

    `own` is the task's: the name of its prompt text, or the words themselves.
    """
    words = own.pick(ctx.language) if isinstance(own, Bilingual) else text_of(own, ctx.language) if own else None
    said = (ctx.persona.text.pick(ctx.language) if ctx.persona else None, ctx.options.system or words)
    return "\n".join(part for part in said if part) or None


def converse(turns: Sequence[Utterance], language: Language, system: str | None = None) -> tuple[Message, ...]:
    """The messages of a conversation: pictures before the text of their turn, numbered as soon as there are several.

    The numbers ("Image 1:") keep engines from reading neighbouring pictures as one video, and give the text something to
    refer to. Frames of a video carry their time, pages of a document their number.
    """
    messages = [Message("system", (system,))] if system else []
    several = sum(len(turn.shown) for turn in turns) > 1
    number = 0
    for turn in turns:
        parts: list[Part] = []
        for shown in turn.shown:
            number += 1
            if several:
                parts.append(text_of("image-number", language).format(number=number))
            for frame in shown.frames:
                if frame.timestamp is not None:
                    parts.append(f"<{frame.timestamp:.1f} seconds>")
                elif frame.page is not None and len(shown.frames) > 1:
                    parts.append(text_of("page-number", language).format(number=frame.page))
                parts.append(frame)
        if turn.text:
            parts.append(turn.text)
        messages.append(Message(turn.role, tuple(parts)))
    return tuple(messages)


async def tell(ctx: Context, render: Render) -> AsyncGenerator[Said | Progress | Answer]:
    """One generation told as it comes: the whole of a plain text task."""
    written = Written()
    async with aclosing(ctx.generate(render)) as deltas:
        async for delta in deltas:
            if (piece := written.add(delta)) is not None:
                yield Said(piece.text, piece.logprobs)
            if written.circles:
                break
    yield Answer(written.told, written.transcript.prose(), written.finish, None, written.notices)


@functools.cache
def tasks() -> dict[str, Task]:
    """Every task by its name, found by file name in this folder."""
    found: dict[str, Task] = {}
    package = importlib.import_module("sightline.tasks")
    for module in sorted(entry.name for entry in pkgutil.iter_modules(package.__path__)):
        for thing in vars(importlib.import_module(f"sightline.tasks.{module}")).values():
            if (
                isinstance(thing, type)
                and issubclass(thing, Task)
                and thing.__module__ == f"sightline.tasks.{module}"
                and "name" in vars(thing)  # a base for tasks has none
            ):
                task = thing()
                found[task.name] = task
    return found
