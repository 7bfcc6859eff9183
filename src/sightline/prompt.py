"""What goes into a model and what comes out of it: frames, messages, sampling; deltas with their log-probabilities.

These are the words that tasks, service and backends share. What every call makes anew is a struct, which costs a quarter of a frozen
dataclass. Prompt texts themselves are files under `personas/`.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

import msgspec

from sightline.protocol.events import ExpertUsage, TokenLogprob
from sightline.protocol.language import Language

Encoding = Literal["bmp", "ppm", "jpeg", "png"]
"""How pixels are handed to an engine: uncompressed next door, compressed over a network."""


@dataclass(frozen=True, slots=True)
class View:
    """How a model looks at one picture: the pixel budget, the grid it is fitted to, and the encoding its engine takes.

    `grid` is the side in pixels of one visual token (patch 16 x merge 2 = 32 for Qwen3-VL). Of a video, a model that is too small for
    what the gate allows is shown at most `most_frames` frames of at most `most_frame_pixels` pixels.
    """

    min_pixels: int
    max_pixels: int
    encoding: Encoding = "jpeg"
    grid: int = 32
    most_frames: int | None = None
    most_frame_pixels: int | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, ready for the engine: already decoded, upright, on white, fitted to the model's grid, encoded.

    `width` and `height` are pixels; `timestamp` (seconds) is set on frames of a video, `page` (1-based) on pages of a document.
    `digest` (hex) names the pixels, so that an engine that has seen them need not be sent them again.
    """

    data: bytes = field(repr=False)
    mime: str
    width: int
    height: int
    visual_tokens: int
    digest: str
    timestamp: float | None = None
    page: int | None = None


Part = str | Frame


class Message(msgspec.Struct, frozen=True, gc=False):
    """One turn as the model reads it: text and frames in order."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]


class Sampling(msgspec.Struct, frozen=True, gc=False):
    """How tokens are drawn. None leaves the choice to the model's recommended setting. `max_tokens` bounds the answer."""

    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


class Prompt(msgspec.Struct, frozen=True, gc=False):
    """One generation asked of a model. `schema` is a JSON Schema that the answer must satisfy.

    `grammar` says the same in GBNF, more narrowly: engines that read one get it in place of the schema, which leaves them free
    to write blanks and members in any order.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    schema: dict[str, Any] | None = None
    grammar: str | None = None
    priority: int = 0
    """As the caller asked, 0..9; higher goes first where the engine has a queue with priorities."""
    whole: bool = False
    """Whether nobody reads the answer before its end: an engine that tells more of a whole answer may be asked for one."""

    @property
    def frames(self) -> tuple[Frame, ...]:
        return tuple(part for message in self.messages for part in message.parts if isinstance(part, Frame))

    @property
    def visual_tokens(self) -> int:
        return sum(frame.visual_tokens for frame in self.frames)


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens as the engine counted them; `cached` are input tokens that it did not have to read again."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


class Delta(msgspec.Struct, frozen=True, gc=False):
    """What an engine says at a time: a piece of text, the tokens behind it, and at the end why it stopped and what it cost.

    `reasoning` is thought aloud by a thinking model: never part of the answer nor of its confidence. `logprobs` is None
    where the engine gives none. `finish` is `stop` or `length`. `experts` comes with the last delta, where the engine tells.
    """

    text: str = ""
    logprobs: tuple[TokenLogprob, ...] | None = None
    reasoning: str = ""
    finish: str | None = None
    usage: Usage | None = None
    experts: ExpertUsage | None = None


@functools.cache
def texts_version() -> str:
    """Names the wording of all prompt texts together: part of every cache key, so that a changed word is asked anew."""
    folder = resources.files("sightline.personas")
    texts = sorted((file.name, file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".txt"))
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:16]


@functools.cache
def text_of(name: str, language: Language) -> str:
    """The prompt text `personas/<name>.<language>.txt`. Raises `FileNotFoundError` for a name that is not there."""
    return resources.files("sightline.personas").joinpath(f"{name}.{language}.txt").read_text("utf-8").strip()
