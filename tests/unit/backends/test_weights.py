"""What `--model` names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.backends.defaults import QWEN_INSTRUCT, QWEN_THINKING
from sightline.backends.weights import BUNDLED, find_weights, nearest_mmproj
from sightline.service.ports import StartupError
from tests.unit.backends.ggufs import write_mmproj, write_model


def refusal(model: Path | str, mmproj: Path | None = None) -> str:
    with pytest.raises(StartupError) as caught:
        find_weights(str(model), str(mmproj) if mmproj else None)
    return str(caught.value)


def test_a_file_and_what_lies_beside_it(tmp_path: Path) -> None:
    model = write_model(
        tmp_path / "Eye-30B-Q4_K_M.gguf", qwen3vlmoe__expert_count=128, qwen3vlmoe__expert_used_count=8, general__name="Eye Instruct"
    )
    mmproj = write_mmproj(tmp_path / "mmproj-Eye-30B-F16.gguf", patch=14)
    found = find_weights(str(model))
    assert (found.model, found.mmproj) == (model, mmproj)
    assert found.info.name == "Eye-30B-Q4_K_M"
    assert (found.info.experts, found.info.active_experts) == (128, 8)
    assert found.info.context_tokens == 4096
    assert found.info.view.grid == 28
    assert found.recommended == QWEN_INSTRUCT


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        # Qwen's own kind keeps Qwen's bounds, another kind is shown small pictures as they are.
        ({"clip__projector_type": "qwen3vl_merger"}, 65_536, 1_310_720),
        ({"clip__projector_type": "idefics3"}, 28 * 28, 1_310_720),
        # What the file says comes before what its kind is known for.
        ({"clip__vision__image_min_pixels": 16_384, "clip__vision__image_max_pixels": 262_144}, 16_384, 262_144),
        ({"clip__projector_type": "lfm2", "clip__vision__image_max_pixels": 99_999_999}, 28 * 28, 1_310_720),
    ],
    ids=["Qwen's", "another", "the file's own", "more than is asked of it"],
)
def test_pictures_are_shown_as_the_vision_part_wants_them(tmp_path: Path, said: dict[str, int | str], least: int, most: int) -> None:
    write_mmproj(tmp_path / "m-mmproj.gguf", patch=14, **said)
    info = find_weights(str(write_model(tmp_path / "m.gguf"))).info
    assert (info.view.min_pixels, info.view.max_pixels) == (least, most)
    assert info.max_view_pixels >= most


def test_a_dense_model_has_no_experts(tmp_path: Path) -> None:
    write_mmproj(tmp_path / "m-mmproj.gguf")
    info = find_weights(str(write_model(tmp_path / "m.gguf", "qwen3vl"))).info
    assert (info.experts, info.active_experts) == (None, None)


def test_what_the_file_recommends_comes_before_what_the_family_does(tmp_path: Path) -> None:
    write_mmproj(tmp_path / "m-mmproj.gguf")
    found = find_weights(str(write_model(tmp_path / "m.gguf", general__sampling__temp=0.25, general__name="Eye-Thinking")))
    assert found.recommended.temperature == 0.25
    assert found.recommended.top_p == QWEN_THINKING.top_p


def test_refusals_say_what_is_wrong_in_one_sentence(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.gguf")
    junk = tmp_path / "junk.gguf"
    junk.write_text("junk")
    short = tmp_path / "short.gguf"
    short.write_bytes(model.read_bytes()[:-512])
    assert "no file" in refusal(tmp_path / "absent.gguf")
    assert "not a GGUF file" in refusal(junk)
    assert "not all there" in refusal(short)
    assert "No vision part was found beside" in refusal(model)
    mmproj = write_mmproj(tmp_path / "model-mmproj.gguf")
    assert "vision part of a model: name the model" in refusal(mmproj)
    assert "not the vision part" in refusal(model, model)
    assert "no file" in refusal(model, tmp_path / "absent.gguf")
    assert "does not belong" in refusal(model, write_mmproj(tmp_path / "other-mmproj.gguf", width=128))
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("model", "names", "nearest"),
    [
        ("a.gguf", ["b-mmproj.gguf", "a-mmproj.gguf"], "a-mmproj.gguf"),
        ("Qwen3-VL-8B-Q4_K_M.gguf", ["mmproj-Qwen3-VL-8B-Q8_0.gguf", "mmproj-Qwen3-VL-8B-F16.gguf"], "mmproj-Qwen3-VL-8B-F16.gguf"),
        ("Qwen3-VL-8B.gguf", ["mmproj-Qwen3-VL-4B-F16.gguf", "mmproj-Qwen3-VL-8B-Q8_0.gguf"], "mmproj-Qwen3-VL-8B-Q8_0.gguf"),
        ("a.gguf", ["mmproj.gguf"], "mmproj.gguf"),
    ],
)
def test_the_nearest_vision_part(model: str, names: list[str], nearest: str) -> None:
    assert nearest_mmproj(model, names) == nearest


def test_the_bundled_model() -> None:
    try:
        found = find_weights(BUNDLED)
    except StartupError:
        pytest.skip("the bundled model is not part of this checkout")
    assert found.info.name == BUNDLED
    assert found.info.active_experts
    assert found.recommended.temperature == 0.0
    assert found.info.view.min_pixels <= found.info.view.max_pixels <= found.info.max_view_pixels
    assert found.info.view.most_frames == 8
    assert found.info.view.most_frame_pixels == 128 * 96
