"""What comes back: the events of a stream, and the envelope that the same events add up to.

Exactly one of `Final` and `Failed` ends a stream; a stream that ends without one was cut.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sightline.protocol.errors import ErrorBody
from sightline.protocol.receipts import Advice, Receipt


class Degraded(msgspec.Struct, frozen=True):
    """A lighter model answered: the model that was asked, the one that served, and why (`overloaded`, `unavailable`)."""

    requested: str
    served: str
    reason: str


class ExpertUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Which experts of a mixture an answer's tokens were sent to, where the engine tells.

    `distinct` of the `total` experts of all `layers` were at work; `entropy` (bits, mean over layers) says how evenly: 0 is always the
    same one, log2 of a layer's experts all alike. `total` is null where the engine's operator does not say how many there are.
    """

    distinct: int
    total: int | None
    layers: int
    entropy: float


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """How the answer came about. Times are milliseconds; `activated_experts` is null for a dense or unknown model."""

    processing_time_ms: int
    activated_experts: int | None
    input_tokens: int | None
    output_tokens: int | None
    model: str
    task: str
    lane: str
    finish_reason: str
    """`stop`, or `length` where the answer was cut at max_tokens."""
    calibrated: bool = False
    """Whether a calibrator was applied to the confidence."""
    queue_ms: int = 0
    first_token_ms: int | None = None
    receipts: tuple[Receipt, ...] = ()
    expert_usage: ExpertUsage | msgspec.UnsetType = msgspec.UNSET
    """On calls that do not stream, where the engine tells."""
    degraded: Degraded | msgspec.UnsetType = msgspec.UNSET
    cache: str | msgspec.UnsetType = msgspec.UNSET
    """`hit`, `miss` or `shared` where a cache was asked."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `confidence` is 0..1, or null where the engine gives no log-probabilities."""

    answer: str
    confidence: float | None
    metadata: Metadata
    structured: Any = None
    warnings: tuple[Advice, ...] = ()


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a call that has a result. `code` is 0, or names what was less than asked (2001: a lighter model answered)."""

    request_id: str
    code: int = 0
    msg: str = "success"
    result: Result


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """First event: the call was admitted. All refusals come before it and keep their HTTP status."""

    request_id: str
    lane: str
    model: str
    predicted_wait_ms: int
    degraded: bool = False
    timeout_ms: int | None = None
    """Time for the whole call: as asked, or as the service allows for what was sent (a document's grows with its pages)."""


class TokenLogprob(msgspec.Struct, frozen=True, gc=False):
    """One generated token and the natural logarithm of its probability before temperature."""

    token: str
    logprob: float


class Token(msgspec.Struct, frozen=True):
    """A piece of the answer. `index` counts the token events from 0; a UTF-8 character is never split.

    `logprobs` is there where the call asked for it and the engine gives it.
    """

    token: str
    index: int
    logprobs: tuple[TokenLogprob, ...] | msgspec.UnsetType = msgspec.UNSET


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Work done on the way: `done` of `total` pages, frames or values."""

    stage: str
    done: int
    total: int


class Final(msgspec.Struct, frozen=True, kw_only=True):
    """Last event of an answered call; flat, as existing clients read it."""

    answer: str
    metadata: Metadata
    confidence: float | None
    request_id: str
    code: int = 0
    msg: str = "success"
    structured: Any = None
    warnings: tuple[Advice, ...] = ()

    def envelope(self) -> Envelope:
        """The same answer as the body of a non-streaming call."""
        result = Result(
            answer=self.answer,
            confidence=self.confidence,
            metadata=self.metadata,
            structured=self.structured,
            warnings=self.warnings,
        )
        return Envelope(request_id=self.request_id, code=self.code, msg=self.msg, result=result)


class Failed(msgspec.Struct, frozen=True):
    """Last event of a call that failed after it was accepted."""

    body: ErrorBody


Event = Accepted | Token | Progress | Final | Failed
