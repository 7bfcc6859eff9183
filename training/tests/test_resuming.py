"""Training goes on where it stopped, from a checkpoint or from what is shipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.data import Bucket, Prefetch
from training.export import load_model, published
from training.gguf_files import write_text, write_vision
from training.moe import SightNano
from training.shipped import load_shipped, shipped_tokenizer, steps_before
from training.train import Settings, Stage, Trainer

MODELS = Path(__file__).parents[2] / "src/sightline/models"
PICO = MODELS / "sight-pico.gguf"
CPU = torch.device("cpu")
STAGE = Stage("all", 4, 2, 0.2, 0.1, (Bucket("shapes", 128, 128, 2, 2), Bucket("cells", 64, 64, 2)), warmup=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    shipped_tokenizer(PICO).save(str(tmp_path / "tokenizer.json"))
    return Settings(tmp_path / "tokenizer.json", load_shipped(PICO).cfg, 0.006, 0.002, 0.01, 0.4, 0.8, 100, (STAGE,))


def learn(trainer: Trainer, steps: int) -> None:
    for _ in range(steps):
        trainer.update(trainer.make(trainer.step), STAGE.scale(trainer.step))
        trainer.step += 1


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in zip(trainer.optimiser.names, trainer.optimiser.master, strict=True)}


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(settings: Settings, tmp_path: Path) -> None:
    whole = Trainer(settings, tmp_path / "whole", None, 1, CPU, 1)
    learn(whole, 4)
    (tmp_path / "parts").mkdir()
    first = Trainer(settings, tmp_path / "parts", None, 1, CPU, 1)
    learn(first, 2)
    first.save()
    second = Trainer(settings, tmp_path / "parts", None, 1, CPU, 1)
    assert second.step == 2
    learn(second, 2)
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(second)[name]), name
    assert (second.pictures, second.questions) == (whole.pictures, whole.questions)


def test_a_run_that_continues_another_sees_other_pictures(settings: Settings, tmp_path: Path) -> None:
    first = Trainer(settings, tmp_path, None, 1, CPU, 1)
    learn(first, 2)
    first.save()
    (tmp_path / "next").mkdir()
    second = Trainer(settings, tmp_path / "next", tmp_path / "checkpoint.pt", 1, CPU, 1)
    assert second.step == 0
    seen = [first.make(step)[0].images for step in range(2)]
    assert not any(a.shape == b.shape and torch.equal(a, b) for a in seen for b in (second.make(step)[0].images for step in range(2)))


def test_training_starts_from_the_shipped_files(settings: Settings, tmp_path: Path) -> None:
    trainer = Trainer(settings, tmp_path, PICO, 1, CPU, 1)
    shipped = load_shipped(PICO).state_dict()
    for name, value in weights(trainer).items():
        assert name.startswith("head.") or torch.equal(value, shipped[name]), name
    learn(trainer, 1)
    trainer.save()
    # What was learned is what an export would read.
    assert load_model(tmp_path / "checkpoint.pt").cfg == trainer.model.cfg


def test_the_shipped_tokenizer_writes_as_its_vocabulary_says() -> None:
    tokenizer = shipped_tokenizer(PICO)
    for text in ("How many red circles are there?", "图中有几个圆形？", "<|im_start|>user\n", "-12.5"):
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
    assert len(tokenizer.encode("1234").ids) == 4  # digits stand alone
    assert len(tokenizer.encode("<|image_pad|>").ids) == 1


def test_every_shipped_version_goes_on_with_pictures_of_its_own(settings: Settings, tmp_path: Path) -> None:
    starts = [steps_before(MODELS / name) for name in ("sight-nano.gguf", "sight-pico.gguf")]
    assert abs(starts[0] - starts[1]) >= 1 << 20
    assert min(starts) >= 1 << 20
    assert Trainer(settings, tmp_path, PICO, 1, CPU, 1).before == starts[1]


def test_another_network_than_the_configured_one_is_told(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds another network"):
        Trainer(settings, tmp_path, MODELS / "sight-nano.gguf", 1, CPU, 1)


def test_several_workers_give_the_steps_in_order(settings: Settings, tmp_path: Path) -> None:
    trainer = Trainer(settings, tmp_path, None, 1, CPU, 1)
    feed = Prefetch(trainer.make, 1, workers=3)
    try:
        for step in range(1, 6):
            for drawn, expected in zip(feed.next(), trainer.make(step), strict=True):
                assert torch.equal(drawn.images, expected.images)
    finally:
        feed.close()


@pytest.mark.parametrize("kind", ["f32", "q8_0"])
def test_what_is_written_is_read_back(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = SightNano(replace(load_shipped(PICO).cfg, name="tiny"))
    shipped_tokenizer(PICO).save(str(tmp_path / "tokenizer.json"))
    write_text(tmp_path / "tiny.gguf", published(model), model.cfg, tmp_path / "tokenizer.json", "tiny", kind)
    write_vision(tmp_path / "tiny-mmproj.gguf", published(model), model.cfg, "tiny", kind)
    back = load_shipped(tmp_path / "tiny.gguf")
    assert back.cfg == model.cfg
    far = max(float((a - b).abs().max()) for a, b in zip(model.state_dict().values(), back.state_dict().values(), strict=True))
    assert far <= (0.3 / 127 if kind == "q8_0" else 1e-6)  # weights of width 0.05 reach 0.3


@pytest.mark.parametrize("config", sorted((MODELS.parents[2] / "training").glob("*.toml")), ids=lambda path: path.stem)
def test_every_configuration_is_one(config: Path) -> None:
    settings = Settings.read(config)
    for stage in settings.stages:
        assert stage.micro <= 8  # the seeds of a step are that far apart
        for bucket in stage.buckets:
            assert bucket.batch <= 1024
            assert bucket.width % 32 == bucket.height % 32 == 0
