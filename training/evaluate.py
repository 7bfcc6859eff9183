"""Accuracy per skill on pictures that were never trained on, exact match, greedy, with 95 % intervals.

    python -m training.evaluate --checkpoint RUN/checkpoint.pt --tokenizer DIR/tokenizer.json
    python -m training.evaluate --gguf src/sightline/models/sight-nano
    python -m training.evaluate --service http://127.0.0.1:8000

Settings are counted apart: `trained` (new pictures of the kinds, fonts, colours and numbers of training), `held_out` (fonts, colours,
layouts and numbers that training never has), `matplotlib` (charts by another hand, see `foreign`), `hard` (charts with everything that
the scenes can draw, and questions that the service computes).

`--pictures swapped` asks every question about another picture of the same kind and size, `--pictures blank` about
white paper: what is then still right was answered from the question alone, and should be no more than `chance` (see `chance.py`).
`--agree` compares the greedy answers and first-token log-probabilities with those of the PyTorch network, from a checkpoint or from the
shipped files.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from training.chance import NOT_THERE, Guesser
from training.engine import Answer, Picture, from_checkpoint, from_gguf, from_service
from training.films import Frames, pictures_of
from training.foreign import foreign_sample
from training.scenes.qa import QA, Language, Sample
from training.scenes.sampler import Kind, pick_mode, sample
from training.scoring import same
from training.tally import Tally, share_of

SEEN_BY_GUESSER = 4000  # pictures
HELD_OUT = 1 << 30  # below the seeds of training, and apart from those of the trainer's own eval
Setting = Literal["trained", "held_out", "matplotlib", "hard"]
SETTINGS: tuple[Setting, ...] = ("trained", "held_out", "matplotlib", "hard")
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
    ("plot", 160, 128, 0.8),
    ("plot", 192, 160, 1),
    ("plot", 288, 192, 1.2),
    ("plot", 320, 192, 0.8),
    ("chart_pair", 128, 128, 0.4),
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
HARD_KINDS = ("chart", "plot", "chart_pair", "page")


@dataclass(frozen=True)
class Case:
    pictures: tuple[Picture, ...]
    qa: QA
    size: tuple[str, int, int]


def cases(number: int, start: int = HELD_OUT, setting: Setting = "trained", kinds: Sequence[str] = ()) -> Iterator[Case]:
    """`number` pictures with three questions each, in both languages, drawn at random; only of these `kinds` where some are named."""
    rng = Random(start)
    sizes = [s for s in SIZES if (not kinds or s[0] in kinds) and (setting != "hard" or s[0] in HARD_KINDS)]
    for index in range(number if sizes or setting == "matplotlib" else 0):
        language: Language = "zh" if rng.random() < 0.5 else "en"
        if setting == "matplotlib":
            made, kind = foreign_sample(start + index, 3, language), "matplotlib"
        else:
            kind, width, height, _ = rng.choices(sizes, [s[3] for s in sizes])[0]
            made = _drawn(rng, start + index, kind, width, height, language, setting)
        for qa in made.questions:
            yield Case(pictures_of(made), qa, (kind, made.images[0].shape[1], made.images[0].shape[0]))


def _drawn(rng: Random, seed: int, kind: Kind, width: int, height: int, language: Language, setting: Setting) -> Sample:
    mode = pick_mode(rng, kind)
    return sample(seed, kind, width, height, 3, language, mode, held_out=setting == "held_out", level=int(setting == "hard"))


def chance(found: list[Case], setting: Setting, kinds: Sequence[str], start: int) -> dict[str, Any]:
    """How many of these questions a guesser without eyes answers rightly, who saw other pictures of the setting."""
    guess = Guesser(case.qa for case in cases(SEEN_BY_GUESSER, start + (1 << 24), setting, kinds))
    return share_of([same(guess(case.qa.text), case.qa.answer, case.qa.skill) for case in found])


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


def run(answer: Answer, found: list[Case], reference: Answer | None, show_wrong: int, told: list[dict[str, Any]]) -> dict[str, Any]:
    """Asks all questions. Appends to `told` what was said of each, for calibration; prints the first `show_wrong` wrong answers."""
    tally = Tally()
    agreed: list[bool] = []
    apart: list[float] = []
    began = time.monotonic()
    for case in found:
        qa, said = case.qa, answer(case.pictures, case.qa)
        ok = tally.judge(qa, case.size, said)
        told.append({"task": qa.task, "skill": qa.skill, "language": qa.language, "right": ok, "logprobs": said.logprobs})
        if not ok and show_wrong > 0:
            show_wrong -= 1
            print(f"  wrong {case.size} {qa.skill}: {qa.text} | wanted {qa.answer} | said {said.text}")
        if reference is not None:
            other = reference(case.pictures, qa)
            agreed.append(other.text == said.text)
            apart.append(abs((other.logprobs or (0.0,))[0] - (said.logprobs or (0.0,))[0]))
    result = tally.result() | {"seconds_per_question": round((time.monotonic() - began) / max(1, len(found)), 4)}
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
    parser.add_argument("--agree", type=Path, help="checkpoint or GGUF file to compare with, in PyTorch")
    parser.add_argument("--pictures", choices=("true", "swapped", "blank"), default="true")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--kinds", nargs="+", default=[], help="only these kinds of pictures")
    parser.add_argument("--number", type=int, default=400, help="pictures of each setting")
    parser.add_argument("--start", type=int, default=HELD_OUT)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wrong", type=int, default=0, help="print so many wrong answers")
    parser.add_argument("--told", type=Path, help="write there, a line per question, whether it was right and how likely each token was")
    parser.add_argument("--json", type=Path, help="write the result there")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    loads: list[Tensor] = []
    if args.service:
        answer = from_service(args.service)
    elif args.gguf:
        answer = from_gguf(args.gguf, args.threads)
    else:
        answer = from_checkpoint(args.checkpoint, args.tokenizer, loads)
    reference = from_checkpoint(args.agree, args.tokenizer, loads) if args.agree else None
    told: list[dict[str, Any]] = []
    results: dict[str, Any] = {}
    for setting in args.settings:
        found = list(cases(args.number, args.start, setting, args.kinds))
        if args.pictures != "true":
            found = [case for case in (swap if args.pictures == "swapped" else blank)(found) if case.qa.skill not in NOT_THERE]
        result = results[setting] = run(answer, found, reference, args.wrong, told)
        if args.pictures != "true":
            result["chance"] = chance(found, setting, args.kinds, args.start)
        if loads:
            result["expert_load"] = [[round(share, 4) for share in layer] for layer in torch.stack(loads).mean(0).tolist()]
        print(f"== {setting}")
        for key, row in result["skills"].items():
            low, high = 100 * row["low"], 100 * row["high"]
            print(f"{key:36} {row['right']:5}/{row['of']:<5} {100 * row['share']:6.1f} %   {low:5.1f} .. {high:.1f}")
        print({key: value for key, value in result.items() if key != "skills"}, flush=True)
    if args.told:
        args.told.write_text("".join(json.dumps(line) + "\n" for line in told), encoding="utf-8")
    if args.json:
        args.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
