"""From scenes to tensors, in worker processes that stay ahead of the trainer."""

from __future__ import annotations

import multiprocessing as mp
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Self

import numpy as np
import torch
from torch import Tensor

from training.chat import IGNORE, Chat, Row
from training.scenes.cells import SLOT_SIZES, cells, label_marks
from training.scenes.preambles import preamble
from training.scenes.qa import NOTHING, QA, Language, Sample, on_clock
from training.scenes.sampler import Kind, pick_mode, sample

PATCH = 16
MERGE = 2
TOKEN = PATCH * MERGE  # px per side of a visual token
COUNTING = 3.0  # weight of where the counting head looks: it must be exact, the others need only look at the right thing most
EVEN = 8  # rows are padded to a multiple of this, as fused attention with a mask wants it
TRAIN_SEEDS = 1 << 40  # training draws from here upwards; everything below is held out


@dataclass(frozen=True)
class Bucket:
    """A kind of batch: `batch` pictures of one size with about `questions` questions each. `cells` has dense labels.
    `level` is that of `sampler.sample`."""

    kind: str
    width: int
    height: int
    batch: int
    questions: int = 5
    weight: float = 1.0
    level: int = 0


class Tensors:
    """What moves between devices as a whole; a base of dataclasses."""

    def to(self, device: torch.device) -> Self:
        moved = {f.name: value.to(device, non_blocking=True) for f in fields(self) if isinstance(value := getattr(self, f.name), Tensor)}
        return replace(self, **moved)


@dataclass(frozen=True)
class Cells(Tensors):
    """Dense pictures `images` [B, H, W, 3] with their labels `named` [visual tokens, slots]."""

    bucket: Bucket
    images: Tensor
    named: Tensor


@dataclass(frozen=True)
class Batch(Tensors):
    """Tensors of one batch; see `SightNano.forward`. `images` [P, H, W, 3] are bytes. `real` lists the flat places that are no padding.
    `owner` [W] numbers the question each wanted place belongs to, `weight` [W] is the share of each place in the loss, `asked` lists the
    questions in the order of `owner`, `named` [visual tokens, slots] are the dense labels of the pictures. `look_at` [A, 4] holds (row,
    place, watched head, column): where an answering place should look, with the share `look_weight` [A] of that head's attention."""

    bucket: Bucket
    images: Tensor
    ids: Tensor
    positions: Tensor
    segment: Tensor
    real: Tensor
    wanted: Tensor
    targets: Tensor
    owner: Tensor
    weight: Tensor
    image_at: Tensor
    asked: list[QA]
    named: Tensor
    look_at: Tensor
    look_weight: Tensor


def to_patches(images: Tensor) -> Tensor:
    """Pictures [B, H, W, 3] (bytes) as patches [B, N, 768] (float32) in merge-block order, white = 0.

    The normalisation is (x / 255 - 1) / 0.5, that is mean 1 and standard deviation 0.5: most of a drawn picture is
    paper, and paper that is exactly zero leaves the signal to the ink. A patch is laid out channel, row, column.
    """
    b, h, w, _ = images.shape
    x = images.float().mul_(2 / 255).sub_(2)
    x = x.view(b, h // TOKEN, MERGE, PATCH, w // TOKEN, MERGE, PATCH, 3)
    return x.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(b, -1, 3 * PATCH * PATCH)


def look_mask(segment: Tensor) -> Tensor:
    """Who may look at whom, [B, 1, L, L], from the segments [B, L] (-1 = padding, which looks at itself only)."""
    length = segment.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=segment.device).tril()
    same = segment[:, :, None] == segment[:, None, :]
    prefix = (segment == 0)[:, None, :] & (segment >= 0)[:, :, None]
    return ((same | prefix) & causal)[:, None]


def _looks(bucket: Bucket, samples: Sequence[Sample], rows: Sequence[Row], chat: Chat) -> tuple[Tensor, Tensor]:
    """`Batch.look_at` and `Batch.look_weight`."""
    wide, high = bucket.width // TOKEN, bucket.height // TOKEN
    found: list[tuple[int, int, int, int]] = []
    weight: list[float] = []
    for i, (row, s) in enumerate(zip(rows, samples, strict=True)):
        starts = np.flatnonzero(row.ids == chat.image)[:: wide * high]  # the first visual token of each picture
        cells = [
            int(start) + min(int(m.y) // TOKEN, high - 1) * wide + min(int(m.x) // TOKEN, wide - 1)
            for start, marks in zip(starts, s.marks, strict=True)
            for m in marks
        ]

        def column(mark: int, row: Row = row, cells: list[int] = cells) -> int:
            if mark >= 0:
                return cells[mark]
            if mark == NOTHING:
                return 0
            picture, char = on_clock(mark)
            return row.labels[picture] + 1 + char  # the first sign of the label is its bracket; every digit is a token of its own

        for place, groups in row.looks:
            for head, group in enumerate(groups):
                found += [(i, place, head, column(mark)) for mark in group]
                weight += [(COUNTING if NOTHING in group else 1) / max(1, len(group))] * len(group)
    return torch.tensor(found, dtype=torch.long).view(-1, 4), torch.tensor(weight)


def collate(bucket: Bucket, samples: Sequence[Sample], systems: Sequence[str | None], labels: Sequence[Sequence[str]], chat: Chat) -> Batch:
    grid = (bucket.height // TOKEN, bucket.width // TOKEN)
    rows = [chat.row(system, [grid] * len(s.images), s.questions, label) for s, system, label in zip(samples, systems, labels, strict=True)]
    longest = -(-max(len(row.ids) for row in rows) // EVEN) * EVEN
    count = len(rows)
    ids = np.zeros((count, longest), np.int64)
    positions = np.zeros((3, count, longest), np.int64)
    segment = np.full((count, longest), -1, np.int64)
    targets = np.full((count, longest), IGNORE, np.int64)
    owner = np.zeros((count, longest), np.int64)
    asked: list[QA] = []
    for i, (row, s) in enumerate(zip(rows, samples, strict=True)):
        n = len(row.ids)
        ids[i, :n], positions[:, i, :n], segment[i, :n], targets[i, :n] = row.ids, row.positions, row.segment, row.targets
        owner[i, :n] = row.segment - 1 + len(asked)
        asked.extend(s.questions)
    named = np.concatenate(
        [label_marks(marks, bucket.width, bucket.height).reshape(-1, len(SLOT_SIZES)) for s in samples for marks in s.marks]
    )
    wanted = np.flatnonzero(targets != IGNORE)
    owned = owner.reshape(-1)[wanted]
    # A long answer counts more than a short one, but not in proportion to its length.
    weight = 1.0 / np.sqrt(np.bincount(owned, minlength=len(asked))[owned])
    return Batch(
        bucket,
        torch.from_numpy(np.stack([image for s in samples for image in s.images])),
        torch.from_numpy(ids),
        torch.from_numpy(positions),
        torch.from_numpy(segment),
        torch.from_numpy(np.flatnonzero(segment >= 0)),
        torch.from_numpy(wanted),
        torch.from_numpy(targets.reshape(-1)[wanted]),
        torch.from_numpy(owned),
        torch.from_numpy((weight / weight.sum()).astype(np.float32)),
        torch.from_numpy(np.flatnonzero(ids == chat.image)),
        asked,
        torch.from_numpy(named),
        *_looks(bucket, samples, rows, chat),
    )


def make_batch(bucket: Bucket, seed: int, chat: Chat, drill: bool = False) -> Batch:
    """The batch of `bucket` that belongs to `seed`; it uses the scene seeds from `seed` to `seed + batch - 1`."""
    rng = Random(seed ^ 0x5EED)
    samples: list[Sample] = []
    systems: list[str | None] = []
    labels: list[list[str]] = []
    kind: Kind = bucket.kind  # type: ignore[assignment]
    for i in range(bucket.batch):
        language: Language = "zh" if rng.random() < 0.5 else "en"
        mode = pick_mode(rng, kind)
        fixed = None if mode == "bare" else language
        samples.append(sample(seed + i, kind, bucket.width, bucket.height, bucket.questions, fixed, mode, drill, level=bucket.level))
        system, before = preamble(rng, mode, language, len(samples[-1].images), samples[-1].times)
        systems.append(system)
        labels.append(before)
    return collate(bucket, samples, systems, labels, chat)


def make_cells(bucket: Bucket, seed: int, top_size: int = 22) -> Cells:
    """The dense pictures of `bucket` that belong to `seed`."""
    made = [cells(seed + i, bucket.width, bucket.height, top_size) for i in range(bucket.batch)]
    labels = np.concatenate([label.reshape(-1, label.shape[-1]) for _, label in made])
    return Cells(bucket, torch.from_numpy(np.stack([image for image, _ in made])), torch.from_numpy(labels))


class Prefetch:
    """Runs `make(step)` for step = start, start + 1, ... in `workers` child processes; `next()` gives the results in order."""

    def __init__(self, make: Callable[[int], list[Batch | Cells]], start: int, workers: int = 1, ahead: int = 6) -> None:
        context = mp.get_context("fork")
        self.queues: list[mp.Queue[list[Batch | Cells]]] = [context.Queue(-(-ahead // workers)) for _ in range(workers)]
        self.processes = [
            context.Process(target=self._work, args=(make, queue, start + index, workers), daemon=True)
            for index, queue in enumerate(self.queues)
        ]
        self.turn = 0
        for process in self.processes:
            process.start()

    @staticmethod
    def _work(make: Callable[[int], list[Batch | Cells]], queue: mp.Queue[list[Batch | Cells]], step: int, stride: int) -> None:
        # The trainer's handlers came along with the fork: without this the child would outlive its parent's wish.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        torch.set_num_threads(1)
        while True:
            queue.put(make(step))
            step += stride

    def next(self) -> list[Batch | Cells]:
        queue = self.queues[self.turn]
        self.turn = (self.turn + 1) % len(self.queues)
        return queue.get()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join(5)
