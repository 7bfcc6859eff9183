"""Sightline: vision-language models as a service.

`from sightline import QwenVLClient` is all that a product needs; `sightline serve` starts a service of its own.
What stands here is imported when it is first used, so that `import sightline` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline import errors
    from sightline.client import (
        Accepted,
        Answer,
        AnswerStream,
        Ask,
        AsyncAnswerStream,
        AsyncQwenVLClient,
        Done,
        Image,
        MediaObject,
        Progress,
        QwenVLClient,
        StreamEvent,
        Token,
        Upload,
    )

__version__ = "0.1.0"

__all__ = [
    "Accepted",
    "Answer",
    "AnswerStream",
    "Ask",
    "AsyncAnswerStream",
    "AsyncQwenVLClient",
    "Done",
    "Image",
    "MediaObject",
    "Progress",
    "QwenVLClient",
    "StreamEvent",
    "Token",
    "Upload",
    "__version__",
    "errors",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("sightline.errors")
    if name in __all__:
        return getattr(importlib.import_module("sightline.client"), name)
    raise AttributeError(f"module 'sightline' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
