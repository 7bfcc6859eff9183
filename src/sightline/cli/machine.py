"""The models on this machine: which there are, what their files say, and whether they are whole."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from sightline.backends.header import read_header
from sightline.backends.weights import BUNDLED, LIGHTER, Weights, find_weights, is_mmproj, read_card, read_weights
from sightline.service.ports import StartupError

_DIGEST = re.compile(r"[0-9a-f]{64}")


class FoundModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model on disk. `name` is what `--model` takes; `bytes` counts its files; `problem` says why it cannot be used."""

    name: str
    bytes: int = 0
    experts: int | None = None
    active_experts: int | None = None
    context_tokens: int | None = None
    problem: str = ""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's files say. `files` are sizes in bytes; `grid` is the side in pixels of one visual token."""

    model: str
    architecture: str
    files: dict[str, int]
    experts: int | None
    active_experts: int | None
    context_tokens: int | None
    min_view_tokens: int
    max_view_tokens: int
    grid: int
    sampling: dict[str, float]
    card: dict[str, Any] | None = None
    """What the makers of a bundled model say of it: its data, its recipe, how often it is right, its limits."""


class CheckedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a model: whether it is whole, and how that is known."""

    name: str
    bytes: int
    sha256: str
    ok: bool
    said: str


def find_models() -> list[FoundModel]:
    """The built-in models and those in the hub's cache."""
    found = [_look(name) for name in (BUNDLED, LIGHTER)]
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


def describe(model: str, mmproj: str | None) -> Described:
    """What is known of a model, fetched from the hub if need be. Raises `StartupError`."""
    weights = find_weights(model, mmproj)
    info, recommended = weights.info, weights.recommended
    pixels = info.view.grid**2
    sampling = {
        "temperature": recommended.temperature,
        "top_p": recommended.top_p,
        "top_k": recommended.top_k,
        "presence_penalty": recommended.presence_penalty,
    }
    return Described(
        model=info.name,
        architecture=read_header(weights.model).architecture,
        files={path.name: path.stat().st_size for path in _all_parts(weights)},
        experts=info.experts,
        active_experts=info.active_experts,
        context_tokens=info.context_tokens,
        min_view_tokens=info.view.min_pixels // pixels,
        max_view_tokens=info.max_view_pixels // pixels,
        grid=info.view.grid,
        sampling={name: value for name, value in sampling.items() if value is not None},
        card=read_card(model),
    )


def verify(model: str, mmproj: str | None, progress: Callable[[str], None]) -> Iterator[CheckedFile]:
    """Reads every file of a model. Raises `StartupError` for one whose header shows that it is not whole.

    A file of a hub's cache is compared with the checksum under which the hub knows it; of any other the checksum is told.
    """
    for path in _all_parts(find_weights(model, mmproj)):
        digest = _sha256(path, progress)
        known = path.resolve().name
        if not _DIGEST.fullmatch(known):
            yield CheckedFile(name=path.name, bytes=path.stat().st_size, sha256=digest, ok=True, said=f"whole; sha256 {digest}")
        else:
            said = "as on the hub" if digest == known else f"damaged: sha256 is {digest}, on the hub {known}; delete {path.resolve()}"
            yield CheckedFile(name=path.name, bytes=path.stat().st_size, sha256=digest, ok=digest == known, said=said)


def _sha256(path: Path, progress: Callable[[str], None]) -> str:
    total, read, digest = path.stat().st_size, 0, hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(16 * 2**20):
            digest.update(piece)
            read += len(piece)
            progress(f"{path.name}: {100 * read // total} %")
    return digest.hexdigest()


def _all_parts(weights: Weights) -> list[Path]:
    return sorted(_parts(weights, list(weights.model.parent.glob("*.gguf"))))
