"""Exports a checkpoint to safetensors in the published Qwen3-VL-MoE layout and to GGUF.

python -m training.export RUN_DIR/checkpoint.pt TOKENIZER_DIR --hf OUT_DIR
python -m training.export RUN_DIR/checkpoint.pt TOKENIZER_DIR --gguf OUT_DIR/sight-nano [--text q8_0] [--vision q8_0]
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from training.gguf_files import CHAT_TEMPLATE, write_text, write_vision
from training.model import ModelConfig
from training.moe import SightNano
from training.shipped import load_shipped
from training.tokenizer import SPECIALS


def load_model(checkpoint: Path) -> SightNano:
    """The network of a checkpoint, or of a text decoder's GGUF file and the tower's beside it, in float32."""
    if checkpoint.suffix == ".gguf":
        return load_shipped(checkpoint)
    saved = torch.load(checkpoint, weights_only=True, map_location="cpu")
    state, cfg = saved["opt"], ModelConfig.read(saved.get("model", {}))
    weights = dict(zip(state["names"], state["master"], strict=True))
    vocab = weights["lm_head.weight"].shape[0]
    model = SightNano(replace(cfg, text=replace(cfg.text, vocab=vocab)))
    model.load_state_dict({k: v for k, v in weights.items() if not k.startswith("head.")})
    return model.eval()


def published(model: SightNano) -> dict[str, NDArray[np.float32]]:
    """The weights under their published names; the patch matrix becomes a convolution with two equal slices."""
    cfg = model.cfg.vision
    arrays = {name: tensor.detach().float().numpy() for name, tensor in model.state_dict().items()}
    name = "model.visual.patch_embed.proj.weight"
    half = arrays[name].reshape(cfg.hidden, 3, 1, cfg.patch, cfg.patch) / 2
    arrays[name] = np.repeat(half, 2, axis=2)
    return arrays


def hf_config(cfg: ModelConfig, ids: dict[str, int]) -> dict[str, Any]:
    t, v = cfg.text, cfg.vision
    return {
        "architectures": ["Qwen3VLMoeForConditionalGeneration"],
        "model_type": "qwen3_vl_moe",
        "tie_word_embeddings": False,
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "text_config": {
            "model_type": "qwen3_vl_moe_text",
            "vocab_size": t.vocab,
            "hidden_size": t.hidden,
            "num_hidden_layers": t.depth,
            "intermediate_size": t.expert_intermediate * t.active_experts,
            "num_attention_heads": t.heads,
            "num_key_value_heads": t.kv_heads,
            "head_dim": t.head_dim,
            "moe_intermediate_size": t.expert_intermediate,
            "num_experts": t.experts,
            "num_experts_per_tok": t.active_experts,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "norm_topk_prob": True,
            "hidden_act": "silu",
            "rms_norm_eps": t.norm_eps,
            "max_position_embeddings": t.context,
            "attention_bias": False,
            "rope_theta": t.rope_theta,
            "tie_word_embeddings": False,
            "dtype": "float32",
            "rope_scaling": {"rope_type": "default", "mrope_section": list(t.mrope_section), "mrope_interleaved": True},
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        "vision_config": {
            "model_type": "qwen3_vl_moe",
            "depth": v.depth,
            "hidden_size": v.hidden,
            "intermediate_size": v.intermediate,
            "num_heads": v.heads,
            "out_hidden_size": t.hidden,
            "patch_size": v.patch,
            "spatial_merge_size": v.merge,
            "temporal_patch_size": 2,
            "num_position_embeddings": v.grid**2,
            "deepstack_visual_indexes": list(v.deepstack),
            "hidden_act": "gelu_pytorch_tanh",
            "in_channels": 3,
        },
    }


def write_hf(out: Path, model: SightNano, tokenizer_dir: Path) -> None:
    """A directory that transformers and vLLM load."""
    out.mkdir(parents=True, exist_ok=True)
    arrays = published(model)
    for name in list(arrays):
        if ".experts." in name:  # published as [experts, in, out]
            arrays[name] = np.ascontiguousarray(arrays[name].transpose(0, 2, 1))
    save_file(arrays, out / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(tokenizer_dir / "tokenizer.json", out / "tokenizer.json")
    raw = json.loads((out / "tokenizer.json").read_text(encoding="utf-8"))
    ids = {entry["content"]: int(entry["id"]) for entry in raw["added_tokens"]}
    image: dict[str, Any] = {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "processor_class": "Qwen3VLProcessor",
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [1.0] * 3,
        "image_std": [0.5] * 3,
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "do_convert_rgb": True,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": 4096, "longest_edge": 65536},
    }
    video = {**image, "video_processor_type": "Qwen3VLVideoProcessor", "fps": 2, "min_frames": 4, "max_frames": 768}
    video.pop("image_processor_type")
    files: dict[str, Any] = {
        "config.json": hf_config(model.cfg, ids),
        "generation_config.json": {"eos_token_id": ids["<|im_end|>"], "pad_token_id": ids["<|endoftext|>"], "do_sample": False},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "additional_special_tokens": list(SPECIALS),
            "chat_template": CHAT_TEMPLATE,
            "model_max_length": model.cfg.text.context,
        },
        "preprocessor_config.json": image,
        "video_preprocessor_config.json": video,
    }
    for name, content in files.items():
        (out / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--hf", type=Path)
    parser.add_argument("--gguf", type=Path, help="path without the ending")
    parser.add_argument("--text", default="q8_0", choices=("q8_0", "f16", "f32"))
    parser.add_argument("--vision", default="q8_0", choices=("q8_0", "f16", "f32"))
    args = parser.parse_args()
    model = load_model(args.checkpoint)
    if args.hf:
        write_hf(args.hf, model, args.tokenizer)
    if args.gguf:
        arrays, name = published(model), model.cfg.name
        write_text(args.gguf.with_name(args.gguf.name + ".gguf"), arrays, model.cfg, args.tokenizer / "tokenizer.json", name, args.text)
        write_vision(args.gguf.with_name(args.gguf.name + "-mmproj.gguf"), arrays, model.cfg, name, args.vision)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters")


if __name__ == "__main__":
    main()
