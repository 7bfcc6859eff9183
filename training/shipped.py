"""Reads the shipped GGUF files back: the network, to train on or to compare with, and its tokenizer.

The weights come as they were rounded for shipping; `gguf_files.py` is the way there. The optimiser's moments and the throw-away head of
the dense labels are not shipped, so a run that starts here warms up both.

    python -m training.shipped src/sightline/models/sight-nano.gguf OUT_DIR     # writes OUT_DIR/tokenizer.json
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models
from torch import Tensor

from training.gguf_files import TEXT_NAMES, VISION_NAMES, merger_names
from training.model import ModelConfig, TextConfig, VisionConfig
from training.moe import SightNano
from training.tokenizer import finish, prepare

Weights = dict[str, NDArray[np.float32]]


def vision_file(text_file: Path) -> Path:
    """The vision tower's file beside that of the text decoder."""
    return text_file.with_name(f"{text_file.stem}-mmproj.gguf")


def _weights(reader: gguf.GGUFReader) -> Weights:
    return {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}


def _config(text: gguf.GGUFReader, vision: gguf.GGUFReader, text_weights: Weights, vision_weights: Weights) -> ModelConfig:
    def told(reader: gguf.GGUFReader, key: str) -> Any:
        field = reader.get_field(key)
        if field is None:
            raise ValueError(f"the file has no {key}")
        return field.contents()

    def of_text(key: str) -> Any:
        return told(text, f"{told(text, 'general.architecture')}.{key}")

    def of_vision(key: str) -> Any:
        return told(vision, f"clip.vision.{key}")

    return ModelConfig(
        name=told(text, "general.name"),
        text=TextConfig(
            vocab=text_weights["token_embd.weight"].shape[0],
            hidden=of_text("embedding_length"),
            depth=of_text("block_count"),
            heads=of_text("attention.head_count"),
            kv_heads=of_text("attention.head_count_kv"),
            head_dim=of_text("attention.key_length"),
            experts=of_text("expert_count"),
            active_experts=of_text("expert_used_count"),
            expert_intermediate=of_text("expert_feed_forward_length"),
            rope_theta=of_text("rope.freq_base"),
            mrope_section=tuple(of_text("rope.dimension_sections")[:3]),
            norm_eps=round(of_text("attention.layer_norm_rms_epsilon"), 12),  # kept there in single precision
            context=of_text("context_length"),
        ),
        vision=VisionConfig(
            hidden=of_vision("embedding_length"),
            depth=of_vision("block_count"),
            heads=of_vision("attention.head_count"),
            intermediate=of_vision("feed_forward_length"),
            grid=round(vision_weights["v.position_embd.weight"].shape[0] ** 0.5),
            deepstack=tuple(i for i, deep in enumerate(of_vision("is_deepstack_layers")) if deep),
            patch=of_vision("patch_size"),
            merge=of_vision("spatial_merge_size"),
        ),
    )


def load_shipped(text_file: Path) -> SightNano:
    """The network of a pair of GGUF files, in float32."""
    readers = gguf.GGUFReader(text_file), gguf.GGUFReader(vision_file(text_file))
    text, vision = (_weights(reader) for reader in readers)
    cfg = _config(*readers, text, vision)
    found: Weights = {
        "model.language_model.embed_tokens.weight": text["token_embd.weight"],
        "model.language_model.norm.weight": text["output_norm.weight"],
        "lm_head.weight": text["output.weight"],
        # The patch matrix is kept as the sum of both slices of the convolution.
        "model.visual.patch_embed.proj.weight": (vision["v.patch_embd.weight"] + vision["v.patch_embd.weight.1"]).reshape(
            cfg.vision.hidden, -1
        ),
        "model.visual.patch_embed.proj.bias": vision["v.patch_embd.bias"],
        "model.visual.pos_embed.weight": vision["v.position_embd.weight"],
    }
    for i in range(cfg.text.depth):
        layer = f"model.language_model.layers.{i}"
        for ours, theirs in TEXT_NAMES.items():
            found[f"{layer}.{ours}.weight"] = text[f"blk.{i}.{theirs}.weight"]
        gate_up = [text[f"blk.{i}.ffn_{part}_exps.weight"] for part in ("gate", "up")]
        found[f"{layer}.mlp.experts.gate_up_proj"] = np.concatenate(gate_up, 1)
        found[f"{layer}.mlp.experts.down_proj"] = text[f"blk.{i}.ffn_down_exps.weight"]
    linears = {f"blocks.{i}.{ours}": f"v.blk.{i}.{theirs}" for i in range(cfg.vision.depth) for ours, theirs in VISION_NAMES.items()}
    for ours, theirs in (linears | merger_names(cfg.vision)).items():
        for part in ("weight", "bias"):
            found[f"model.visual.{ours}.{part}"] = vision[f"{theirs}.{part}"]
    model = SightNano(cfg)
    state: dict[str, Tensor] = {name: torch.from_numpy(array) for name, array in found.items()}
    model.load_state_dict(state)
    return model.eval()


def steps_before(text_file: Path) -> int:
    """Where to count steps from. The files do not tell how long their training was, so every version has a stretch of pictures of its own,
    a million steps long and far beyond those of runs that began from nothing."""
    return (1 + int.from_bytes(hashlib.sha256(text_file.read_bytes()).digest()[:4])) << 20


def shipped_tokenizer(text_file: Path) -> Tokenizer:
    """The tokenizer of a text decoder's GGUF file, as `training.tokenizer` writes it."""
    fields = gguf.GGUFReader(text_file).fields
    tokens, kinds, merges = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "token_type", "merges"))
    vocab = {token: number for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True)) if kind == gguf.TokenType.NORMAL}
    return finish(prepare(models.BPE(vocab, [tuple(merge.split(" ")) for merge in merges])))


def main() -> None:
    text_file, out = (Path(argument) for argument in sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    shipped_tokenizer(text_file).save(str(out / "tokenizer.json"))


if __name__ == "__main__":
    main()
