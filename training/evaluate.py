"""Accuracy per skill on held-out pictures, exact match, greedy.

    python -m training.evaluate --checkpoint RUN/checkpoint.pt --tokenizer DIR/tokenizer.json
    python -m training.evaluate --gguf src/sightline/models/sight-nano
    python -m training.evaluate --service http://127.0.0.1:8000

`--pictures swapped` asks every question about another picture of the same kind and size, `--pictures blank` about
white paper: what is then still right was answered from the question alone. `--agree CHECKPOINT` compares the greedy
answers and first-token log-probabilities with those of the PyTorch network.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from training.engine import Answer, Picture, from_checkpoint, from_gguf, from_service
from training.films import Frames, pictures_of
from training.scenes.boxes import found_right
from training.scenes.qa import QA, Language
from training.scenes.sampler import Kind, pick_mode, sample
from training.text_scores import READING_SKILLS, character_errors, fields_right

HELD_OUT = 1 << 30  # below the seeds of training, and apart from those of the trainer's own eval
GROUPS = {
    "scenes": ("colour", "shape", "size", "count", "position", "existence"),
    "scenes_core": ("colour", "shape", "count", "position"),
    "clips": (
        *("clip_direction", "clip_moves", "clip_appears", "clip_disappears", "clip_when", "clip_colour"),
        *("clip_count", "clip_counter", "clip_touch", "clip_absent"),
    ),
    "chart_lookup_extremes": ("chart_value", "chart_highest", "chart_lowest", "chart_extreme_value"),
}
# (kind, width, height, share): large pictures of the usual shapes come to 288x192, 320x192 or 256x256 in the service.
SIZES: tuple[tuple[Kind, int, int, float], ...] = (
    ("shapes", 128, 128, 0.6),
    ("shapes", 192, 128, 0.8),
    ("shapes", 128, 192, 0.6),
    ("shapes", 192, 192, 0.8),
    ("shapes", 256, 192, 0.8),
    ("shapes", 288, 192, 1.2),
    ("shapes", 320, 192, 0.6),
    ("shapes", 256, 256, 0.8),
    ("chart", 128, 128, 0.6),
    ("chart", 160, 128, 0.8),
    ("chart", 192, 160, 1),
    ("chart", 256, 192, 1),
    ("chart", 288, 192, 1.2),
    ("chart", 320, 192, 0.6),
    ("chart", 256, 256, 0.8),
    ("pair", 128, 128, 0.3),
    ("word", 96, 64, 0.4),
    ("word", 128, 64, 0.3),
    ("boxes", 128, 128, 0.4),
    ("boxes", 192, 128, 0.4),
    ("boxes", 288, 192, 0.4),
    ("clip", 128, 96, 0.8),
    ("clip", 128, 64, 0.4),
    ("word", 128, 128, 0.4),
    ("page", 128, 128, 0.5),
    ("page", 160, 128, 0.4),
    ("page", 192, 160, 0.4),
    ("page", 224, 288, 0.4),
    ("page", 288, 192, 0.2),
)


@dataclass(frozen=True)
class Case:
    pictures: tuple[Picture, ...]
    qa: QA
    size: tuple[Kind, int, int]


def cases(number: int, start: int = HELD_OUT) -> Iterator[Case]:
    """`number` pictures with three questions each, in both languages, drawn at random."""
    rng = Random(start)
    for index in range(number):
        kind, width, height, _ = rng.choices(SIZES, [s[3] for s in SIZES])[0]
        language: Language = "zh" if rng.random() < 0.5 else "en"
        made = sample(start + index, kind, width, height, 3, language, pick_mode(rng, kind))
        for qa in made.questions:
            yield Case(pictures_of(made), qa, (kind, width, height))


def swap(found: list[Case]) -> list[Case]:
    """Every question with the pictures of another sample of the same kind and size."""
    rng = Random(1)
    out: list[Case] = []
    for case in found:
        others = [o.pictures for o in found if o.size == case.size and o.pictures is not case.pictures]
        out.append(Case(rng.choice(others) if others else case.pictures, case.qa, case.size))
    return out


def blank(found: list[Case]) -> list[Case]:
    def white(pictures: tuple[Picture, ...]) -> tuple[Picture, ...]:
        return pictures.blank() if isinstance(pictures, Frames) else tuple(np.full_like(p, 255) for p in pictures)

    return [Case(white(case.pictures), case.qa, case.size) for case in found]


def same(said: str, wanted: str) -> bool:
    return said.strip() == wanted


def points_right(said: str, wanted: str) -> list[bool]:
    """Of a parsed chart, which points (label and value) are right."""
    points = json.loads(wanted)["series"][0]["points"]
    try:
        found = json.loads(said)["series"][0]["points"]
    except (json.JSONDecodeError, LookupError, TypeError):
        found = []
    return [index < len(found) and found[index] == point for index, point in enumerate(points)]


def run(answer: Answer, found: list[Case], reference: Answer | None, show_wrong: int, told: list[dict[str, Any]]) -> dict[str, Any]:
    tally: dict[str, list[bool]] = {}
    agreed: list[bool] = []
    apart: list[float] = []
    errors: list[tuple[int, int]] = []  # wrong characters and all characters of every text that was read
    began = time.monotonic()
    for case in found:
        said = answer(case.pictures, case.qa)
        ok = same(said.text, case.qa.answer)
        if case.qa.skill == "fields":
            filled = fields_right(said.text, case.qa.answer)
            tally.setdefault("points:fields", []).extend(filled)
            ok = all(filled)
        if case.qa.skill in READING_SKILLS and case.qa.answer:
            errors.append((character_errors(said.text, case.qa.answer), len(case.qa.answer)))
        told.append({"task": case.qa.task, "skill": case.qa.skill, "language": case.qa.language, "right": ok, "logprobs": said.logprobs})
        for key in (case.qa.skill, f"language:{case.qa.language}", f"size:{case.size[0]}-{case.size[1]}x{case.size[2]}"):
            tally.setdefault(key, []).append(ok)
        for group, skills in GROUPS.items():
            if case.qa.skill in skills:
                tally.setdefault(f"group:{group}", []).append(ok)
        tally.setdefault("all", []).append(ok)
        if case.qa.task == "chart_parse":
            tally.setdefault("points:chart_parse", []).extend(points_right(said.text, case.qa.answer))
        if case.qa.task == "grounding":
            tally.setdefault(f"iou:{case.qa.skill}", []).extend(right := found_right(said.text, case.qa.answer))
            tally.setdefault("iou:boxes", []).extend(right)
        if not ok and show_wrong > 0:
            show_wrong -= 1
            print(f"  wrong {case.size} {case.qa.skill}: {case.qa.text} | wanted {case.qa.answer} | said {said.text}")
        if reference is not None:
            other = reference(case.pictures, case.qa)
            agreed.append(other.text == said.text)
            apart.append(abs((other.logprobs or (0.0,))[0] - (said.logprobs or (0.0,))[0]))
    result: dict[str, Any] = {
        "skills": {
            key: {"right": sum(hits), "of": len(hits), "share": round(sum(hits) / len(hits), 4)} for key, hits in sorted(tally.items())
        },
        "seconds_per_question": round((time.monotonic() - began) / len(found), 4),
    }
    if errors:
        wrong, printed = (sum(column) for column in zip(*errors, strict=True))
        result["reading"] = {"character_error_rate": round(wrong / printed, 4), "characters": printed, "texts": len(errors)}
    if agreed:
        result["agreement"] = {"same_answers": sum(agreed), "of": len(agreed), "largest_first_logprob_gap": round(max(apart), 5)}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", type=Path)
    source.add_argument("--gguf", type=Path, help="path without the ending")
    source.add_argument("--service", help="base address of a running service")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json, for checkpoints")
    parser.add_argument("--agree", type=Path, help="checkpoint to compare with")
    parser.add_argument("--pictures", choices=("true", "swapped", "blank"), default="true")
    parser.add_argument("--number", type=int, default=400, help="pictures")
    parser.add_argument("--start", type=int, default=HELD_OUT)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wrong", type=int, default=0, help="print so many wrong answers")
    parser.add_argument("--told", type=Path, help="write there, a line per question, whether it was right and how likely each token was")
    parser.add_argument("--json", type=Path, help="write the result there")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.service:
        answer = from_service(args.service)
    elif args.gguf:
        answer = from_gguf(args.gguf, args.threads)
    else:
        answer = from_checkpoint(args.checkpoint, args.tokenizer)
    found = list(cases(args.number, args.start))
    found = {"true": found, "swapped": swap(found), "blank": blank(found)}[args.pictures]
    told: list[dict[str, Any]] = []
    result = run(answer, found, from_checkpoint(args.agree, args.tokenizer) if args.agree else None, args.wrong, told)
    if args.told:
        args.told.write_text("".join(json.dumps(line) + "\n" for line in told), encoding="utf-8")
    for key, row in result["skills"].items():
        print(f"{key:28} {row['right']:5}/{row['of']:<5} {100 * row['share']:6.1f} %")
    print({key: value for key, value in result.items() if key != "skills"})
    if args.json:
        args.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
