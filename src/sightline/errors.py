"""Every error that a caller can meet, by the names to catch them by; `except sightline.errors.Error` catches them all.

Error
  the service's    MalformedRequest ... BackendUnavailable: see `protocol.errors` for the table with their codes
  this side's      ConnectionFailed, StreamCut, UnexpectedAnswer, InputUnreadable: see `client.failures`
"""

from __future__ import annotations

from sightline.client.failures import CallerError, ConnectionFailed, InputUnreadable, StreamCut, UnexpectedAnswer
from sightline.protocol.errors import (
    BackendUnavailable,
    DamagedMedia,
    DeadlineExceeded,
    Error,
    Internal,
    MalformedRequest,
    MediaUnreachable,
    NotAllowed,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    SensitiveContent,
    TooLarge,
    Unauthenticated,
    UnknownTask,
    UnsupportedMedia,
    VideoTooLong,
)

__all__ = [
    "BackendUnavailable",
    "CallerError",
    "ConnectionFailed",
    "DamagedMedia",
    "DeadlineExceeded",
    "Error",
    "InputUnreadable",
    "Internal",
    "MalformedRequest",
    "MediaUnreachable",
    "NotAllowed",
    "Overloaded",
    "QuotaExceeded",
    "RateLimited",
    "SensitiveContent",
    "StreamCut",
    "TooLarge",
    "Unauthenticated",
    "UnexpectedAnswer",
    "UnknownTask",
    "UnsupportedMedia",
    "VideoTooLong",
]
