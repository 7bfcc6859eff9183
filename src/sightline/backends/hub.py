"""A model on a hub (`hf:org/repo[:file]`), fetched with the hub's own client into its own cache.

HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE mean what they mean everywhere. What was fetched once is found without network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from huggingface_hub import errors

from sightline.backends.weights import is_mmproj, nearest_mmproj
from sightline.service.ports import StartupError

_log = logging.getLogger("sightline.backends")
_PREFERRED = ("q4_k_m", "q8_0", "q4_k_s", "q5_k_m", "q6_k", "q4_0", "bf16", "f16")
"""Quantisations in the order in which they are taken when no file is named."""
_REFERENCE = re.compile(r"hf:([\w.-]+/[\w.-]+)(?::([\w./-]+))?")
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files on disk; of a model in several files, the first."""

    model: Path
    mmproj: Path


@dataclass(frozen=True, slots=True)
class Chosen:
    """Names in the repository: the model's files in order, and its vision part."""

    model: tuple[str, ...]
    mmproj: str


def fetch(reference: str) -> Fetched:
    """Fetches what `hf:org/repo[:file]` names. Blocks for as long as the download takes; shows its progress on a terminal.

    Raises `StartupError`.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise StartupError(f"'{reference}' names no model: write hf:organisation/repository, or hf:organisation/repository:file.gguf.")
    repo, wanted = found[1], found[2]
    try:
        # Asking for the list of files would be tried for half a minute when there is no network.
        listed = huggingface_hub.HfApi().model_info(repo, timeout=10).siblings or []
        chosen = choose(repo, [file.rfilename for file in listed], wanted)
        _log.info("fetching %s and %s from %s, unless they are here already", chosen.model[0], chosen.mmproj, repo)
        files = [Path(_download(repo, name)) for name in (*chosen.model, chosen.mmproj)]
    except (errors.RepositoryNotFoundError, errors.GatedRepoError):
        raise StartupError(f"There is no model {repo} on the hub, or it needs a token (HF_TOKEN).") from None
    except errors.HFValidationError:
        raise StartupError(f"'{repo}' is not a name that the hub knows.") from None
    except Exception as error:
        if not _is_network(error):
            raise
        _log.info("the hub: %s", type(error).__name__)
        return _cached(repo, wanted)
    return Fetched(files[0], files[-1])


def choose(repo: str, names: Sequence[str], wanted: str | None) -> Chosen:
    """Which files of a repository to take. Raises `StartupError` naming what there is."""
    files = sorted(name for name in names if name.lower().endswith(".gguf"))
    models = [name for name in files if not is_mmproj(name)]
    visions = [name for name in files if is_mmproj(name)]
    if not models:
        raise StartupError(f"{repo} holds no GGUF file.")
    if not visions:
        raise StartupError(f"{repo} holds no vision part (a GGUF file with mmproj in its name), so it cannot see.")
    model = wanted or _preferred(models)
    if model not in models:
        raise StartupError(f"{repo} has no model file {wanted}; it has {', '.join(models[:12])}.")
    return Chosen(_shards(model, models), nearest_mmproj(model, visions))


def _is_network(error: Exception) -> bool:
    """Whether the hub could not be reached; the hub's client lets through the errors of the HTTP library it happens to use."""
    if isinstance(error, errors.HfHubHTTPError | errors.OfflineModeIsEnabled | errors.LocalEntryNotFoundError | OSError):
        return True
    return type(error).__module__.startswith(("httpx", "httpcore", "requests", "urllib3"))


def _download(repo: str, name: str) -> str:
    return huggingface_hub.hf_hub_download(repo, name)  # pyright: ignore[reportUnknownMemberType] - its progress bar has no types


def _snapshot(repo: str) -> str:
    return huggingface_hub.snapshot_download(repo, local_files_only=True)  # pyright: ignore[reportUnknownMemberType] - as above


def _preferred(models: Sequence[str]) -> str:
    for kind in _PREFERRED:
        for name in models:
            if re.search(rf"(?<![a-z0-9]){kind}(?![a-z0-9])", name.lower()):
                return name
    return models[0]


def _shards(model: str, models: Sequence[str]) -> tuple[str, ...]:
    found = _SHARD.search(model)
    if found is None:
        return (model,)
    stem = model[: found.start()]
    return tuple(name for name in models if name.startswith(stem) and _SHARD.search(name))


def _cached(repo: str, wanted: str | None) -> Fetched:
    """What an earlier fetch left. Raises `StartupError` when that is not all of it."""
    away = StartupError(f"The hub cannot be reached, and {repo} has not been fetched to this machine before.")
    try:
        folder = Path(_snapshot(repo))
        chosen = choose(repo, [str(path.relative_to(folder)) for path in folder.rglob("*.gguf")], wanted)
    except (errors.LocalEntryNotFoundError, OSError, StartupError):
        raise away from None
    return Fetched(folder / chosen.model[0], folder / chosen.mmproj)
