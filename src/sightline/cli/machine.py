"""What is on this machine: models with their sizes and experts, cores, memory, codecs. Looks, and starts nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import msgspec

from sightline.backends.weights import BUNDLED, Weights, find_weights, is_mmproj, read_weights
from sightline.service.ports import StartupError


class FoundModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model on disk. `name` is what `--model` takes; `bytes` counts its files; `problem` says why it cannot be used."""

    name: str
    bytes: int = 0
    experts: int | None = None
    active_experts: int | None = None
    context_tokens: int | None = None
    problem: str = ""


def find_models() -> list[FoundModel]:
    """The built-in model and those in the hub's cache."""
    found = [_look(BUNDLED)]
    for repository, files in sorted(_cached().items()):
        models = sorted(path for path in files if not is_mmproj(path.name) and not _is_later_part(path.name))
        found += [_look(f"hf:{repository}:{path.name}", path, files) for path in models]
    return found


def _look(name: str, path: Path | None = None, files: list[Path] | None = None) -> FoundModel:
    try:
        weights = read_weights(path, None) if path else find_weights(name)
    except StartupError as error:
        return FoundModel(name=name, bytes=path.stat().st_size if path else 0, problem=str(error))
    size = sum(part.stat().st_size for part in _parts(weights, files or []))
    info = weights.info
    return FoundModel(name=name, bytes=size, experts=info.experts, active_experts=info.active_experts, context_tokens=info.context_tokens)


def _parts(weights: Weights, files: list[Path]) -> list[Path]:
    """The files of a model: a large one comes in several (`-00001-of-00003.gguf`)."""
    stem, part, _ = weights.model.name.rpartition("-00001-of-")
    return [weights.mmproj, *([path for path in files if path.name.startswith(f"{stem}-0")] if part else [weights.model])]


def _is_later_part(name: str) -> bool:
    return "-of-" in name and "-00001-of-" not in name


def _cached() -> dict[str, list[Path]]:
    """GGUF files in the hub's cache, by repository; of several revisions the one used last."""
    if importlib.util.find_spec("huggingface_hub") is None:
        return {}
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cache = scan_cache_dir()
    except CacheNotFound:
        return {}
    found: dict[str, list[Path]] = {}
    for repository in cache.repos:
        latest = max(repository.revisions, key=lambda revision: revision.last_modified, default=None)
        files = [entry.file_path for entry in latest.files if entry.file_name.endswith(".gguf")] if latest else []
        if files:
            found[repository.repo_id] = files
    return found
