"""Writes a checkpoint as the two GGUF files that llama.cpp loads: the text decoder and the vision projector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import gguf
import numpy as np
from numpy.typing import NDArray

from training.model import ModelConfig, VisionConfig

Arrays = Mapping[str, NDArray[np.float32]]
Kind = Literal["q8_0", "f16", "f32"]
ARCH = "qwen3vlmoe"

# Our names of a layer's matrices and theirs, without what stands before and after.
TEXT_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate": "ffn_gate_inp",
}
VISION_NAMES = {
    "norm1": "ln1",
    "norm2": "ln2",
    "attn.qkv": "attn_qkv",
    "attn.proj": "attn_out",
    "mlp.linear_fc1": "ffn_up",
    "mlp.linear_fc2": "ffn_down",
}

# What the published template of the family renders for system, user and assistant messages with typed content. Tools
# are left out: a model of this size cannot call any.
CHAT_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.content is string %}
        {{- message.content }}
    {%- else %}
        {%- for content in message.content %}
            {%- if content.type == 'image' or 'image' in content or 'image_url' in content %}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' }}
            {%- elif content.type == 'video' or 'video' in content %}
                {{- '<|vision_start|><|video_pad|><|vision_end|>' }}
            {%- elif 'text' in content %}
                {{- content.text }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def _add(writer: gguf.GGUFWriter, name: str, array: NDArray[np.float32], kind: Kind) -> None:
    """One tensor: matrices as `kind`; vectors, position tables and the router always in float32."""
    if array.ndim < 2 or "norm" in name or "position" in name or "gate_inp" in name:
        kind = "f32"
    if kind == "q8_0" and array.shape[-1] % 32 == 0 and "patch_embd" not in name:
        data = gguf.quants.quantize(np.ascontiguousarray(array), gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    else:
        # The convolution over patches takes half precision at best.
        writer.add_tensor(name, np.ascontiguousarray(array, np.float32 if kind == "f32" else np.float16))


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _file_type(kind: Kind) -> gguf.LlamaFileType:
    return {"q8_0": gguf.LlamaFileType.MOSTLY_Q8_0, "f16": gguf.LlamaFileType.MOSTLY_F16, "f32": gguf.LlamaFileType.ALL_F32}[kind]


def _tokens(writer: gguf.GGUFWriter, tokenizer_json: Path, vocab: int) -> None:
    raw = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    added = {entry["content"]: entry["id"] for entry in raw["added_tokens"]}
    names = [f"[PAD{i}]" for i in range(vocab)]
    types = [gguf.TokenType.UNUSED] * vocab
    for text, index in raw["model"]["vocab"].items():
        names[index], types[index] = text, gguf.TokenType.NORMAL
    for text, index in added.items():
        names[index], types[index] = text, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(names)
    writer.add_token_types(types)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in raw["model"]["merges"]])
    writer.add_eos_token_id(added["<|im_end|>"])
    writer.add_bos_token_id(added["<|endoftext|>"])
    writer.add_pad_token_id(added["<|endoftext|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def write_text(path: Path, arrays: Arrays, cfg: ModelConfig, tokenizer_json: Path, name: str, kind: Kind) -> None:
    """The text decoder with its tokenizer. `arrays` carries the published names."""
    t = cfg.text
    w = gguf.GGUFWriter(str(path), ARCH)
    w.add_name(name)
    w.add_license("Apache-2.0")
    w.add_block_count(t.depth)
    w.add_context_length(t.context)
    w.add_embedding_length(t.hidden)
    w.add_feed_forward_length(t.expert_intermediate * t.active_experts)
    w.add_head_count(t.heads)
    w.add_head_count_kv(t.kv_heads)
    w.add_key_length(t.head_dim)
    w.add_value_length(t.head_dim)
    w.add_layer_norm_rms_eps(t.norm_eps)
    w.add_rope_freq_base(t.rope_theta)
    w.add_rope_dimension_count(t.head_dim)
    w.add_rope_dimension_sections([*t.mrope_section, 0])
    w.add_expert_count(t.experts)
    w.add_expert_used_count(t.active_experts)
    w.add_expert_feed_forward_length(t.expert_intermediate)
    w.add_num_deepstack_layers(len(cfg.vision.deepstack))
    w.add_file_type(_file_type(kind))
    _tokens(w, tokenizer_json, t.vocab)
    root = "model.language_model."
    _add(w, "token_embd.weight", arrays[root + "embed_tokens.weight"], kind)
    _add(w, "output_norm.weight", arrays[root + "norm.weight"], kind)
    _add(w, "output.weight", arrays["lm_head.weight"], kind)
    for i in range(t.depth):
        for ours, theirs in TEXT_NAMES.items():
            _add(w, f"blk.{i}.{theirs}.weight", arrays[f"{root}layers.{i}.{ours}.weight"], kind)
        gate_up = arrays[f"{root}layers.{i}.mlp.experts.gate_up_proj"]
        _add(w, f"blk.{i}.ffn_gate_exps.weight", gate_up[:, : t.expert_intermediate], kind)
        _add(w, f"blk.{i}.ffn_up_exps.weight", gate_up[:, t.expert_intermediate :], kind)
        _add(w, f"blk.{i}.ffn_down_exps.weight", arrays[f"{root}layers.{i}.mlp.experts.down_proj"], kind)
    _finish(w)


def merger_names(cfg: VisionConfig) -> dict[str, str]:
    """Our names of all mergers' linear maps and norms, and theirs, without "weight" and "bias"."""
    names = {"merger.norm": "v.post_ln", "merger.linear_fc1": "mm.0", "merger.linear_fc2": "mm.2"}
    for place, layer in enumerate(cfg.deepstack):
        for ours, theirs in (("norm", "norm"), ("linear_fc1", "fc1"), ("linear_fc2", "fc2")):
            names[f"deepstack_merger_list.{place}.{ours}"] = f"v.deepstack.{layer}.{theirs}"
    return names


def write_vision(path: Path, arrays: Arrays, cfg: ModelConfig, name: str, kind: Kind) -> None:
    """The vision tower and its mergers (llama.cpp's "mmproj")."""
    v = cfg.vision
    w = gguf.GGUFWriter(str(path), "clip")
    w.add_type("mmproj")
    w.add_name(name)
    w.add_license("Apache-2.0")
    w.add_file_type(_file_type(kind))
    w.add_clip_has_vision_encoder(True)
    w.add_clip_projector_type("qwen3vl_merger")
    w.add_vision_use_gelu(True)
    w.add_vision_projection_dim(cfg.text.hidden)
    w.add_vision_embedding_length(v.hidden)
    w.add_vision_feed_forward_length(v.intermediate)
    w.add_vision_block_count(v.depth)
    w.add_vision_head_count(v.heads)
    w.add_vision_patch_size(v.patch)
    w.add_vision_image_size(v.grid * v.patch)
    # White is zero: x -> (x - 1) / 0.5.
    w.add_vision_image_mean([1.0, 1.0, 1.0])
    w.add_vision_image_std([0.5, 0.5, 0.5])
    w.add_vision_spatial_merge_size(v.merge)
    w.add_vision_attention_layernorm_eps(1e-6)
    w.add_vision_is_deepstack_layers([i in v.deepstack for i in range(v.depth)])
    root = "model.visual."
    patch = arrays[root + "patch_embed.proj.weight"]  # [hidden, 3, 2, 16, 16]
    _add(w, "v.patch_embd.weight", patch[:, :, 0], kind)
    _add(w, "v.patch_embd.weight.1", patch[:, :, 1], kind)
    _add(w, "v.patch_embd.bias", arrays[root + "patch_embed.proj.bias"], kind)
    _add(w, "v.position_embd.weight", arrays[root + "pos_embed.weight"], kind)

    def linear(theirs: str, ours: str) -> None:
        for part in ("weight", "bias"):
            _add(w, f"{theirs}.{part}", arrays[f"{root}{ours}.{part}"], kind)

    for i in range(v.depth):
        for ours, theirs in VISION_NAMES.items():
            linear(f"v.blk.{i}.{theirs}", f"blocks.{i}.{ours}")
    for ours, theirs in merger_names(v).items():
        linear(theirs, ours)
    _finish(w)
