"""The ports of the service: what it needs from the world, as Protocols. Adapters implement them; nothing here imports one.

    media    MediaGate     sources -> Probed (headers only) -> Loaded (pixels for a model)
    engines  Backend       Prompt -> Delta, Delta, ...          Pool: which backends may serve a lane
    trust    Moderator     text and pixels in, text out
             Keys          a bearer key -> the Caller        Limits: may this call start now?      Ledger: what was used
    memory   AnswerCache   a finished answer by its key            Calibrators: scores -> shares of right answers
    world    Clock, Ids    time and randomness

Errors cross a port only as classes of `protocol.errors`: an adapter translates foreign ones once, where they arise.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from sightline.prompt import Delta, Frame, Prompt, Usage, View
from sightline.protocol.errors import NotAllowed
from sightline.protocol.events import Final
from sightline.protocol.language import Bilingual, Language
from sightline.protocol.receipts import Kind, Notice, Receipt
from sightline.protocol.requests import Media
from sightline.tasks.base import Crop, Lane
from sightline.tasks.confidence import Calibrator


class StartupError(Exception):
    """The service cannot start as it is configured; the message is one sentence for the operator, who sees nothing else."""


class Clock(Protocol):
    """Monotonic time."""

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...


class Ids(Protocol):
    """Names nobody can guess."""

    def request_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Scopes:
    """What a key may be used for; None means everything. `admin` also opens the console of the service."""

    tasks: frozenset[str] | None = None
    lanes: frozenset[Lane] | None = None
    models: frozenset[str] | None = None
    admin: bool = False

    def permit(self, *, task: str | None = None, lane: Lane | None = None, model: str | None = None) -> None:
        """Raises `NotAllowed` naming what the key may not do; what is None is not asked."""
        if task is not None and self.tasks is not None and task not in self.tasks:
            raise _not_allowed(Bilingual("任务", "task"), task)
        if lane is not None and self.lanes is not None and lane not in self.lanes:
            raise _not_allowed(Bilingual("通道", "lane"), lane)
        if model is not None and self.models is not None and model not in self.models:
            raise _not_allowed(Bilingual("模型", "model"), model)


def _not_allowed(what: Bilingual, name: str) -> NotAllowed:
    reason = Bilingual("此密钥不能使用{what} {name}", "this key may not use the {what} {name}")
    return NotAllowed(reason.fill(what=what, name=name[:128]))


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a key may use; None is without a bound. Days and months are those of UTC."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None
    requests_per_day: int | None = None
    tokens_per_day: int | None = None
    requests_per_month: int | None = None
    tokens_per_month: int | None = None


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `tenant` separates caches, files and prefixes; `language` is the one for messages to a person.

    `key_id` is None where the service runs open; what is used is then counted under the tenant.
    """

    tenant: str = "local"
    language: Language = "en"
    key_id: str | None = None
    scopes: Scopes = Scopes()
    most_priority: int = 9
    """The highest `options.priority` that it may ask for."""
    allowance: Allowance = Allowance()


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    """What the caller and the task ask of the gate, beyond the operator's bounds.

    `most_seconds` is how much of a video is used; longer ones are clipped with a notice (1002), or refused where
    `reject_long_video` is set.
    """

    kinds: frozenset[Kind]
    most_seconds: float = 30.0
    reject_long_video: bool = False


class Probed(Protocol):
    """An input whose headers were read: enough to bound it, price it and name it; nothing is decoded yet.

    It holds the input's bytes until it is closed or collected.
    """

    @property
    def index(self) -> int:
        """Position among the request's inputs, from 0."""
        ...

    @property
    def kind(self) -> Kind: ...
    @property
    def format(self) -> str:
        """Such as `jpeg`, `png`, `pdf`, `mp4`."""
        ...

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes as they came."""
        ...

    @property
    def width(self) -> int:
        """Pixels as displayed, after orientation; of the largest page for documents (at 72 dpi)."""
        ...

    @property
    def height(self) -> int: ...
    @property
    def pages(self) -> int:
        """Pages of a document, 1 otherwise."""
        ...

    @property
    def seconds(self) -> float | None:
        """Length of a video that will be used, None otherwise."""
        ...

    def visual_tokens(self, view: View) -> int:
        """What showing all of it to a model costs, known before anything is decoded."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """An input decoded and fitted to a model, with its receipt and what a person should know about it."""

    kind: Kind
    frames: tuple[Frame, ...]
    receipt: Receipt
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An upload that was kept. `expires_at` is seconds since the epoch."""

    file_id: str
    bytes: int
    expires_at: int


class FileStore(Protocol):
    """Uploaded files, private to their tenant, for a while."""

    async def put(self, content: AsyncIterator[bytes], tenant: str) -> StoredFile:
        """Keeps a file as it comes in. Raises `TooLarge` when it, or all that the tenant keeps, is over the bound."""
        ...

    async def get(self, file_id: str, tenant: str) -> bytes | None:
        """The content, or None when the tenant has no such file or it has expired."""
        ...

    async def delete(self, file_id: str, tenant: str) -> bool:
        """Whether there was such a file."""
        ...


class MediaGate(Protocol):
    """Everything a person sends becomes safe, small and true here; see `media/`."""

    version: str
    """Names the preprocessing; part of every cache key."""

    async def probe(self, sources: Sequence[Media], policy: MediaPolicy, caller: Caller) -> Sequence[Probed]:
        """Fetches and reads the headers of all sources, concurrently, in order.

        Raises `UnsupportedMedia`, `VideoTooLong`, `MediaUnreachable`, `TooLarge`, `DamagedMedia`, `MalformedRequest`
        (base64 that is none, an unknown `file_id`). Cancelling stops downloads.
        """
        ...

    async def load(self, probed: Probed, view: View, *, lane: Lane, crop: Crop | None = None, pages: Sequence[int] | None = None) -> Loaded:
        """Decodes and fits one input on the lane's share of the CPU; deterministic in (bytes, view, crop, pages).

        `pages` (1-based) takes some pages of a document. Raises `DamagedMedia`, `TooLarge`.
        """
        ...


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of the model behind a backend, read from the engine or its file; None where it cannot be known."""

    name: str
    view: View
    """The default look at one image; `max_view_pixels` is the most that `detail=high` may ask."""
    max_view_pixels: int
    context_tokens: int | None = None
    experts: int | None = None
    active_experts: int | None = None
    """Experts active per token and layer; None for a dense model."""
    fake: bool = False
    """A simulated engine: every answer says so."""


class Backend(Protocol):
    """One engine with one model. Implementations hold no request state between calls."""

    name: str

    @property
    def info(self) -> ModelInfo | None:
        """None until the engine has answered for the first time."""
        ...

    def ready(self) -> bool:
        """Whether a generation started now would reach the engine."""
        ...

    async def wait_ready(self, seconds: float) -> bool:
        """Waits until `ready()`, at most so long; True when it is."""
        ...

    def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        """Streams one generation; the last delta carries `finish` and, where known, `usage`.

        Closing the generator stops the engine at once. Raises `BackendUnavailable` (away, stalled, broken off),
        `Overloaded` (its own queue is full), `MalformedRequest` (the prompt is over its context, with the numbers).
        """
        ...


class Pool(Protocol):
    """Which backends may serve."""

    def candidates(self, lane: Lane, model: str | None, task: str | None = None) -> Sequence[Backend]:
        """The engines of the asked model, or those for the task, or the lane's own, in order of preference; never empty.

        Raises `MalformedRequest` naming the models when `model` is served by none, `BackendUnavailable` when none of the lane's engines
        serves the model that the settings name for the task.
        """
        ...

    def routes(self) -> Mapping[str, Sequence[Backend]]:
        """The engines of tasks that the settings give engines or a model of their own; empty where none serves that model now."""
        ...

    def lighter(self, lane: Lane) -> Sequence[Backend]:
        """Engines of a lighter model that may step in; empty where the lane has none."""
        ...

    def models(self) -> Sequence[ModelInfo]:
        """Every model that is known now, each once."""
        ...


class Moderator(Protocol):
    """Refuses what must be refused; every refusal is audited before it is raised."""

    version: str
    """Part of every cache key."""

    async def check(self, text: str, caller: Caller) -> None:
        """Raises `SensitiveContent`."""
        ...

    async def look(self, loaded: Loaded, caller: Caller) -> None:
        """Looks at pixels, before any slot is taken. Raises `SensitiveContent`."""
        ...

    def screen(self, deltas: AsyncGenerator[Delta], caller: Caller) -> AsyncGenerator[Delta]:
        """The same deltas, held back only as far as a match could still complete. Raises `SensitiveContent`."""
        ...


class Keys(Protocol):
    """Who holds which key."""

    async def authenticate(self, bearer: str | None) -> Caller:
        """The caller behind a bearer key, with the key's scopes and allowance; the language is the default one.

        Raises `Unauthenticated` for none, an unknown, a revoked and an expired one alike, after the same work.
        """
        ...


class Lease(Protocol):
    """A call's place among those of its key."""

    def release(self, tokens: int | None = None) -> None:
        """Gives the place back, once; later calls do nothing. `tokens` is what the call really used: it replaces the
        price that it was admitted with. None leaves that price. Never waits, so that it may stand in any `finally`."""
        ...


class Limits(Protocol):
    """Whether a key may start one more call now."""

    async def admit(self, caller: Caller, tokens: int) -> Lease:
        """Counts a call priced at `tokens` (its prompt, pictures and longest answer) against the caller's allowance.

        Raises `RateLimited` with the time until it would fit, `QuotaExceeded` with the time of the reset, `TooLarge`
        when the price is over a bound that no waiting lifts. A refused call counts nothing.
        """
        ...


class Ledger(Protocol):
    """What each key used, by task and day."""

    def record(self, caller: Caller, task: str, *, usage: Usage | None, code: int) -> None:
        """Notes one finished call; `code` is 0 or its error's. Never waits; written within a second."""
        ...


class AnswerCache(Protocol):
    """Finished answers; a key holds the tenant and full hashes, so that no two callers or inputs ever meet."""

    async def get(self, key: bytes) -> Final | None: ...

    async def put(self, key: bytes, final: Final) -> None: ...


class Calibrators(Protocol):
    """What was measured of how often scores are right."""

    def find(self, task: str, model: str, what: str) -> Calibrator | None:
        """The calibrator of a task's `answer`, or of a kind of field, with this model; None where nobody made one."""
        ...


class Meter(Protocol):
    """Counts what happens; see the metrics page for what is made of it. Times are seconds; None is a lane not yet known."""

    def prepared(self, stage: Literal["probe", "load"], seconds: float) -> None:
        """The media gate was done with all of a call's inputs (`probe`), or with one of them (`load`)."""
        ...

    def generated(self, lane: Lane, waited: float, held: float, between: float | None) -> None:
        """One generation ended: it waited for its slot, held it, and had so long on average between two tokens (None for fewer)."""
        ...

    def first_token(self, lane: Lane, seconds: float) -> None:
        """The first token of a call left `seconds` after its arrival."""
        ...

    def answered(self, final: Final, seconds: float) -> None: ...

    def refused(self, task: str, lane: Lane | None, code: int) -> None:
        """A call ended with an error of this code, before or after it was accepted."""
        ...

    def left(self, task: str, lane: Lane | None) -> None:
        """A caller went away before the end."""
        ...
