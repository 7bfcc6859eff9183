"""The options of a call as a type checker and an editor see them. The service checks them; nothing is checked twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sightline.client._media import Image
from sightline.protocol.language import Language

if TYPE_CHECKING:  # `extra_items` (PEP 728) is in no standard library yet, and the package shall not be needed at run time
    from collections.abc import Iterable
    from typing import NotRequired

    from typing_extensions import TypedDict

    class CommonOptions(TypedDict, total=False, extra_items=Any):
        """Options of every task; a task's own (such as `style` of captioning) may stand beside them."""

        max_tokens: int
        temperature: float
        top_p: float
        top_k: int
        seed: int
        stop: list[str]
        timeout_ms: int
        model: str
        system: str
        persona: str
        language: Language
        detail: Literal["low", "auto", "high"]
        cache: Literal["auto", "off", "only", "refresh"]
        allow_degraded: bool
        priority: int

    class Turn(TypedDict):
        """An earlier turn of the conversation; only a user's may show something."""

        role: Literal["user", "assistant"]
        text: NotRequired[str]
        images: NotRequired[Image | Iterable[Image]]
