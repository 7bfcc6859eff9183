"""Which answers may be remembered, and under which name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from sightline.prompt import texts_version
from sightline.protocol.requests import Options
from sightline.service.calls import Call
from sightline.service.ports import ModelInfo, Probed

_NOT_IN_KEY = {name: getattr(Options(), name) for name in ("cache", "timeout_ms", "stream", "priority", "allow_degraded")}
"""Options that change how an answer is reached and not what it is, as they are left out of a key: at their defaults."""
_encoder = msgspec.json.Encoder(order="deterministic")


def remembers(call: Call) -> bool:
    """Whether the call's answer may come from, and go to, the cache."""
    match call.options.cache:
        case "off":
            return False
        case "auto":
            return call.task.cached or call.task.sampling(call.options).temperature == 0
        case _:
            return True


def name_answer(call: Call, probed: Sequence[Probed], info: ModelInfo, versions: tuple[str, ...]) -> bytes:
    """The key of an answer (32 bytes): everything that it depends on, and the tenant, under one full hash.

    `versions` are those of preprocessing and moderation. Inputs stand in it with the full hash of their bytes, so that two
    pictures which merely look alike never meet.
    """
    parts = (
        call.caller.tenant,
        (call.task.name, call.task.version, texts_version(), call.persona.digest if call.persona else ""),
        (info.name, info.context_tokens, info.view.min_pixels, info.view.max_pixels, info.max_view_pixels, info.experts),
        (info.view.most_frames, info.view.most_frame_pixels),
        versions,
        [(item.kind, item.sha256) for item in probed],
        [(turn.role, turn.text, len(turn.images)) for turn in call.turns],
        msgspec.structs.replace(call.options, **_NOT_IN_KEY),
        (call.language, call.caller.language),
    )
    return hashlib.sha256(_encoder.encode(parts)).digest()
