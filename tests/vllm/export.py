"""The bundled model in the layout in which Qwen3-VL-MoE is published, made from its GGUF files: `python -m tests.vllm.export FOLDER`.

Weights are dequantised to 32 bits, so vLLM computes with the very numbers that llama.cpp does. Needs gguf and numpy alone.
"""

from __future__ import annotations

import json
import struct
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.quants import dequantize
from numpy.typing import NDArray

Array = NDArray[np.float32]
TEXT = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate_inp": "mlp.gate",
}
VISION = {
    "ln1": "norm1",
    "ln2": "norm2",
    "attn_qkv": "attn.qkv",
    "attn_out": "attn.proj",
    "ffn_up": "mlp.linear_fc1",
    "ffn_down": "mlp.linear_fc2",
}
DEEPSTACK = {"norm": "norm", "fc1": "linear_fc1", "fc2": "linear_fc2"}
# What qwen2's tokenizer cuts words with; the files name it by "pre".
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


class File:
    """One GGUF file: its facts and tensors."""

    def __init__(self, path: Path) -> None:
        self._reader = gguf.GGUFReader(path)
        self.tensors = {tensor.name: tensor for tensor in self._reader.tensors}

    def fact(self, name: str) -> Any:
        return self._reader.fields[name].contents()

    def array(self, name: str) -> Array:
        tensor = self.tensors[name]
        shape = tuple(int(side) for side in reversed(tensor.shape))
        return np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type).reshape(shape), dtype=np.float32)


def text_weights(file: File) -> dict[str, Array]:
    root = "model.language_model."
    weights = {
        root + "embed_tokens.weight": file.array("token_embd.weight"),
        root + "norm.weight": file.array("output_norm.weight"),
        "lm_head.weight": file.array("output.weight"),
    }
    for layer in range(file.fact("qwen3vlmoe.block_count")):
        for theirs, ours in TEXT.items():
            weights[f"{root}layers.{layer}.{ours}.weight"] = file.array(f"blk.{layer}.{theirs}.weight")
        gate, up, down = (file.array(f"blk.{layer}.ffn_{part}_exps.weight") for part in ("gate", "up", "down"))
        # Published as [experts, in, out].
        weights[f"{root}layers.{layer}.mlp.experts.gate_up_proj"] = np.concatenate([gate, up], axis=1).transpose(0, 2, 1)
        weights[f"{root}layers.{layer}.mlp.experts.down_proj"] = down.transpose(0, 2, 1)
    return weights


def vision_weights(file: File) -> dict[str, Array]:
    root = "model.visual."
    weights = {
        root + "patch_embed.proj.weight": np.stack([file.array("v.patch_embd.weight"), file.array("v.patch_embd.weight.1")], axis=2),
        root + "patch_embed.proj.bias": file.array("v.patch_embd.bias"),
        root + "pos_embed.weight": file.array("v.position_embd.weight"),
    }

    def linear(theirs: str, ours: str) -> None:
        for part in ("weight", "bias"):
            weights[f"{root}{ours}.{part}"] = file.array(f"{theirs}.{part}")

    for block in range(file.fact("clip.vision.block_count")):
        for theirs, ours in VISION.items():
            linear(f"v.blk.{block}.{theirs}", f"blocks.{block}.{ours}")
    for place, layer in enumerate(deepstack(file)):
        for theirs, ours in DEEPSTACK.items():
            linear(f"v.deepstack.{layer}.{theirs}", f"deepstack_merger_list.{place}.{ours}")
    linear("v.post_ln", "merger.norm")
    linear("mm.0", "merger.linear_fc1")
    linear("mm.2", "merger.linear_fc2")
    return weights


def deepstack(file: File) -> list[int]:
    return [layer for layer, used in enumerate(file.fact("clip.vision.is_deepstack_layers")) if used]


def configuration(text: File, vision: File, ids: dict[str, int]) -> dict[str, Any]:
    def fact(name: str) -> Any:
        return text.fact(f"qwen3vlmoe.{name}")

    vocabulary = len(text.fact("tokenizer.ggml.tokens"))
    width = fact("expert_feed_forward_length")
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
            "vocab_size": vocabulary,
            "hidden_size": fact("embedding_length"),
            "num_hidden_layers": fact("block_count"),
            "intermediate_size": fact("feed_forward_length"),
            "num_attention_heads": fact("attention.head_count"),
            "num_key_value_heads": fact("attention.head_count_kv"),
            "head_dim": fact("attention.key_length"),
            "moe_intermediate_size": width,
            "num_experts": fact("expert_count"),
            "num_experts_per_tok": fact("expert_used_count"),
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "norm_topk_prob": True,
            "hidden_act": "silu",
            "rms_norm_eps": fact("attention.layer_norm_rms_epsilon"),
            "max_position_embeddings": fact("context_length"),
            "attention_bias": False,
            "rope_theta": fact("rope.freq_base"),
            "tie_word_embeddings": False,
            "dtype": "float32",
            "rope_scaling": {"rope_type": "default", "mrope_section": fact("rope.dimension_sections")[:3], "mrope_interleaved": True},
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        "vision_config": {
            "model_type": "qwen3_vl_moe",
            "depth": vision.fact("clip.vision.block_count"),
            "hidden_size": vision.fact("clip.vision.embedding_length"),
            "intermediate_size": vision.fact("clip.vision.feed_forward_length"),
            "num_heads": vision.fact("clip.vision.attention.head_count"),
            "out_hidden_size": vision.fact("clip.vision.projection_dim"),
            "patch_size": vision.fact("clip.vision.patch_size"),
            "spatial_merge_size": vision.fact("clip.vision.spatial_merge_size"),
            "temporal_patch_size": 2,
            "num_position_embeddings": vision.array("v.position_embd.weight").shape[0],
            "deepstack_visual_indexes": deepstack(vision),
            "hidden_act": "gelu_pytorch_tanh",
            "in_channels": 3,
        },
    }


def tokenizer(text: File) -> tuple[dict[str, Any], dict[str, int]]:
    """tokenizer.json, and the ids of the special tokens."""
    words, kinds = text.fact("tokenizer.ggml.tokens"), text.fact("tokenizer.ggml.token_type")
    control = {word: number for number, (word, kind) in enumerate(zip(words, kinds, strict=True)) if kind == gguf.TokenType.CONTROL}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    plain = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": False}
    content: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": word, **flags} for word, number in control.items()],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, plain]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {word: number for number, word in enumerate(words) if word not in control},
            "merges": [merge.split(" ") for merge in text.fact("tokenizer.ggml.merges")],
        },
    }
    return content, control


def write_safetensors(path: Path, arrays: dict[str, Array]) -> None:
    """The format is a length, a JSON header, and the arrays one after another."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array, dtype=np.float32).tobytes())


def export(out: Path) -> None:
    models = Path(str(resources.files("sightline.models")))
    text, vision = File(models / "sight-nano.gguf"), File(models / "sight-nano-mmproj.gguf")
    card = json.loads((models / "sight-nano.json").read_text("utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    write_safetensors(out / "model.safetensors", {**text_weights(text), **vision_weights(vision)})
    words, ids = tokenizer(text)
    image: dict[str, Any] = {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "processor_class": "Qwen3VLProcessor",
        "patch_size": vision.fact("clip.vision.patch_size"),
        "temporal_patch_size": 2,
        "merge_size": vision.fact("clip.vision.spatial_merge_size"),
        "image_mean": vision.fact("clip.vision.image_mean"),
        "image_std": vision.fact("clip.vision.image_std"),
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "do_convert_rgb": True,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": card["min_pixels"], "longest_edge": max(card["max_pixels"], card.get("max_view_pixels") or 0)},
    }
    video = {**image, "video_processor_type": "Qwen3VLVideoProcessor", "fps": 2, "min_frames": 4, "max_frames": 768}
    video.pop("image_processor_type")
    files: dict[str, Any] = {
        "tokenizer.json": words,
        "config.json": configuration(text, vision, ids),
        "generation_config.json": {"eos_token_id": ids["<|im_end|>"], "pad_token_id": ids["<|endoftext|>"], "do_sample": False},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "additional_special_tokens": list(ids),
            "chat_template": text.fact("tokenizer.chat_template"),
            "model_max_length": text.fact("qwen3vlmoe.context_length"),
        },
        "preprocessor_config.json": image,
        "video_preprocessor_config.json": video,
    }
    for name, content in files.items():
        (out / name).write_text(json.dumps(content, ensure_ascii=False, indent=1, default=float) + "\n", "utf-8")


if __name__ == "__main__":
    export(Path(sys.argv[1]))
