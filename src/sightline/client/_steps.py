"""What a call asks of the world, a step at a time; what carries the steps out is `_sync` and `_async`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sightline.client._body import Body

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; comes back as `Head`. An earlier response is closed. `seconds` bounds every wait for the peer."""

    method: str
    path: str
    seconds: float
    accept: str = "application/json"
    body: Body | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a response; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Read:
    """Read on; comes back as bytes, empty at the end."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Do something that blocks; comes back as what it returns."""

    do: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Emit(Generic[T_co]):
    """Hand a value to the caller."""

    value: T_co


Step = Send | Read | Wait | Work
Exchange = Generator[Step | Emit[T], Any, None]
"""A whole call. `ConnectionFailed` and `TimeoutError` are thrown into it when a step fails."""
Inner = Generator[Step, Any, T]
"""A part of a call that emits nothing and returns something."""


@dataclass(frozen=True, slots=True)
class Service:
    """What all calls of a client share.

    `address` is for messages; `timeout` (seconds) is None for the default by kind of media; `now` (monotonic seconds) and
    `random` (0..1) are the world's.
    """

    address: str
    timeout: float | None
    retries: int
    now: Callable[[], float]
    random: Callable[[], float]
