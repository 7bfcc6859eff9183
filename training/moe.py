"""The mixture of experts and the text decoder built on it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.model import ModelConfig, RMSNorm, TextAttention, TextConfig, VisionTower, mrope


class Experts(nn.Module):
    """All experts of one layer as two stacked tensors: gate_up_proj [E, 2*ff, H], down_proj [E, H, ff].

    With `everywhere` every expert sees every token and the router's weights decide what counts: more arithmetic, the same result. A GPU
    has plenty of that, and need not wait to be told how many tokens each expert got.
    """

    def __init__(self, cfg: TextConfig) -> None:
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.empty(cfg.experts, 2 * cfg.expert_intermediate, cfg.hidden))
        self.down_proj = nn.Parameter(torch.empty(cfg.experts, cfg.hidden, cfg.expert_intermediate))
        self.everywhere = False

    def forward(self, x: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        """`x` [T, H], `chosen` and `weights` [T, k]."""
        return self._everywhere(x, chosen, weights) if self.everywhere else self._sorted(x, chosen, weights)

    def _everywhere(self, x: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        count, hidden = x.shape
        share = weights.new_zeros(count, self.down_proj.shape[0]).scatter(1, chosen, weights)
        gate, up = torch.einsum("th,efh->tef", x, self.gate_up_proj).chunk(2, -1)
        inner = F.silu(gate) * up * share[..., None].to(up.dtype)
        return inner.reshape(count, -1) @ self.down_proj.transpose(1, 2).reshape(-1, hidden)

    def _sorted(self, x: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        """Tokens are sorted by expert, so each expert is one product."""
        active = chosen.shape[1]
        order = chosen.reshape(-1).argsort(stable=True)
        counts = torch.bincount(chosen.reshape(-1), minlength=self.gate_up_proj.shape[0]).tolist()
        rows = x.index_select(0, torch.div(order, active, rounding_mode="floor"))
        parts: list[Tensor] = []
        for expert, part in enumerate(rows.split(counts)):
            if part.shape[0] == 0:
                continue
            gate, up = F.linear(part, self.gate_up_proj[expert]).chunk(2, -1)
            parts.append(F.linear(F.silu(gate) * up, self.down_proj[expert]))
        back = torch.empty_like(order)
        back[order] = torch.arange(order.numel())
        out = torch.cat(parts).index_select(0, back).view(-1, active, x.shape[1])
        return (out * weights[..., None].to(out.dtype)).sum(1)


class Router(nn.Module):
    def __init__(self, cfg: TextConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(cfg.experts, cfg.hidden))


class MoeBlock(nn.Module):
    """Top-k routing with renormalised weights.

    After each call `balance` holds the load-balancing loss (1 when the load is even) and `load` [E] the share of
    token-expert assignments, over the real tokens only.
    """

    def __init__(self, cfg: TextConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.experts = Experts(cfg)
        self.gate = Router(cfg)
        self.balance = torch.zeros(())
        self.load = torch.zeros(cfg.experts)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """`x` [B, L, H]; `real` [T] the flat indices of the tokens that are not padding."""
        flat = x.reshape(-1, x.shape[-1]).index_select(0, real)
        prob = F.linear(flat, self.gate.weight).float().softmax(-1)
        top, chosen = prob.topk(self.cfg.active_experts, -1)
        weights = top / top.sum(-1, keepdim=True)
        picked = chosen.reshape(-1)
        share = prob.new_zeros(self.cfg.experts).index_add(0, picked, torch.full_like(picked, 1, dtype=prob.dtype)) / chosen.numel()
        self.load = share
        self.balance = self.cfg.experts * (share * prob.mean(0)).sum()
        out = self.experts(flat, chosen, weights)
        return torch.zeros_like(x).view(-1, x.shape[-1]).index_copy(0, real, out).view_as(x)


class TextLayer(nn.Module):
    def __init__(self, cfg: TextConfig) -> None:
        super().__init__()
        self.self_attn = TextAttention(cfg)
        self.mlp = MoeBlock(cfg)
        self.input_layernorm = RMSNorm(cfg.hidden, cfg.norm_eps)
        self.post_attention_layernorm = RMSNorm(cfg.hidden, cfg.norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, real: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x), real)


class TextModel(nn.Module):
    def __init__(self, cfg: TextConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(cfg.vocab, cfg.hidden)
        self.layers = nn.ModuleList(TextLayer(cfg) for _ in range(cfg.depth))
        self.norm = RMSNorm(cfg.hidden, cfg.norm_eps)


class Body(nn.Module):
    def __init__(self, cfg: ModelConfig) -> None:
        super().__init__()
        self.visual = VisionTower(cfg.vision, cfg.text.hidden)
        self.language_model = TextModel(cfg.text)


class SightNano(nn.Module):
    """The network. Its `state_dict` carries the published parameter names."""

    def __init__(self, cfg: ModelConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.model = Body(cfg)
        self.lm_head = nn.Linear(cfg.text.hidden, cfg.text.vocab, bias=False)
        self.reset(cfg.init_std)

    def reset(self, std: float) -> None:
        """Normal weights of one width everywhere, zero biases, unit norms."""
        for name, param in self.named_parameters():
            if param.ndim == 1:
                nn.init.constant_(param, 1.0 if "norm" in name and name.endswith("weight") else 0.0)
            else:
                # The patch matrix stands for the sum of two slices of width `std`.
                nn.init.normal_(param, std=std * (2**0.5 if "patch_embed" in name else 1.0))

    def moe_blocks(self) -> list[MoeBlock]:
        return [layer.mlp for layer in self.model.language_model.layers]  # type: ignore[misc]

    def forward(
        self,
        ids: Tensor,
        positions: Tensor,
        mask: Tensor,
        real: Tensor,
        patches: Tensor,
        size: tuple[int, int],
        image_at: Tensor,
        wanted: Tensor,
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits [W, vocab] at the flat positions `wanted`, and the tower's outputs [P, N/4, H] (last, then deepstack).

        ids [B, L]; positions [3, B, L]; mask [B, 1, L, L] (True = may look); real [T] flat indices of the tokens
        that are not padding; patches [P, N, 768] for all P pictures; image_at [P * N/4] the flat position of
        every visual token.
        """
        text = self.model.language_model
        visual, deep = self.model.visual(patches, size)
        x = text.embed_tokens(ids).float()
        shape = x.shape
        x = x.view(-1, shape[-1]).index_copy(0, image_at, visual.reshape(-1, shape[-1]).float()).view(shape)
        cos, sin = mrope(positions, self.cfg.text)
        cos, sin = cos[:, None].to(visual.dtype), sin[:, None].to(visual.dtype)
        for index, layer in enumerate(text.layers):
            x = layer(x, cos, sin, mask, real)
            if index < len(deep):
                x = x.view(-1, shape[-1]).index_add(0, image_at, deep[index].reshape(-1, shape[-1]).float()).view(shape)
        return self.lm_head(text.norm(x.view(-1, shape[-1]).index_select(0, wanted))), [visual, *deep]
