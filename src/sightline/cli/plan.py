"""`sightline plan`: which model fits on which GPUs, and how it is started there; the arithmetic is shown, nothing is measured."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import Any

import msgspec

from sightline.cli.base import Command, UsageError, whole
from sightline.cli.terminal import Terminal

GB = 1e9
GIB = 2**30


class Gpu(msgspec.Struct, frozen=True):
    """Memory in GB (10^9 bytes), and whether it computes in 8-bit floating point, and in bfloat16."""

    memory_gb: float
    fp8: bool = False
    bf16: bool = True


GPUS = {
    "T4-16GB": Gpu(16, bf16=False),
    "L4-24GB": Gpu(24, fp8=True),
    "RTX3090-24GB": Gpu(24),
    "RTX4090-24GB": Gpu(24, fp8=True),
    "A10-24GB": Gpu(24),
    "A40-48GB": Gpu(48),
    "L40S-48GB": Gpu(48, fp8=True),
    "A100-40GB": Gpu(40),
    "A100-80GB": Gpu(80),
    "H100-80GB": Gpu(80, fp8=True),
    "H20-96GB": Gpu(96, fp8=True),
    "H200-141GB": Gpu(141, fp8=True),
    "B200-180GB": Gpu(180, fp8=True),
}


class Model(msgspec.Struct, frozen=True):
    """What a model's configuration says: parameters (10^9), layers, key/value heads, their width, context."""

    name: str
    parameters: float
    layers: int
    kv_heads: int
    head_dim: int = 128
    context: int = 262_144
    experts: int | None = None


# Source: the models' config.json (Qwen/Qwen3-VL-*-Instruct); largest first.
MODELS = (
    Model("Qwen3-VL-235B-A22B", 236.0, 94, 4, experts=128),
    Model("Qwen3-VL-32B", 33.4, 64, 8),
    Model("Qwen3-VL-30B-A3B", 31.1, 48, 4, experts=128),
    Model("Qwen3-VL-8B", 8.8, 36, 8),
    Model("Qwen3-VL-4B", 4.4, 36, 8),
    Model("Qwen3-VL-2B", 2.1, 28, 8),
)
FORMATS = {"bf16": 2.0, "fp8": 1.0, "int4": 0.58}
"""Bytes a parameter; 4-bit formats carry scales beside the weights (30B-A3B at Q4: 18 GB)."""
USED = 0.90
"""Of a GPU's memory that vLLM takes (`--gpu-memory-utilization`)."""
OVERHEAD_GB = 3.0
"""A GPU: CUDA's own, the graphs, activations, and the vision part at work on its largest picture."""
PAGE_PIXELS = 1280 * 32 * 32
TOKEN_PIXELS = 32 * 32
ANSWER_TOKENS = 1024
TEXT_TOKENS = 512


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One way to serve a model. Bytes are GB (10^9) for each GPU of a replica."""

    model: str
    format: str
    tensor_parallel: int
    replicas: int
    weights_gb: float
    cache_gb: float
    kv_kib_per_token: float
    cache_tokens: int
    picture_tokens: int
    request_tokens: int
    concurrent: int
    context: int
    command: str


class PlanCommand(Command):
    name = "plan"
    summary = "which model fits on which GPUs"
    description = (
        "Say which Qwen3-VL fits on so many GPUs, in which format, how many a replica takes, how many requests it holds at a time,\n"
        "and how vLLM is started for it. Everything is arithmetic on the models' own figures, and shown; measure before you promise."
    )
    examples = (
        "sightline plan --gpu A100-80GB --count 4",
        "sightline plan --gpu L40S-48GB --model Qwen3-VL-8B",
        "sightline plan --memory 32 --count 2 --requests 64",
    )

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--gpu", metavar="NAME", help=f"one of {', '.join(GPUS)}")
        parser.add_argument("--memory", metavar="GB", type=float, help="of a GPU that is not in the list")
        parser.add_argument("--count", metavar="N", type=whole, default=1, help="GPUs in one machine (default: 1)")
        parser.add_argument("--model", metavar="MODEL", help="only this one, such as Qwen3-VL-30B-A3B (default: the largest that fits)")
        parser.add_argument("--requests", metavar="N", type=whole, default=16, help="at a time, which it should hold (default: 16)")

    def run(self, arguments: Any, terminal: Terminal) -> int:
        label, gpu = _gpu(arguments.gpu, arguments.memory)
        models = [model for model in MODELS if arguments.model is None or model.name.lower() == arguments.model.lower()]
        if not models:
            raise UsageError(f"there is no model '{arguments.model}'; there are: {', '.join(model.name for model in MODELS)}.")
        plans = [plan for model in models for plan in plans_for(model, gpu, arguments.count)]
        fitting = [plan for plan in plans if plan.concurrent * plan.replicas >= arguments.requests]
        chosen = next(iter(fitting), None) or max(plans, key=lambda plan: plan.concurrent * plan.replicas, default=None)
        if chosen is None:
            return _nothing(models, gpu, arguments.count, label, terminal)
        if terminal.as_json:
            for plan in sorted(plans, key=lambda plan: plan is not chosen):
                terminal.json(plan)
        else:
            _show(chosen, plans, gpu, label, arguments, terminal)
        return 0


def _gpu(name: str | None, memory: float | None) -> tuple[str, Gpu]:
    if (name is None) == (memory is None):
        raise UsageError(f"which GPU? --gpu with one of {', '.join(GPUS)}; or --memory with its gigabytes.")
    if memory is not None:
        if not 1 <= memory <= 10_000:
            raise UsageError("--memory is in gigabytes, such as 48.")
        return f"a GPU of {memory:g} GB", Gpu(memory)
    known = {known.lower(): known for known in GPUS}
    if str(name).lower() not in known:
        raise UsageError(f"there is no GPU '{name}' in the list: {', '.join(GPUS)}; or give --memory with its gigabytes.")
    return known[str(name).lower()], GPUS[known[str(name).lower()]]


def plans_for(model: Model, gpu: Gpu, count: int) -> Iterator[Plan]:
    """Ways to serve the model, the finest format and the fewest GPUs for a replica first."""
    # Weights in 8 bits are read by GPUs that compute in 16 as well, which is worth it where they are many; those before 2020 do not.
    for kind in [name for name in FORMATS if name != "fp8" or gpu.fp8 or (gpu.bf16 and model.parameters > 30)]:
        for parallel in (1, 2, 4, 8, 16):
            if parallel > count:
                break
            plan = fit(model, kind, gpu, parallel, count // parallel)
            if plan is not None:
                yield plan
                break


def fit(model: Model, kind: str, gpu: Gpu, parallel: int, replicas: int) -> Plan | None:
    """The model in this format on `parallel` GPUs for each replica; None where weights and one request do not fit."""
    weights = model.parameters * FORMATS[kind] / parallel
    cache = gpu.memory_gb * USED - OVERHEAD_GB - weights
    # Key and value, for every layer and head, in 16 bits; heads are split between GPUs, and copied once there are more GPUs than heads.
    heads = max(1, model.kv_heads / parallel)
    token = 2 * model.layers * heads * model.head_dim * 2
    picture = PAGE_PIXELS // TOKEN_PIXELS
    request = picture + TEXT_TOKENS + ANSWER_TOKENS
    tokens = math.floor(cache * GB / token)
    if tokens < request:
        return None
    concurrent = min(256, tokens // request)
    context = min(model.context, 32_768, 1 << (tokens.bit_length() - 1))
    # Copies in 4 bits are mostly the work of others, and which one to trust is the choice of who runs it.
    served = f"A-4-BIT-COPY-OF/{model.name}-Instruct" if kind == "int4" else f"Qwen/{model.name}-Instruct{'-FP8' if kind == 'fp8' else ''}"
    command = f"vllm serve {served} --max-model-len {context} --max-num-seqs {concurrent}"
    command += "" if gpu.bf16 else " --dtype half"
    command += f" --max-num-queued-reqs {2 * concurrent}" + (f" --tensor-parallel-size {parallel}" if parallel > 1 else "")
    if model.experts and parallel > 1:
        command += " --enable-expert-parallel"
    return Plan(
        model=model.name,
        format=kind,
        tensor_parallel=parallel,
        replicas=replicas,
        weights_gb=round(weights, 1),
        cache_gb=round(cache, 1),
        kv_kib_per_token=round(2 * model.layers * model.kv_heads * model.head_dim * 2 / 1024, 1),
        cache_tokens=tokens,
        picture_tokens=picture,
        request_tokens=request,
        concurrent=concurrent,
        context=context,
        command=command,
    )


def _nothing(models: list[Model], gpu: Gpu, count: int, label: str, terminal: Terminal) -> int:
    least = min(model.parameters * FORMATS["int4"] for model in models)
    room = count * max(0.0, gpu.memory_gb * USED - OVERHEAD_GB)
    terminal.fail(
        f"sightline plan: nothing fits on {count} x {label}: the smallest takes {least:.1f} GB of weights and a request's cache beside "
        f"them, and there are {room:.1f} GB after {OVERHEAD_GB:g} GB a GPU for the engine itself."
    )
    return 69


def _gpus(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"


def _show(plan: Plan, plans: list[Plan], gpu: Gpu, label: str, arguments: Any, terminal: Terminal) -> None:
    model = next(model for model in MODELS if model.name == plan.model)
    each = f" / {plan.tensor_parallel} GPUs" if plan.tensor_parallel > 1 else ""
    # Each GPU has heads of its own, and a copy of one where there are more GPUs than heads.
    parts = min(plan.tensor_parallel, model.kv_heads)
    split = f" / {parts} = {plan.kv_kib_per_token / parts:g} KiB a GPU" if parts > 1 else ""
    replicas = "1 replica" if plan.replicas == 1 else f"{plan.replicas} replicas"
    terminal.line(f"{plan.model} in {plan.format}: {replicas} of {_gpus(plan.tensor_parallel)} on {arguments.count} x {label}")
    if unused := arguments.count - plan.replicas * plan.tensor_parallel:
        terminal.line(f"{_gpus(unused)} left over: vLLM splits a model among 1, 2, 4, 8 or 16.")
    held = plan.concurrent * plan.replicas
    if held < arguments.requests:
        terminal.line(f"It holds {held:,} requests at a time, and not the {arguments.requests:,} asked for; nothing here holds more.")
    terminal.line()
    room = gpu.memory_gb * USED - OVERHEAD_GB
    rows = [
        (
            "memory for the engine",
            f"{gpu.memory_gb:g} GB x {USED:g} - {OVERHEAD_GB:g} GB = {room:.1f} GB a GPU",
        ),
        ("weights", f"{model.parameters:g} G x {FORMATS[plan.format]:g} bytes{each} = {plan.weights_gb} GB a GPU"),
        ("left for the KV cache", f"{plan.cache_gb} GB a GPU"),
        (
            "KV of a token",
            f"2 x {model.layers} layers x {model.kv_heads} heads x {model.head_dim} x 2 bytes = {plan.kv_kib_per_token:g} KiB{split}",
        ),
        ("cache", f"{plan.cache_tokens:,} tokens a replica"),
        ("a picture", f"{PAGE_PIXELS:,} pixels / {TOKEN_PIXELS:,} = {plan.picture_tokens:,} tokens"),
        ("a request", f"{plan.picture_tokens:,} + {TEXT_TOKENS} text + {ANSWER_TOKENS:,} answer = {plan.request_tokens:,} tokens"),
        ("at a time", f"{plan.cache_tokens:,} / {plan.request_tokens:,} = {plan.concurrent} a replica (256 at most)"),
    ]
    terminal.table(rows)
    terminal.line()
    terminal.line(plan.command)
    if plan.format == "int4":
        terminal.line("(Copies in 4 bits are mostly the work of others: name one, in AWQ or GPTQ, that you trust.)")
    slots = plan.concurrent * plan.replicas
    shares = {"A": slots // 2, "B": slots // 4, "C": slots // 8}
    terminal.line("sightline: " + ", ".join(f"lanes.{lane}.slots = {max(1, share)}" for lane, share in shares.items()))
    others = [other for other in plans if other is not plan]
    if others:
        terminal.line()
        told = [(other, f"{other.replicas} x {_gpus(other.tensor_parallel)}", other.concurrent * other.replicas) for other in others]
        table = [(other.model, other.format, places, f"{held:,}") for other, places, held in told]
        terminal.table(table, ("ALSO FITS", "FORMAT", "REPLICAS", "REQUESTS AT A TIME"))
