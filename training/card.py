"""Writes the model card beside exported GGUF files from what was measured.

python -m training.card training/sight-nano.toml STEM --results true.json --swapped swapped.json --blank blank.json --compute compute.json

What a person must know (scope and limits, in both languages) stands in `[card]` of the configuration file, beside the recipe.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from training.model import ModelConfig
from training.moe import SightNano
from training.scenes.clips import FRAME_PIXELS, MOST_FRAMES


def parameters(cfg: ModelConfig) -> tuple[int, int]:
    """All parameters, and those that work on one token."""
    model = SightNano(cfg)
    total = sum(p.numel() for p in model.parameters())
    experts = sum(p.numel() for name, p in model.named_parameters() if ".experts." in name)
    # The patch matrix stands for two slices in the published layout.
    total += model.model.visual.patch_embed.proj.weight.numel()
    return total, total - experts * (cfg.text.experts - cfg.text.active_experts) // cfg.text.experts


def shares(path: Path, setting: str = "trained") -> dict[str, Any]:
    """The figures of one setting of an evaluation, boxes by their overlap; none where it was not measured."""
    skills = json.loads(path.read_text(encoding="utf-8")).get(setting, {"skills": {}})["skills"]
    return {
        key: {part: skills.get(f"iou:{key}", row)[part] for part in ("share", "of", "low", "high")}
        for key, row in skills.items()
        if not key.startswith("size:")
    }


def measured(path: Path, what: str, setting: str = "trained") -> Any:
    """One figure of an evaluation; none where it was not measured."""
    return json.loads(path.read_text(encoding="utf-8")).get(setting, {}).get(what)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="the configuration file of the training")
    parser.add_argument("stem", type=Path, help="path of the GGUF without the ending")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--swapped", type=Path)
    parser.add_argument("--blank", type=Path)
    parser.add_argument("--agreement", type=Path, help="result of an evaluation with --agree")
    parser.add_argument("--half", type=Path, help="the same with weights in half precision: what is left is not due to rounding")
    parser.add_argument("--compute", type=Path, required=True, help="JSON with what the training took")
    args = parser.parse_args()
    raw = tomllib.loads(args.config.read_text(encoding="utf-8"))
    cfg, told = ModelConfig.read(raw.get("model", {})), raw["card"]
    total, active = parameters(cfg)
    files = [args.stem.with_name(args.stem.name + ending) for ending in (".gguf", "-mmproj.gguf")]
    agreement = measured(args.agreement, "agreement") if args.agreement else None
    card = {
        "name": cfg.name,
        "version": told["version"],
        "architecture": "qwen3vlmoe",
        "parameters": total,
        "active_parameters": active,
        "experts": cfg.text.experts,
        "active_experts": cfg.text.active_experts,
        "languages": ["zh", "en"],
        "context_length": cfg.text.context,
        "min_pixels": 4096,
        "max_pixels": told["max_pixels"],
        "max_view_pixels": told["max_pixels"],
        "max_frames": MOST_FRAMES,
        "max_frame_pixels": FRAME_PIXELS,
        "skills": shares(args.results),
        "skills_held_out": shares(args.results, "held_out"),
        "skills_matplotlib": shares(args.results, "matplotlib"),
        "skills_note": "Exact match on generated pictures that were never trained on, greedy, the shipped files in llama.cpp, with 95 % "
        "intervals; of boxes, those that overlap by half; of charts as data, whole tables. "
        "Held out: fonts, colours, layouts and numbers that training never has. Matplotlib: charts drawn by it.",
        "with_swapped_picture": shares(args.swapped)["all"] if args.swapped else None,
        "with_blank_picture": shares(args.blank)["all"] if args.blank else None,
        "without_eyes": measured(args.swapped, "chance") if args.swapped else None,
        "calibration": measured(args.results, "calibration"),
        "reading": {setting: measured(args.results, "reading", setting) for setting in ("trained", "held_out")},
        "seconds_per_question": measured(args.results, "seconds_per_question"),
        "expert_load": measured(args.agreement, "expert_load") if args.agreement else None,
        "agreement_with_pytorch": agreement,
        "agreement_in_half_precision": measured(args.half, "agreement") if args.half else None,
        "training_data": told["data"],
        "compute": json.loads(args.compute.read_text(encoding="utf-8")),
        "licence": "Apache-2.0",
        "limits": {"en": told["limits_en"], "zh": told["limits_zh"]},
        "files": {f.name: {"bytes": f.stat().st_size, "sha256": hashlib.sha256(f.read_bytes()).hexdigest()} for f in files},
    }
    args.stem.with_name(args.stem.name + ".json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
