"""What `--model` names, to files on disk and what is known of them: the bundled model, a GGUF file, or one on a hub."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from sightline.backends.defaults import GREEDY, QWEN_INSTRUCT, QWEN_THINKING, QWEN_VIEW, Recommended
from sightline.backends.dialects import LLAMA_CPP
from sightline.backends.header import BrokenFile, Header, read_header
from sightline.prompt import Encoding, View
from sightline.service.ports import ModelInfo, StartupError

BUNDLED = "sight-nano"
LIGHTER = "sight-pico"
"""Both come with the package; the lighter one answers where the other is busy."""
MOST_PIXELS = 4096 * 32 * 32
"""llama.cpp itself shrinks a picture of more than 4096 visual tokens."""
DEFAULT_CONTEXT = 8192
"""Tokens of a slot unless asked otherwise: memory for the context grows with it."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The files of one model. `info.context_tokens` is what the model was made for; a slot may hold less."""

    model: Path
    mmproj: Path
    info: ModelInfo
    recommended: Recommended


class Card(msgspec.Struct, frozen=True):
    """What the bundled model's makers say of it: the part of its card that serving needs."""

    name: str
    min_pixels: int
    max_pixels: int
    max_view_pixels: int | None = None
    max_frames: int | None = None
    max_frame_pixels: int | None = None
    """Of a video, so many frames of so many pixels at most; without them as many as of larger models."""
    encoding: Encoding = "ppm"
    """Small pictures may go uncompressed: 8 ms more at 256x256, and every pixel as it was trained on."""


def find_weights(model: str, mmproj: str | None = None) -> Weights:
    """The files behind a name, checked as far as their headers go. Blocks (disk, and network for `hf:`).

    `model` is a bundled model's name, the path of a GGUF file, or `hf:org/repo[:file]`; `mmproj` is the path of the vision part
    when it does not lie beside the model under a usual name. Raises `StartupError`.
    """
    if model in (BUNDLED, LIGHTER):
        return _bundled(model)
    if model.startswith("hf:"):
        from sightline.backends.hub import fetch  # brings the hub's own client

        fetched = fetch(model)
        return read_weights(fetched.model, Path(mmproj) if mmproj else fetched.mmproj)
    path = Path(model).expanduser()
    return read_weights(path, Path(mmproj).expanduser() if mmproj else None)


def read_weights(model: Path, mmproj: Path | None) -> Weights:
    """The weights in a GGUF file and its vision part, which is looked for beside it when None. Raises `StartupError`."""
    header = _header(model)
    if header.architecture == "clip":
        raise StartupError(f"{model} is the vision part of a model: name the model itself, and this one as mmproj.")
    if mmproj is None:
        mmproj = find_mmproj(model)
    vision = _header(mmproj)
    if vision.architecture != "clip" or not vision.facts.get("clip.has_vision_encoder"):
        raise StartupError(f"{mmproj} is not the vision part of a model.")
    given, wanted = vision.whole("clip.vision.projection_dim"), header.of_model("embedding_length")
    if (vision.text("clip.projector_type") or "").startswith("qwen") and given != wanted:
        raise StartupError(f"{mmproj} does not belong to {model}: its width is {given}, the model's {wanted}.")
    return Weights(model, mmproj, _info(model, header, vision), _recommended(model, header))


def find_mmproj(model: Path) -> Path:
    """The vision part beside a model: the one whose name is nearest, 16-bit before others. Raises `StartupError`."""
    beside = {path.name: path for path in model.parent.glob("*.gguf") if is_mmproj(path.name) and path != model}
    if not beside:
        raise StartupError(f"No vision part was found beside {model}: a file such as {model.stem}-mmproj.gguf, or give its path as mmproj.")
    return beside[nearest_mmproj(model.name, beside)]


def is_mmproj(name: str) -> bool:
    """Whether a file is a vision part, by its name."""
    return "mmproj" in name.lower()


def nearest_mmproj(model: str, names: Iterable[str]) -> str:
    """Of several vision parts the one for a model: the most words in common, then 16 bits, then the first by name."""
    words = _words(model)
    return max(sorted(names), key=lambda name: (len(words & _words(name)), bool(_words(name) & {"f16", "bf16"})))


def _words(name: str) -> set[str]:
    return set(name.lower().removesuffix(".gguf").replace("_", "-").replace(".", "-").split("-"))


def _bundled(name: str) -> Weights:
    folder = Path(str(resources.files("sightline.models")))
    try:
        card = msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=Card)
    except (OSError, msgspec.DecodeError):
        raise StartupError(f"The bundled model {name} is not part of this installation: install sightline again.") from None
    found = read_weights(folder / f"{name}.gguf", folder / f"{name}-mmproj.gguf")
    view = replace(
        found.info.view,
        min_pixels=card.min_pixels,
        max_pixels=card.max_pixels,
        encoding=card.encoding,
        most_frames=card.max_frames,
        most_frame_pixels=card.max_frame_pixels,
    )
    info = replace(found.info, name=card.name, view=view, max_view_pixels=card.max_view_pixels or 4 * card.max_pixels)
    return replace(found, info=info, recommended=GREEDY)


def read_card(name: str) -> dict[str, Any] | None:
    """The whole card of a bundled model, as its makers wrote it; None for any other model."""
    path = Path(str(resources.files("sightline.models"))) / f"{name}.json"
    return msgspec.json.decode(path.read_bytes()) if name in (BUNDLED, LIGHTER) and path.exists() else None


def _header(path: Path) -> Header:
    try:
        return read_header(path)
    except FileNotFoundError:
        raise StartupError(f"There is no file {path}.") from None
    except OSError as error:
        raise StartupError(f"The file {path} cannot be read: {error.strerror}.") from None
    except BrokenFile as error:
        raise StartupError(f"The file {path} cannot be used: {error}.") from None


def _view(vision: Header) -> View:
    """How pictures are shown: as the vision part says, else within Qwen's bounds where it is Qwen's kind. Other kinds are made for small
    pictures as well as for large ones: nothing is enlarged for them."""
    grid = (vision.whole("clip.vision.patch_size") or 16) * (vision.whole("clip.vision.spatial_merge_size") or 2)
    of_qwen = (vision.text("clip.projector_type") or "").startswith("qwen")
    least = vision.whole("clip.vision.image_min_pixels") or (QWEN_VIEW.min_pixels if of_qwen else grid * grid)
    most = vision.whole("clip.vision.image_max_pixels") or QWEN_VIEW.max_pixels
    most = min(most, QWEN_VIEW.max_pixels)  # what it could see is often far more than a caller wants to wait for
    return replace(QWEN_VIEW, grid=grid, encoding=LLAMA_CPP.encoding, min_pixels=min(least, most), max_pixels=most)


def _info(model: Path, header: Header, vision: Header) -> ModelInfo:
    view = _view(vision)
    experts = header.of_model("expert_count") or None
    return ModelInfo(
        name=model.stem,
        view=view,
        max_view_pixels=min(MOST_PIXELS, vision.whole("clip.vision.image_max_pixels") or MOST_PIXELS),
        context_tokens=header.of_model("context_length"),
        experts=experts,
        active_experts=header.of_model("expert_used_count") if experts else None,
    )


def _recommended(model: Path, header: Header) -> Recommended:
    """What the file itself recommends, over what Qwen does."""
    name = f"{header.text('general.name') or ''} {model.name}".lower()
    usual = QWEN_THINKING if "thinking" in name else QWEN_INSTRUCT
    if not header.architecture.startswith("qwen"):
        usual = Recommended()
    temperature, top_p = header.number("general.sampling.temp"), header.number("general.sampling.top_p")
    top_k = header.whole("general.sampling.top_k")
    return Recommended(
        temperature=usual.temperature if temperature is None else temperature,
        top_p=usual.top_p if top_p is None else top_p,
        top_k=usual.top_k if top_k is None else top_k,
        presence_penalty=usual.presence_penalty,
    )
