"""What a GPU does differently, checked without one."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from training.chat import Chat
from training.data import Batch, Bucket, Cells, make_batch, make_cells
from training.losses import WATCHED_LAYER, EyeHead, answer_logits, look_loss
from training.model import ModelConfig, TextConfig, VisionConfig
from training.moe import Experts, SightNano
from training.shipped import shipped_tokenizer
from training.train import Settings, Trainer, prepare_for_gpu

SHIPPED = Path(__file__).parents[2] / "src/sightline/models/sight-pico.gguf"
TINY = ModelConfig(
    vision=VisionConfig(hidden=64, depth=3, heads=2, intermediate=96),
    text=TextConfig(hidden=64, heads=4, kv_heads=2, head_dim=64, experts=4, expert_intermediate=32),
)
BUCKETS = (Bucket("shapes", 128, 128, 2, 3), Bucket("chart", 160, 128, 2, 3), Bucket("clip", 128, 96, 1, 3), Bucket("cells", 128, 128, 3))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return shipped_tokenizer(SHIPPED)


def drawn(bucket: Bucket, tokenizer: Tokenizer) -> Batch | Cells:
    return make_cells(bucket, 1) if bucket.kind == "cells" else make_batch(bucket, 1, Chat(tokenizer))


def test_every_expert_seeing_every_token_gives_what_sorting_gives() -> None:
    torch.manual_seed(1)
    experts = Experts(TINY.text)
    for weight in experts.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    x = torch.randn(50, TINY.text.hidden)
    weights, chosen = torch.randn(50, TINY.text.experts).softmax(-1).topk(2)
    outputs, gradients = [], []
    for everywhere in (False, True):
        experts.everywhere = everywhere
        out = experts(x, chosen, weights)
        outputs.append(out)
        gradients.append(torch.autograd.grad(out.square().sum(), tuple(experts.parameters())))
    torch.testing.assert_close(outputs[0], outputs[1])
    for sorted_, all_ in zip(*gradients, strict=True):
        torch.testing.assert_close(sorted_, all_, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bucket", BUCKETS, ids=lambda b: b.kind)
def test_a_step_stays_on_its_device_and_never_waits_for_it(bucket: Bucket, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """On the device `meta` a tensor from elsewhere, or a value that is asked for, is an error."""
    saved = tmp_path / "tokenizer.json"
    tokenizer.save(str(saved))
    settings = Settings(saved, TINY, 0.006, 0.002, 0.01, 0.4, 0.8, 100, ())
    trainer = Trainer(settings, tmp_path, None, 1, torch.device("meta"), 1)
    with torch.compiler.set_stance("force_eager"):
        told = trainer.learn(trainer.model, drawn(bucket, tokenizer).to(trainer.device), 1.0)
    assert all(pair.device.type == "meta" and pair.shape == (2,) for pair in told.values())
    assert trainer.head.weight.grad is not None


def test_a_batch_moves_as_a_whole(tokenizer: Tokenizer) -> None:
    batch = drawn(BUCKETS[0], tokenizer).to(torch.device("meta"))
    tensors = [value for f in fields(batch) if isinstance(value := getattr(batch, f.name), Tensor)]
    assert len(tensors) >= 12
    assert {value.device.type for value in tensors} == {"meta"}


@pytest.mark.timeout(600)
def test_blocks_compile_whole_and_once_for_all_sizes(tokenizer: Tokenizer) -> None:
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    torch.manual_seed(2)
    model = SightNano(TINY)
    plain = SightNano(TINY)
    plain.load_state_dict(model.state_dict())
    for each in (model, plain):
        each.model.language_model.layers[WATCHED_LAYER].self_attn.watched = True
    prepare_for_gpu(model, backend=counter)
    head = EyeHead(TINY.text.hidden, 3)
    compiled: list[int] = []
    for bucket in BUCKETS[:3]:
        batch = drawn(replace(bucket, batch=bucket.batch + 1), tokenizer)
        assert isinstance(batch, Batch)
        losses: list[Tensor] = []
        for each in (plain, model):
            logits, seen = answer_logits(each, batch)
            balance = torch.stack([block.balance for block in each.moe_blocks()]).mean()
            loss = logits.logsumexp(-1).mean() + look_loss(each, batch) + balance + head(seen, batch.named)[0]
            loss.backward()
            losses.append(loss.detach())
        torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-4)
        compiled.append(counter.frame_count)
    for mine, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4)
    # The second size may show what differs between sizes; no further one may cost a compilation.
    assert compiled[1] == compiled[2] < 8
