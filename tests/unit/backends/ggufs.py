"""GGUF files small enough to write in a test: real headers, weights of a few bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np


def write_model(path: Path, architecture: str = "qwen3vlmoe", *, width: int = 64, words: int = 20, **facts: Any) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_token_list([f"word{number}" for number in range(words)])
    writer.add_token_types([1] * words)
    _add(writer, facts)
    return _finish(writer, path)


def write_mmproj(path: Path, *, width: int = 64, patch: int = 16, merge: int = 2, **facts: Any) -> Path:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(facts.pop("clip__projector_type", "qwen3vl_merger"))
    _add(writer, facts)
    writer.add_vision_projection_dim(width)
    writer.add_vision_patch_size(patch)
    writer.add_vision_spatial_merge_size(merge)
    return _finish(writer, path)


def _add(writer: gguf.GGUFWriter, facts: dict[str, Any]) -> None:
    for key, value in facts.items():
        name = key.replace("__", ".")
        if isinstance(value, str):
            writer.add_string(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        else:
            writer.add_float32(name, value)


def _finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.add_tensor("half", np.zeros((8, 32), dtype=np.float16))
    writer.add_tensor("full", np.zeros((4, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
