"""What a training batch asks of the network: answers, dense labels of every visual token, and where its heads look."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.data import Batch, look_mask, to_patches
from training.moe import SightNano
from training.scenes.cells import EXTENTS, NAMES, PLACES, SLOT_SIZES, UNKNOWN

# Weights of the dense labels about relations, against those about names. What the decoder's heads find by themselves (how many are alike,
# the partner of a label) weighs little: the tower hardly learns it and should rather read.
RELATION_WEIGHTS = (0.3, 0.3, 0.1, 0.1, 0.1, 0.3, 0.3, 0.2, 0.2, 0.2, 0.2)
EXTENT_WEIGHT = 0.3
WATCHED_LAYER = 2  # after the last deepstack layer, and with one layer left to conclude
WATCHED_HEADS = (0, 2, 1)  # two heads with keys of their own for one thing each, and one to count with


class EyeHead(nn.Module):
    """The throw-away head that names what each visual token shows, from the tower's three outputs."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(sum(SLOT_SIZES), width * outputs) * 0.02)
        self.bias = nn.Parameter(torch.zeros(sum(SLOT_SIZES)))
        slot_weights = torch.tensor([1.0] * (len(NAMES) + len(PLACES)) + list(RELATION_WEIGHTS) + [EXTENT_WEIGHT] * len(EXTENTS))
        self.register_buffer("slot_weights", slot_weights, persistent=False)

    def forward(self, seen: list[Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and the share of the cells with something in them that are named exactly (nan where all are empty)."""
        logits = F.linear(torch.cat(seen, -1), self.weight, self.bias).float()
        slots = logits.view(-1, sum(SLOT_SIZES)).split(SLOT_SIZES, 1)
        losses = [F.cross_entropy(slot, labels[:, i], ignore_index=UNKNOWN, reduction="sum") for i, slot in enumerate(slots)]
        named = labels[:, : len(NAMES)]
        known = (labels != UNKNOWN).sum(0)
        # Where most cells are empty, as in charts, the few that are not should not count for less.
        filled = named.any(1)
        known[: len(NAMES)] = filled.sum()
        loss = (torch.stack(losses) / known.clamp(min=1) * self.slot_weights).sum()
        exact = (torch.stack([slot.argmax(1) for slot in slots[: len(NAMES)]], 1) == named).all(1)
        return loss, (exact & filled).sum() / filled.sum()


def answer_logits(model: SightNano, batch: Batch) -> tuple[Tensor, list[Tensor]]:
    bucket = batch.bucket
    dtype = model.lm_head.weight.dtype
    return model(
        batch.ids,
        batch.positions,
        look_mask(batch.segment),
        batch.real,
        to_patches(batch.images).to(dtype),
        (bucket.height // 16, bucket.width // 16),
        batch.image_at,
        batch.wanted,
    )


def look_loss(model: SightNano, batch: Batch) -> Tensor:
    """How far the watched heads are from looking where the answer is to be seen: a mean cross-entropy of attention.

    An answer alone tells a young network little about where it should have looked; this says it outright, and what is looked at is then
    soon read. The network itself stays as it is.
    """
    attention = model.model.language_model.layers[WATCHED_LAYER].self_attn
    q, k = attention.recent
    row, place, head, column = batch.look_at.unbind(1)
    keys = [head * k.shape[1] // q.shape[1] for head in WATCHED_HEADS]
    scores = (q[:, WATCHED_HEADS] @ k[:, keys].transpose(2, 3)).float() * q.shape[-1] ** -0.5
    hidden = ~look_mask(batch.segment).expand(-1, len(keys), -1, -1)
    chosen = scores.masked_fill(hidden, -1e9)[row, head, place].log_softmax(-1)
    shares = chosen.gather(1, column[:, None])[:, 0]
    return -(shares * batch.look_weight).sum() / batch.look_weight.sum().clamp(min=1)


def right(batch: Batch, logits: Tensor) -> Tensor:
    """Which questions [Q] are answered exactly: every token is the likeliest, which is what greedy decoding needs."""
    wrong = (logits.argmax(-1) != batch.targets).float()
    return wrong.new_zeros(len(batch.asked)).index_add(0, batch.owner, wrong) == 0
