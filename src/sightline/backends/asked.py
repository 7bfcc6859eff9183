"""What an engine is asked: the JSON body of a chat completion, built field by field from a `Prompt` and a `Dialect`; no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pybase64

from sightline.backends.constraints import constrain
from sightline.backends.defaults import Recommended
from sightline.backends.dialects import Dialect
from sightline.prompt import Frame, Message, Prompt

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the operator has switched on at a server; what its dialect does not have stays off."""

    priority: bool = False
    """Its queue knows priorities (vLLM: `--scheduling-policy priority`)."""
    experts: bool = False
    """It tells of whole answers which experts were at work (vLLM: `--enable-return-routed-experts`)."""
    total_experts: int | None = None
    """How many a layer has."""


def encode_request(
    prompt: Prompt,
    dialect: Dialect,
    model: str,
    recommended: Recommended,
    tenant: str,
    features: Features | None = None,
    *,
    names: Mapping[str, str] | None = None,
    known: Collection[str] = (),
    whole: bool = False,
    common: bool = False,
) -> bytes:
    """The JSON body of a chat completion. Fields whose value is None are left out.

    `names` are those of pictures by their digests; of the `known` ones the name alone is sent. `common` asks for a schema in the
    form that every server reads.
    """
    sampling = prompt.sampling
    features = features or Features()
    temperature = recommended.temperature if sampling.temperature is None else sampling.temperature
    penalty = recommended.presence_penalty if sampling.presence_penalty is None else sampling.presence_penalty
    if temperature == 0 and sampling.presence_penalty is None:
        penalty = None  # recommended against loops of drawn tokens; what is read greedily, such as a table, has to repeat itself
    fields: dict[str, Any] = {
        "model": model,
        "messages": [_encode_message(message, names or {}, known) for message in prompt.messages],
        "stream": not whole,
        "stream_options": None if whole else {"include_usage": True},
        dialect.max_tokens: sampling.max_tokens,
        "temperature": temperature,
        "top_p": recommended.top_p if sampling.top_p is None else sampling.top_p,
        "presence_penalty": penalty,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        **dialect.constant,
    }
    if dialect.top_k:
        fields["top_k"] = recommended.top_k if sampling.top_k is None else sampling.top_k
    if dialect.top_logprobs is not None:
        fields["logprobs"] = True
        fields["top_logprobs"] = dialect.top_logprobs
    if dialect.priority is not None and features.priority:
        fields[dialect.priority] = -prompt.priority
    if dialect.tenant is not None:
        fields[dialect.tenant] = tenant
    fields.update(constrain(prompt, dialect, common=common))
    return _encoder.encode({name: value for name, value in fields.items() if value is not None})


def name_picture(frame: Frame, tenant: str) -> str:
    """A picture's name at a server. It is the tenant's own, so that nobody can find out what others have shown."""
    return hashlib.blake2b(f"{tenant}\0{frame.mime}\0{frame.digest}".encode(), digest_size=16).hexdigest()


def _encode_message(message: Message, names: Mapping[str, str], known: Collection[str]) -> dict[str, Any]:
    """A turn; text alone is a plain string, which every chat template takes."""
    if all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": "\n".join(str(part) for part in message.parts)}
    parts: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, Frame):
            name = names.get(part.digest)
            named = {} if name is None else {"uuid": name}
            if name in known:
                parts.append({"type": "image_url", "image_url": None, **named})
                continue
            # Spliced in as it is: base64 needs no escaping, and a megabyte of it no second look.
            uri = msgspec.Raw(b'"data:%b;base64,%b"' % (part.mime.encode(), pybase64.b64encode(part.data)))
            parts.append({"type": "image_url", "image_url": {"url": uri}, **named})
        elif parts and parts[-1]["type"] == "text":
            parts[-1]["text"] += "\n" + part  # engines differ in how they join neighbouring texts: leave them none to join
        else:
            parts.append({"type": "text", "text": part})
    return {"role": message.role, "content": parts}
