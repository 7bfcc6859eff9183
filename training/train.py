"""Trains the bundled model: one command, one configuration file, resumable at any point.

    python -m training.train CONFIG.toml RUN_DIR [--init CHECKPOINT | --init src/sightline/models/sight-nano.gguf] [--device cuda]

RUN_DIR/checkpoint.pt is written every few minutes and on SIGTERM or SIGINT; the same command continues from it, on any device.
Progress is counted in steps, never in seconds, so a machine that is shared or paused changes nothing but the clock.

On a GPU the blocks of the network are compiled, attention is fused and in bfloat16, every expert sees every token, and nothing but the
end of a step waits for the device; as many processes as there are cores draw.
"""

from __future__ import annotations

import argparse
import copy
import os
import signal
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from training.chat import Chat
from training.data import TRAIN_SEEDS, Batch, Bucket, Cells, Prefetch, make_batch, make_cells, to_patches
from training.losses import WATCHED_LAYER, EyeHead, answer_logits, look_loss, right
from training.model import ModelConfig
from training.moe import SightNano
from training.optim import Optimiser
from training.shipped import load_shipped, steps_before

CHECKPOINT_SECONDS = 150
LOG_SECONDS = 45


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


def effort(item: Batch | Cells) -> int:
    """About how long a micro-batch takes, in tokens of the text decoder: a visual token costs the tower as much as three of these."""
    return 3 * len(item.named) + (item.ids.numel() if isinstance(item, Batch) else 0)


class Trainer:
    """Trains with `threads` threads. Each has modules of its own over the same weights, since a module keeps the routing of its last
    call; gradients add up in the weights. On few cores this is twice as fast as splitting every small operation over the cores. A GPU is
    kept busy by one thread."""

    def __init__(self, settings: Settings, run: Path, init: Path | None, threads: int, device: torch.device, workers: int) -> None:
        self.settings, self.run, self.device, self.workers = settings, run, device, workers
        self.chat = Chat(Tokenizer.from_file(str(settings.tokenizer)))
        torch.manual_seed(0)
        self.model = SightNano(settings.model).bfloat16().to(device)
        vision = self.model.cfg.vision
        self.head = EyeHead(self.model.cfg.text.hidden, 1 + len(vision.deepstack)).bfloat16().to(device)
        named = [*self.model.named_parameters(), *((f"head.{n}", p) for n, p in self.head.named_parameters())]
        self.optimiser = Optimiser(named, settings.matrix_lr, settings.other_lr)
        self.step = 0
        self.before = 0  # steps of the runs that this one continues: their pictures do not come again
        self.seconds = {"cpu": 0.0, "gpu": 0.0}  # processor time on CPUs, time by the clock on a GPU
        self.pictures = 0
        self.questions = 0
        self.stop = False
        self.recent: dict[str, list[Tensor]] = {}  # of each kind: loss and share right since the last line of the log
        self.model.model.language_model.layers[WATCHED_LAYER].self_attn.watched = True
        if device.type == "cpu":
            shared = {id(p): p for p in self.model.parameters()}
            self.replicas = [copy.deepcopy(self.model, dict(shared)) for _ in range(threads)]
        else:
            self.replicas = [prepare_for_gpu(self.model)]
        self.threads = ThreadPoolExecutor(len(self.replicas))
        if (run / "checkpoint.pt").exists():
            self.load(run / "checkpoint.pt", resume=True)
        elif init is not None and init.suffix == ".gguf":
            shipped = load_shipped(init)
            if shipped.cfg != settings.model:
                raise ValueError(f"{init} holds another network than the one configured: {shipped.cfg}")
            self.optimiser.load_weights(shipped.state_dict())
            self.before = steps_before(init)
        elif init is not None:
            self.load(init, resume=False)

    def load(self, path: Path, resume: bool) -> None:
        state = torch.load(path, weights_only=True, map_location="cpu")
        self.optimiser.load_state_dict(state["opt"])
        self.pictures, self.questions, self.before = (state.get(k, 0) for k in ("pictures", "questions", "before"))
        self.seconds = {kind: state.get(f"{kind}_seconds", 0.0) for kind in self.seconds}
        if resume:
            self.step = state["step"]
        else:
            self.before += state["step"]

    def save(self) -> None:
        state = {
            "model": asdict(self.settings.model),
            "opt": self.optimiser.state_dict(),
            "step": self.step,
            "before": self.before,
            **{f"{kind}_seconds": spent for kind, spent in self.seconds.items()},
            "pictures": self.pictures,
            "questions": self.questions,
        }
        part = self.run / "checkpoint.part"
        torch.save(state, part)
        os.replace(part, self.run / "checkpoint.pt")

    def make(self, step: int) -> list[Batch | Cells]:
        """All micro-batches of a step (runs in the workers)."""
        stage, _ = self.settings.at(step)
        number = self.before + step
        rng = Random(number)
        made: list[Batch | Cells] = []
        for index in range(stage.micro):
            bucket = rng.choices(stage.buckets, [b.weight for b in stage.buckets])[0]
            seed = TRAIN_SEEDS + (number * 8 + index) * 1024
            made.append(make_cells(bucket, seed) if bucket.kind == "cells" else make_batch(bucket, seed, self.chat, drill=True))
        return made

    def learn(self, model: SightNano, item: Batch | Cells, share: float) -> dict[str, Tensor]:
        """Adds the gradients of one micro-batch to the shared weights, and tells its losses and shares of exact answers, [2] each."""
        if isinstance(item, Batch):
            logits, seen = answer_logits(model, item)
            logits = logits.float()
            loss = (F.cross_entropy(logits, item.targets, reduction="none") * item.weight).sum()
            balance = torch.stack([block.balance for block in model.moe_blocks()]).mean()
            eyes, exact_eyes = self.head(seen, item.named)
            looks = look_loss(model, item) if len(item.look_at) else loss.new_zeros(())
            ((loss + self.settings.balance * balance + self.settings.eyes * eyes + self.settings.looks * looks) * share).backward()
            kind = item.bucket.kind
            told = {
                f"{kind}{item.bucket.width}": (loss, right(item, logits).float().mean()),
                f"{kind}-looks": (looks, looks.new_zeros(())),
                f"{kind}-eyes": (eyes, exact_eyes),
            }
        else:
            bucket = item.bucket
            visual, deep = model.model.visual(to_patches(item.images).to(self.head.weight.dtype), (bucket.height // 16, bucket.width // 16))
            loss, exact = self.head([visual, *deep], item.named)
            (loss * self.settings.eyes * share).backward()
            told = {"cells": (loss, exact)}
        return {kind: torch.stack(pair).detach() for kind, pair in told.items()}

    def update(self, items: list[Batch | Cells], scale: float) -> None:
        """One step of the optimiser from several micro-batches, each on a thread of its own."""
        free = list(self.replicas)

        def one(item: Batch | Cells) -> dict[str, Tensor]:
            replica = free.pop()
            try:
                return self.learn(replica, item.to(self.device), 1 / len(items))
            finally:
                free.append(replica)

        # The longest first, so that the threads end together; one replica needs no other thread than this.
        run = map if len(self.replicas) == 1 else self.threads.map
        for told in run(one, sorted(items, key=effort, reverse=True)):
            for kind, pair in told.items():
                self.recent.setdefault(kind, []).append(pair)
        for item in items:
            self.pictures += len(item.images)
            self.questions += len(item.asked) if isinstance(item, Batch) else 0
        self.optimiser.step(scale, self.threads)

    @torch.no_grad()
    def evaluate(self, stage: Stage) -> str:
        """Exact answers per skill on held-out pictures of the stage's own buckets."""
        tally: dict[str, list[int]] = {}
        for number, bucket in enumerate(b for b in stage.buckets if b.kind != "cells"):
            batch = make_batch(bucket, 1 << 20 | number << 12, self.chat).to(self.device)
            for qa, ok in zip(batch.asked, right(batch, answer_logits(self.model, batch)[0]).tolist(), strict=True):
                tally.setdefault(qa.skill, []).append(int(ok))
        return " ".join(f"{skill}={sum(hits)}/{len(hits)}" for skill, hits in sorted(tally.items()))

    def report(self) -> str:
        """Losses and shares since the last report, and how evenly the experts are loaded."""
        parts = [
            f"{kind} {loss:.3f}/{share:.3f}"
            for kind, v in sorted(self.recent.items())
            for loss, share in [torch.stack(v).nanmean(0).tolist()]
        ]
        load = torch.stack([block.load for block in self.replicas[0].moe_blocks()])
        self.recent.clear()
        spent = " ".join(f"{kind} {seconds:.0f}s" for kind, seconds in self.seconds.items() if seconds)
        return f"step {self.step} {spent} | {' | '.join(parts)} | load {load.min():.3f}-{load.max():.3f}"

    def main(self) -> None:
        total = sum(stage.steps for stage in self.settings.stages)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "stop", True))
        feed = Prefetch(self.make, self.step, self.workers)
        logged = saved = time.monotonic()
        device, clock = ("cpu", time.process_time) if self.device.type == "cpu" else ("gpu", time.monotonic)
        begun = clock()
        while self.step < total and not self.stop:
            stage, inside = self.settings.at(self.step)
            self.update(feed.next(), stage.scale(inside))
            self.step += 1
            self.seconds[device] += clock() - begun
            begun = clock()
            now = time.monotonic()
            if now - logged > LOG_SECONDS:
                logged = now
                print(f"{time.strftime('%H:%M:%S')} {stage.name} {inside}/{stage.steps} {self.report()}", flush=True)
            if self.step % self.settings.eval_steps == 0:
                print("  eval", self.evaluate(stage), flush=True)
            if now - saved > CHECKPOINT_SECONDS:
                saved = now
                self.save()
        self.save()
        feed.close()


def prepare_for_gpu(model: SightNano, backend: str | Callable[..., Any] = "inductor") -> SightNano:
    """Compiles the blocks, each kind once for all sizes of batches, and lets every expert see every token."""
    for block in model.moe_blocks():
        block.experts.everywhere = True
    for block in (*model.model.visual.blocks, *model.model.language_model.layers):
        block.compile(dynamic=True, fullgraph=True, backend=backend)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--init", type=Path, help="start from the weights of this checkpoint or GGUF file")
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda (default: a GPU where there is one)"
    )
    parser.add_argument("--threads", type=int, default=2, help="micro-batches at a time, on CPUs")
    parser.add_argument("--workers", type=int, help="processes that draw (default: one, with a GPU one a core)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.run.mkdir(parents=True, exist_ok=True)
    device = torch.device(args.device)
    workers = args.workers or (1 if device.type == "cpu" else max(1, (os.cpu_count() or 2) - 1))
    Trainer(Settings.read(args.config), args.run, args.init, args.threads, device, workers).main()


if __name__ == "__main__":
    main()
