"""What differs between OpenAI-compatible engines, as plain values that `openai.py` reads: one client, many dialects.

Sources: llama.cpp tools/server/README.md; vLLM docs, "OpenAI-compatible server"; both tried by the contract tests or read in
their own answers. A field that a dialect does not name is never sent: engines ignore, refuse or misread what they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sightline.prompt import Encoding


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of server."""

    name: str
    encoding: Encoding
    """How it is cheapest to hand it pixels; see bench/engine.py for the bundled engine."""
    top_k: bool = False
    """Whether it takes `top_k`, which OpenAI's own interface does not have."""
    top_logprobs: int | None = 0
    """The least `top_logprobs` that still brings the chosen token's own; None asks for no log-probabilities at all."""
    max_tokens: str = "max_tokens"
    """The field that bounds the answer."""
    grammar: tuple[str, ...] | None = None
    """The path of the field that takes a grammar in GBNF; None where only JSON Schemas are understood."""
    tenant: str | None = None
    """The field that separates the prefix caches of tenants."""
    constant: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Fields sent with every request."""
    reusable: bool = True
    """Whether a connection may carry another request after a streamed answer."""
    bounds_blanks: bool = False
    """Whether a schema may come as a structural tag, in which the blanks of an answer can be bounded: see `constraints.py`."""
    loading: str | None = None
    """The `error.type` with which it answers 503 while its model is loading, when it is not busy but away."""
    uuid: bool = False
    """Whether a picture that it has seen may be named instead of being sent again."""
    priority: str | None = None
    """The field of its queue's priority, in which lower goes first; sent where the operator says that the queue has priorities."""
    routed_experts: bool = False
    """Whether whole answers can tell which experts were at work."""
    tokenize: bool = False
    """Whether /tokenize tells the model's context, where /v1/models does not."""
    decoded: str | None = None
    """The counter on /metrics of tokens generated, cancelled requests included."""
    under_way: tuple[str, ...] = ()
    """The gauges on /metrics of generations that run and that wait."""


LLAMA_CPP = Dialect(
    name="llama.cpp",
    # Its reading of JSON and base64 costs more than its decoding: a 1312x960 picture is answered in 46 ms as JPEG, 146 as PPM, 140 as PNG.
    encoding="jpeg",
    top_k=True,
    # 0 would switch log-probabilities off.
    top_logprobs=1,
    grammar=("grammar",),
    # Its own default of min_p would cut the distribution that the model's makers recommend.
    constant=MappingProxyType({"cache_prompt": True, "min_p": 0.0}),
    # It closes the connection after a streamed answer without having said so.
    reusable=False,
    loading="unavailable_error",
    decoded="llamacpp:tokens_predicted_total",
    under_way=("llamacpp:requests_processing", "llamacpp:requests_deferred"),
)
VLLM = Dialect(
    name="vllm",
    encoding="jpeg",
    top_k=True,
    grammar=("structured_outputs", "grammar"),
    tenant="cache_salt",
    bounds_blanks=True,
    uuid=True,
    priority="priority",
    routed_experts=True,
    tokenize=True,
    decoded="vllm:generation_tokens_total",
    under_way=("vllm:num_requests_running", "vllm:num_requests_waiting"),
)
SGLANG = Dialect(
    name="sglang",
    encoding="jpeg",
    top_k=True,
    decoded="sglang:generation_tokens_total",
    under_way=("sglang:num_running_reqs", "sglang:num_queue_reqs"),
)
LMDEPLOY = Dialect(name="lmdeploy", encoding="jpeg", top_k=True)
OLLAMA = Dialect(name="ollama", encoding="jpeg")
DASHSCOPE = Dialect(name="dashscope", encoding="jpeg", top_k=True, top_logprobs=None)
PLATFORM = Dialect(name="openai-platform", encoding="jpeg", max_tokens="max_completion_tokens")
GENERIC = Dialect(name="openai", encoding="jpeg")

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {dialect.name: dialect for dialect in (GENERIC, LLAMA_CPP, VLLM, SGLANG, LMDEPLOY, OLLAMA, DASHSCOPE, PLATFORM)}
)
"""Every dialect by the name it has in the configuration."""
