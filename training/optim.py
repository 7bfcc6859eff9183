"""Optimiser for a network held in bfloat16: float32 master weights, Muon for matrices, Adam for the rest.

Muon orthogonalises the momentum of every weight matrix (Newton-Schulz iteration). On this network it needs far fewer
steps than AdamW; the iteration runs batched and in bfloat16, and matrices wider than `BLOCK` are cut into blocks, which
keeps its cost near a tenth of a training step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from typing import Any

import torch
from torch import Tensor, nn

BLOCK = 256
# Learning rates against the common one: positions start far smaller than ink and must catch up, the throw-away head
# reads large features and would otherwise jump about.
FACTORS = {"pos_embed": 8.0, "head.": 0.3}
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(stack: Tensor, steps: int = 5) -> Tensor:
    """Nearest-orthogonal matrices of `stack` [S, m, n] with m <= n, in bfloat16."""
    a, b, c = _COEFFICIENTS
    x = stack.bfloat16()
    x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _blocks(matrix: Tensor) -> Tensor:
    """[..., m, n] as a stack [S, short <= BLOCK, long] of views or copies; undone by `_join`."""
    x = matrix.reshape(-1, *matrix.shape[-2:])
    if x.shape[1] > x.shape[2]:
        x = x.transpose(1, 2)
    if x.shape[1] > BLOCK and x.shape[1] % BLOCK == 0:
        x = x.reshape(x.shape[0] * (x.shape[1] // BLOCK), BLOCK, x.shape[2])
    return x


def _join(blocks: Tensor, like: Tensor) -> Tensor:
    rows, cols = like.shape[-2:]
    if rows > cols:
        return blocks.reshape(-1, cols, rows).transpose(1, 2).reshape(like.shape)
    return blocks.reshape(like.shape)


class Optimiser:
    """Steps `params` (any dtype) from their gradients; keeps float32 masters and moments in `state`."""

    def __init__(
        self,
        params: Iterable[tuple[str, nn.Parameter]],
        matrix_lr: float,
        other_lr: float,
        weight_decay: float = 0.02,
        betas: tuple[float, float] = (0.9, 0.98),
        momentum: float = 0.95,
        clip: float = 1.0,
    ) -> None:
        self.names, self.params = map(list, zip(*params, strict=True))
        self.matrix_lr, self.other_lr = matrix_lr, other_lr
        self.weight_decay, self.betas, self.momentum, self.clip = weight_decay, betas, momentum, clip
        self.master = [p.detach().float().clone() for p in self.params]
        self.first = [torch.zeros_like(m) for m in self.master]
        self.is_matrix = [p.ndim >= 2 and not self._is_table(n) for n, p in zip(self.names, self.params, strict=True)]
        self.second = [torch.zeros(()) if m else torch.zeros_like(w) for m, w in zip(self.is_matrix, self.master, strict=True)]
        self.factors = [next((f for key, f in FACTORS.items() if key in n and "lm_" not in n), 1.0) for n in self.names]
        self.steps = 0

    @staticmethod
    def _is_table(name: str) -> bool:
        """Look-up tables, the output layer and the router are no linear maps between hidden spaces: Adam."""
        return any(part in name for part in ("embed_tokens", "pos_embed", "lm_head", "gate.weight", "head."))

    def step(self, scale: float, threads: Executor) -> float:
        """One update with both learning rates times `scale`. Returns the gradient norm before clipping."""
        self.steps += 1
        grads = [torch.zeros_like(m) if p.grad is None else p.grad.float() for p, m in zip(self.params, self.master, strict=True)]
        norm = float(torch.stack(torch._foreach_norm(grads)).norm())
        if not norm < float("inf"):  # an overflow must not poison the weights
            return norm
        if norm > self.clip:
            torch._foreach_mul_(grads, self.clip / norm)
        tables = [i for i, m in enumerate(self.is_matrix) if not m]
        matrices = sorted((i for i, m in enumerate(self.is_matrix) if m), key=lambda i: self.master[i].numel())
        jobs = [threads.submit(self._muon, matrices[part::2], grads, self.matrix_lr * scale) for part in range(2)]
        jobs.append(threads.submit(self._adam, tables, grads, self.other_lr * scale))
        for job in jobs:
            job.result()
        self._publish()
        for param in self.params:
            param.grad = None
        return norm

    def _adam(self, which: list[int], grads: list[Tensor], lr: float) -> None:
        beta1, beta2 = self.betas
        for i in which:
            self.first[i].lerp_(grads[i], 1 - beta1)
            self.second[i].mul_(beta2).addcmul_(grads[i], grads[i], value=1 - beta2)
            root = (self.second[i] / (1 - beta2**self.steps)).sqrt_().add_(1e-8)
            decay = self.weight_decay if self.master[i].ndim >= 2 else 0.0
            rate = lr * self.factors[i]
            self.master[i].mul_(1 - rate * decay).addcdiv_(self.first[i], root, value=-rate / (1 - beta1**self.steps))

    def _muon(self, which: list[int], grads: list[Tensor], lr: float) -> None:
        groups: dict[tuple[int, ...], list[tuple[int, Tensor]]] = defaultdict(list)
        for i in which:
            self.first[i].lerp_(grads[i], 1 - self.momentum)
            ahead = grads[i].lerp(self.first[i], self.momentum)
            blocks = _blocks(ahead)
            groups[tuple(blocks.shape[1:])].append((i, blocks))
        for (_, long), members in groups.items():
            flat = orthogonalise(torch.cat([blocks for _, blocks in members])).float()
            for (i, _), part in zip(members, flat.split([b.shape[0] for _, b in members]), strict=True):
                # Scaled so that one element moves about as far as under Adam at the same rate.
                self.master[i].mul_(1 - lr * self.weight_decay)
                self.master[i].add_(_join(part, self.master[i]), alpha=-lr * 0.2 * long**0.5)

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on, on the CPU, so that any machine can."""
        tensors = {key: [t.cpu() for t in kept] for key, kept in (("master", self.master), ("first", self.first), ("second", self.second))}
        return {"names": self.names, **tensors, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores masters and moments by name; parameters (or further rows) unknown to `state` keep their fresh ones."""
        at = {name: i for i, name in enumerate(state["names"])}
        for i, name in enumerate(self.names):
            if name in at:
                for key, mine in (("master", self.master), ("first", self.first), ("second", self.second)):
                    theirs = state[key][at[name]]
                    (mine[i][: theirs.shape[0]] if theirs.ndim else mine[i]).copy_(theirs)
        self.steps = state["steps"]
        self._publish()

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Takes weights alone, by name; parameters unknown to `weights` keep theirs."""
        for name, master in zip(self.names, self.master, strict=True):
            if name in weights:
                master.copy_(weights[name])
        self._publish()

    @torch.no_grad()
    def _publish(self) -> None:
        """The masters, rounded, into the network."""
        for param, master in zip(self.params, self.master, strict=True):
            param.copy_(master)
