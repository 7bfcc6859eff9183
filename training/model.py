"""A small Qwen3-VL-MoE network, written for fast training on a CPU, and for being compiled on a GPU.

The arithmetic and the parameter names are those of the `qwen3_vl_moe` architecture (a vision tower with
deepstack mergers and a mixture-of-experts text decoder with interleaved multi-axis rotary positions), so that a
checkpoint can be exported to the published safetensors layout and to GGUF without any conversion of meaning.
Two things differ from the reference implementation, both for speed only:

* every picture of a batch has the same size, so attention is one batched call instead of a loop over pictures;
* a still picture fills both temporal slices of the patch convolution with the same pixels, so training keeps the
  *sum* of the two slices as one matrix (`export.py` writes one half of it into each slice).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class VisionConfig:
    """Shape of the vision tower. A patch is 16x16 px, a visual token 2x2 patches."""

    hidden: int = 256
    depth: int = 4
    heads: int = 4
    intermediate: int = 1024
    grid: int = 16  # learned positions per side; resampled bilinearly to the picture's patch grid
    deepstack: tuple[int, ...] = (1, 2)
    patch: int = 16
    merge: int = 2


@dataclass(frozen=True)
class TextConfig:
    """Shape of the text decoder."""

    vocab: int = 1024
    hidden: int = 256
    depth: int = 4
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    experts: int = 8
    active_experts: int = 2
    expert_intermediate: int = 192
    rope_theta: float = 1e5
    mrope_section: tuple[int, int, int] = (12, 10, 10)
    norm_eps: float = 1e-6
    context: int = 4096


@dataclass(frozen=True)
class ModelConfig:
    """The whole network. `init_std` 0.05: with the usual 0.02 a net this narrow learns nothing."""

    name: str = "sight-nano"
    vision: VisionConfig = VisionConfig()
    text: TextConfig = TextConfig()
    init_std: float = 0.05

    @staticmethod
    def read(table: Mapping[str, Any]) -> ModelConfig:
        """From the `[model]` of a configuration file or a checkpoint; what it leaves out is that of sight-nano."""
        parts: dict[str, Any] = {
            part: kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.get(part, {}).items()})
            for part, kind in (("vision", VisionConfig), ("text", TextConfig))
        }
        return ModelConfig(**{**table, **parts})


@lru_cache(maxsize=64)
def vision_tables(
    height: int, width: int, grid: int, head_dim: int, merge: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Position tables of a picture of `height` x `width` patches, in merge-block order, on `device`.

    Returns the taps [N, 4] and weights [N, 4] of the bilinear resampling of the learned grid (corners aligned),
    and cos, sin [N, head_dim] of the axial rotary embedding.
    """
    rows = torch.arange(height).view(height // merge, 1, merge, 1)
    cols = torch.arange(width).view(1, width // merge, 1, merge)
    shape = (height // merge, width // merge, merge, merge)
    row, col = rows.expand(shape).reshape(-1), cols.expand(shape).reshape(-1)

    def axis(pos: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
        exact = pos.double() * ((grid - 1) / max(1, length - 1))
        low = exact.floor().long().clamp(max=grid - 1)
        return low, (low + 1).clamp(max=grid - 1), (exact - low).float()

    r0, r1, fr = axis(row, height)
    c0, c1, fc = axis(col, width)
    taps = torch.stack([r0 * grid + c0, r0 * grid + c1, r1 * grid + c0, r1 * grid + c1], 1)
    weights = torch.stack([(1 - fr) * (1 - fc), (1 - fr) * fc, fr * (1 - fc), fr * fc], 1)
    half = head_dim // 2
    freq = 1.0 / (10000.0 ** (torch.arange(0, half, 2).float() / half))
    angle = torch.cat([row[:, None].float() * freq, col[:, None].float() * freq], 1)
    angle = torch.cat([angle, angle], 1)
    return taps.to(device), weights.to(device), angle.cos().to(device), angle.sin().to(device)


def mrope(positions: Tensor, cfg: TextConfig) -> tuple[Tensor, Tensor]:
    """cos, sin [B, L, head_dim] for `positions` [3, B, L] (time, height, width), axes interleaved T H W T H W ..."""
    freq = 1.0 / (cfg.rope_theta ** (torch.arange(0, cfg.head_dim, 2, device=positions.device).float() / cfg.head_dim))
    angle = positions[..., None].float() * freq
    mixed = angle[0].clone()
    for dim in (1, 2):
        picked = slice(dim, cfg.mrope_section[dim] * 3, 3)
        mixed[..., picked] = angle[dim][..., picked]
    mixed = torch.cat([mixed, mixed], -1)
    return mixed.cos(), mixed.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding in the half-split convention; the tables broadcast over the heads."""
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention, on CPUs in float32: there the fused bfloat16 kernel is several times slower backward."""
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=mask).to(v.dtype)


class _RootMeanSquare(torch.autograd.Function):
    """x / rms(x) * weight with its derivative by hand: half the time of the composite, which is a tenth of a training step."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] # typed *args
        full = x.float()
        rate = torch.linalg.vector_norm(full, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        unit = (full * rate).to(weight.dtype)
        ctx.save_for_backward(unit, rate, weight)
        ctx.dtype = x.dtype
        return unit * weight

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # typed *args
        unit, rate, weight = ctx.saved_tensors
        along = grad * unit
        common = (along @ weight.unsqueeze(-1)).float()
        out = torch.addcmul((grad * weight).float(), unit.float(), common, value=-1 / grad.shape[-1]).mul_(rate)
        return out.to(ctx.dtype), along.reshape(-1, grad.shape[-1]).sum(0), None


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """The norm in float32, the result in the precision of the weights."""
        return _RootMeanSquare.apply(x, self.weight, self.eps)


class LayerNorm(nn.LayerNorm):
    """The residual stream stays in float32, since bfloat16 would round small signals, such as places, away from ink."""

    def forward(self, input: Tensor) -> Tensor:
        weight, bias = self.weight.to(input.dtype), self.bias.to(input.dtype)
        return F.layer_norm(input, self.normalized_shape, weight, bias, self.eps).to(self.weight.dtype)


class VisionAttention(nn.Module):
    def __init__(self, cfg: VisionConfig) -> None:
        super().__init__()
        self.heads = cfg.heads
        self.qkv = nn.Linear(cfg.hidden, 3 * cfg.hidden)
        self.proj = nn.Linear(cfg.hidden, cfg.hidden)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        out = attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
        return self.proj(out.transpose(1, 2).reshape(b, n, d))


class VisionMLP(nn.Module):
    def __init__(self, cfg: VisionConfig) -> None:
        super().__init__()
        self.linear_fc1 = nn.Linear(cfg.hidden, cfg.intermediate)
        self.linear_fc2 = nn.Linear(cfg.intermediate, cfg.hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_fc2(F.gelu(self.linear_fc1(x), approximate="tanh"))


class VisionBlock(nn.Module):
    def __init__(self, cfg: VisionConfig) -> None:
        super().__init__()
        self.norm1 = LayerNorm(cfg.hidden, eps=1e-6)
        self.norm2 = LayerNorm(cfg.hidden, eps=1e-6)
        self.attn = VisionAttention(cfg)
        self.mlp = VisionMLP(cfg)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x), cos, sin)
        return x + self.mlp(self.norm2(x))


class Merger(nn.Module):
    """Joins 2x2 neighbouring patches into one visual token of the text width."""

    def __init__(self, cfg: VisionConfig, out: int, after_merge: bool) -> None:
        super().__init__()
        self.wide = cfg.hidden * cfg.merge**2
        self.after_merge = after_merge
        self.norm = LayerNorm(self.wide if after_merge else cfg.hidden, eps=1e-6)
        self.linear_fc1 = nn.Linear(self.wide, self.wide)
        self.linear_fc2 = nn.Linear(self.wide, out)

    def forward(self, x: Tensor) -> Tensor:
        b, n, _ = x.shape
        merged = (b, n * x.shape[2] // self.wide, self.wide)
        x = self.norm(x.reshape(merged)) if self.after_merge else self.norm(x).reshape(merged)
        return self.linear_fc2(F.gelu(self.linear_fc1(x)))


class PatchEmbed(nn.Module):
    """One linear map per patch: the sum of both temporal slices of the published 3-D convolution."""

    def __init__(self, cfg: VisionConfig) -> None:
        super().__init__()
        self.proj = nn.Linear(3 * cfg.patch**2, cfg.hidden)


class VisionTower(nn.Module):
    def __init__(self, cfg: VisionConfig, out: int) -> None:
        super().__init__()
        self.cfg = cfg
        self.patch_embed = PatchEmbed(cfg)
        self.pos_embed = nn.Embedding(cfg.grid**2, cfg.hidden)
        self.blocks = nn.ModuleList(VisionBlock(cfg) for _ in range(cfg.depth))
        self.merger = Merger(cfg, out, after_merge=False)
        self.deepstack_merger_list = nn.ModuleList(Merger(cfg, out, after_merge=True) for _ in cfg.deepstack)

    def forward(self, patches: Tensor, size: tuple[int, int]) -> tuple[Tensor, list[Tensor]]:
        """`patches` [B, N, 768] in merge-block order, `size` in patches (height, width).

        Returns the visual tokens [B, N/4, text width] and one such tensor per deepstack layer.
        """
        cfg = self.cfg
        taps, weights, cos, sin = vision_tables(*size, cfg.grid, cfg.hidden // cfg.heads, cfg.merge, patches.device)
        ink = self.patch_embed.proj(patches)
        x = ink.float() + (self.pos_embed.weight[taps].float() * weights[..., None]).sum(1)
        cos, sin = cos.to(ink.dtype), sin.to(ink.dtype)
        deep: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x = block(x, cos, sin)
            if index in cfg.deepstack:
                deep.append(self.deepstack_merger_list[len(deep)](x))
        return self.merger(x), deep


class TextAttention(nn.Module):
    """Grouped-query attention. Where `watched` is set, `recent` keeps queries [B, H, L, D] and keys [B, KV, L, D] of the last call."""

    def __init__(self, cfg: TextConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.q_proj = nn.Linear(cfg.hidden, cfg.heads * cfg.head_dim, bias=False)
        self.k_proj = nn.Linear(cfg.hidden, cfg.kv_heads * cfg.head_dim, bias=False)
        self.v_proj = nn.Linear(cfg.hidden, cfg.kv_heads * cfg.head_dim, bias=False)
        self.o_proj = nn.Linear(cfg.heads * cfg.head_dim, cfg.hidden, bias=False)
        self.q_norm = RMSNorm(cfg.head_dim, cfg.norm_eps)
        self.k_norm = RMSNorm(cfg.head_dim, cfg.norm_eps)
        self.watched = False
        self.recent: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        b, n, _ = x.shape
        dim, groups = self.cfg.head_dim, self.cfg.heads // self.cfg.kv_heads
        q = rotate(self.q_norm(self.q_proj(x).view(b, n, -1, dim)).transpose(1, 2), cos, sin)
        k = rotate(self.k_norm(self.k_proj(x).view(b, n, -1, dim)).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(b, n, -1, dim).transpose(1, 2)
        self.recent = (q, k) if self.watched else None
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        out = attention(q, k, v, mask)
        return self.o_proj(out.transpose(1, 2).reshape(b, n, -1))
