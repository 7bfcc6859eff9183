"""Trains the bundled model: one command, one configuration file, resumable at any point.

    python -m training.train CONFIG.toml RUN_DIR [--init CHECKPOINT]

RUN_DIR/checkpoint.pt is written every few minutes and on SIGTERM or SIGINT; the same command continues from it.
Progress is counted in steps, never in seconds, so a machine that is shared or paused changes nothing but the clock.
"""

from __future__ import annotations

import argparse
import copy
import os
import signal
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from training.chat import Chat
from training.data import TRAIN_SEEDS, Batch, Bucket, Prefetch, look_mask, make_batch, make_cells, to_patches
from training.model import ModelConfig
from training.moe import SightNano
from training.optim import Optimiser
from training.scenes.cells import EXTENTS, NAMES, PLACES, SLOT_SIZES, UNKNOWN

CHECKPOINT_SECONDS = 150
# Weights of the dense labels about relations, against those about names. What the decoder's heads find by themselves (how many are alike,
# the partner of a label) weighs little: the tower hardly learns it and should rather read.
RELATION_WEIGHTS = (0.3, 0.3, 0.1, 0.1, 0.1, 0.3, 0.3, 0.2, 0.2, 0.2, 0.2)
EXTENT_WEIGHT = 0.3
LOG_SECONDS = 45
WATCHED_LAYER = 2  # after the last deepstack layer, and with one layer left to conclude
WATCHED_HEADS = (0, 2, 1)  # two heads with keys of their own for one thing each, and one to count with


@dataclass(frozen=True)
class Stage:
    """`steps` updates, each from `micro` batches drawn from `buckets`; the rate goes linearly from `start` to `end`."""

    name: str
    steps: int
    micro: int
    start: float
    end: float
    buckets: tuple[Bucket, ...]
    warmup: int = 40

    def scale(self, step: int) -> float:
        slope = self.start + (self.end - self.start) * step / self.steps
        return slope * min(1.0, (step + 1) / self.warmup)


@dataclass(frozen=True)
class Settings:
    """A configuration file, read."""

    tokenizer: Path
    model: ModelConfig
    matrix_lr: float
    other_lr: float
    balance: float
    eyes: float
    looks: float
    eval_steps: int
    stages: tuple[Stage, ...]

    @staticmethod
    def read(path: Path) -> Settings:
        raw = tomllib.loads(path.read_text())
        raw.pop("card", None)  # for `card.py`
        stages = tuple(Stage(**{**stage, "buckets": tuple(Bucket(**bucket) for bucket in stage["buckets"])}) for stage in raw.pop("stages"))
        model = ModelConfig.read(raw.pop("model", {}))
        return Settings(tokenizer=path.parent / raw.pop("tokenizer"), model=model, stages=stages, **raw)

    def at(self, step: int) -> tuple[Stage, int]:
        """The stage that holds the global `step`, and the step inside it."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        return self.stages[-1], self.stages[-1].steps


class EyeHead(nn.Module):
    """The throw-away head that names what each visual token shows, from the tower's three outputs."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(sum(SLOT_SIZES), width * outputs) * 0.02)
        self.bias = nn.Parameter(torch.zeros(sum(SLOT_SIZES)))
        self.slot_weights = torch.tensor([1.0] * (len(NAMES) + len(PLACES)) + list(RELATION_WEIGHTS) + [EXTENT_WEIGHT] * len(EXTENTS))

    def forward(self, seen: list[Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and the share of the cells with something in them that are named exactly."""
        logits = F.linear(torch.cat(seen, -1), self.weight, self.bias).float()
        slots = logits.view(-1, sum(SLOT_SIZES)).split(SLOT_SIZES, 1)
        losses = [F.cross_entropy(slot, labels[:, i], ignore_index=UNKNOWN, reduction="sum") for i, slot in enumerate(slots)]
        named = labels[:, : len(NAMES)]
        known = (labels != UNKNOWN).sum(0)
        # Where most cells are empty, as in charts, the few that are not should not count for less.
        known[: len(NAMES)] = named.any(1).sum()
        loss = (torch.stack(losses) / known.clamp(min=1) * self.slot_weights).sum()
        exact = (torch.stack([slot.argmax(1) for slot in slots[: len(NAMES)]], 1) == named).all(1)[named.any(1)]
        return loss, exact.float().mean()


def answer_logits(model: SightNano, batch: Batch) -> tuple[Tensor, list[Tensor]]:
    bucket = batch.bucket
    dtype = model.lm_head.weight.dtype
    real = (batch.segment.view(-1) >= 0).nonzero()[:, 0]
    return model(
        batch.ids,
        batch.positions,
        look_mask(batch.segment),
        real,
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


def effort(item: Any) -> int:
    """About how long a micro-batch takes, in tokens of the text decoder: a visual token costs the tower as much as three of these."""
    if isinstance(item, Batch):
        return item.ids.numel() + 3 * len(item.named)
    return 3 * len(item[1][1])


def right(batch: Batch, logits: Tensor) -> Tensor:
    """Which questions [Q] are answered exactly: every token is the likeliest, which is what greedy decoding needs."""
    wrong = (logits.argmax(-1) != batch.targets).float()
    return torch.zeros(len(batch.asked)).index_add(0, batch.owner, wrong) == 0


class Trainer:
    """Trains with `threads` threads. Each has modules of its own over the same weights, since a module keeps the routing of its last
    call; gradients add up in the weights. On few cores this is twice as fast as splitting every small operation over the cores."""

    def __init__(self, settings: Settings, run: Path, init: Path | None, threads: int) -> None:
        self.settings, self.run = settings, run
        self.chat = Chat(Tokenizer.from_file(str(settings.tokenizer)))
        torch.manual_seed(0)
        self.model = SightNano(settings.model).bfloat16()
        vision = self.model.cfg.vision
        self.head = EyeHead(self.model.cfg.text.hidden, 1 + len(vision.deepstack)).bfloat16()
        named = [*self.model.named_parameters(), *((f"head.{n}", p) for n, p in self.head.named_parameters())]
        self.optimiser = Optimiser(named, settings.matrix_lr, settings.other_lr)
        self.step = 0
        self.before = 0  # steps of the runs that this one continues: their pictures do not come again
        self.cpu_seconds = 0.0
        self.pictures = 0
        self.questions = 0
        self.stop = False
        self.recent: dict[str, list[tuple[float, float]]] = {}  # of each kind: loss and share right since the last line of the log
        self.model.model.language_model.layers[WATCHED_LAYER].self_attn.watched = True
        shared = {id(p): p for p in self.model.parameters()}
        self.replicas = [copy.deepcopy(self.model, dict(shared)) for _ in range(threads)]
        self.threads = ThreadPoolExecutor(threads)
        if (run / "checkpoint.pt").exists():
            self.load(run / "checkpoint.pt", resume=True)
        elif init is not None:
            self.load(init, resume=False)

    def load(self, path: Path, resume: bool) -> None:
        state = torch.load(path, weights_only=True)
        self.optimiser.load_state_dict(state["opt"])
        self.cpu_seconds, self.pictures, self.questions = (state.get(k, 0) for k in ("cpu_seconds", "pictures", "questions"))
        if resume:
            self.step, self.before = state["step"], state.get("before", 0)
        else:
            self.before = state.get("before", 0) + state["step"]

    def save(self) -> None:
        state = {
            "model": asdict(self.settings.model),
            "opt": self.optimiser.state_dict(),
            "step": self.step,
            "before": self.before,
            "cpu_seconds": self.cpu_seconds,
            "pictures": self.pictures,
            "questions": self.questions,
        }
        part = self.run / "checkpoint.part"
        torch.save(state, part)
        os.replace(part, self.run / "checkpoint.pt")

    def make(self, step: int) -> list[Any]:
        """All micro-batches of a step (runs in the worker)."""
        stage, _ = self.settings.at(step)
        number = self.before + step
        rng = Random(number)
        made: list[Any] = []
        for index in range(stage.micro):
            bucket = rng.choices(stage.buckets, [b.weight for b in stage.buckets])[0]
            seed = TRAIN_SEEDS + (number * 8 + index) * 1024
            made.append((bucket, make_cells(bucket, seed)) if bucket.kind == "cells" else make_batch(bucket, seed, self.chat, drill=True))
        return made

    def learn(self, model: SightNano, item: Any, share: float) -> dict[str, tuple[float, float]]:
        """Adds the gradients of one micro-batch to the shared weights, and tells its losses and shares of exact answers."""
        if isinstance(item, Batch):
            logits, seen = answer_logits(model, item)
            logits = logits.float()
            loss = (F.cross_entropy(logits, item.targets, reduction="none") * item.weight).sum()
            balance = torch.stack([block.balance for block in model.moe_blocks()]).mean()
            eyes, exact_eyes = self.head(seen, item.named)
            looks = look_loss(model, item) if len(item.look_at) else torch.zeros(())
            ((loss + self.settings.balance * balance + self.settings.eyes * eyes + self.settings.looks * looks) * share).backward()
            return {
                f"{item.bucket.kind}{item.bucket.width}": (float(loss.detach()), float(right(item, logits).float().mean())),
                f"{item.bucket.kind}-looks": (float(looks.detach()), 0.0),
                f"{item.bucket.kind}-eyes": (float(eyes.detach()), float(exact_eyes)),
            }
        bucket, (images, labels) = item
        visual, deep = model.model.visual(to_patches(images).to(self.head.weight.dtype), (bucket.height // 16, bucket.width // 16))
        loss, exact = self.head([visual, *deep], labels)
        (loss * self.settings.eyes * share).backward()
        return {"cells": (float(loss.detach()), float(exact))}

    def update(self, items: list[Any], scale: float) -> None:
        """One step of the optimiser from several micro-batches, each on a thread of its own."""
        free = list(self.replicas)

        def one(item: Any) -> dict[str, tuple[float, float]]:
            replica = free.pop()
            try:
                return self.learn(replica, item, 1 / len(items))
            finally:
                free.append(replica)

        # The longest first, so that the threads end together.
        for told in self.threads.map(one, sorted(items, key=effort, reverse=True)):
            for kind, row in told.items():
                self.recent.setdefault(kind, []).append(row)
        for item in items:
            self.pictures += len(item.images if isinstance(item, Batch) else item[1][0])
            self.questions += len(item.asked) if isinstance(item, Batch) else 0
        self.optimiser.step(scale, self.threads)

    @torch.no_grad()
    def evaluate(self, stage: Stage) -> str:
        """Exact answers per skill on held-out pictures of the stage's own buckets."""
        tally: dict[str, list[int]] = {}
        for number, bucket in enumerate(b for b in stage.buckets if b.kind != "cells"):
            batch = make_batch(bucket, 1 << 20 | number << 12, self.chat)
            for qa, ok in zip(batch.asked, right(batch, answer_logits(self.model, batch)[0]).tolist(), strict=True):
                tally.setdefault(qa.skill, []).append(int(ok))
        return " ".join(f"{skill}={sum(hits)}/{len(hits)}" for skill, hits in sorted(tally.items()))

    def main(self) -> None:
        total = sum(stage.steps for stage in self.settings.stages)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "stop", True))
        feed = Prefetch(self.make, self.step)
        logged = saved = time.monotonic()
        cpu = time.process_time()
        while self.step < total and not self.stop:
            stage, inside = self.settings.at(self.step)
            items = feed.next()
            self.update(items, stage.scale(inside))
            self.step += 1
            self.cpu_seconds += time.process_time() - cpu
            cpu = time.process_time()
            now = time.monotonic()
            if now - logged > LOG_SECONDS:
                logged = now
                parts = [f"{k} {np.nanmean(v, 0)[0]:.3f}/{np.nanmean(v, 0)[1]:.3f}" for k, v in sorted(self.recent.items())]
                load = torch.stack([block.load for block in self.replicas[0].moe_blocks()])
                print(
                    f"{time.strftime('%H:%M:%S')} {stage.name} {inside}/{stage.steps} step {self.step} cpu {self.cpu_seconds:.0f}s "
                    f"| {' | '.join(parts)} | load {load.min():.3f}-{load.max():.3f}",
                    flush=True,
                )
                self.recent.clear()
            if self.step % self.settings.eval_steps == 0:
                print("  eval", self.evaluate(stage), flush=True)
            if now - saved > CHECKPOINT_SECONDS:
                saved = now
                self.save()
        self.save()
        feed.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--init", type=Path, help="start from the weights of this checkpoint")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.run.mkdir(parents=True, exist_ok=True)
    Trainer(Settings.read(args.config), args.run, args.init, args.threads).main()


if __name__ == "__main__":
    main()
