"""What is trained on clips is what the service shows and reads: frames, times, prompt, and the moments in the answer."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from PIL import Image

from sightline.backends.weights import Card
from sightline.media.settings import MediaSettings
from sightline.prompt import Frame, View
from sightline.protocol.requests import InferRequest
from sightline.tasks.moments import find_moments
from tests.doubles import INFO, Bench
from tests.integration.media.conftest import opened
from training.films import encode
from training.scenes import clips
from training.scenes.draw import FONT_ROOT, LATIN_FONTS
from training.scenes.preambles import preamble
from training.scenes.qa import Language, Sample, clock, on_clock
from training.scenes.sampler import sample

MISSING_FONTS = "install fonts-dejavu-core fonts-liberation fonts-noto-cjk"
pytestmark = pytest.mark.skipif(not all((FONT_ROOT / font).is_file() for font in LATIN_FONTS), reason=MISSING_FONTS)
SMALL = replace(INFO, view=View(4096, 65536, "ppm", most_frames=clips.MOST_FRAMES, most_frame_pixels=clips.FRAME_PIXELS))


def drawn(seed: int, language: Language = "en") -> Sample:
    return sample(seed, "clip", 128, 96, 6, language, "clip")


def test_a_clip_follows_from_its_seed() -> None:
    for seed in range(8):
        first, second = drawn(seed), drawn(seed)
        assert first.times == second.times
        assert first.questions == second.questions
        assert all(np.array_equal(a, b) for a, b in zip(first.images, second.images, strict=True))


def test_clips_have_few_frames_and_every_story() -> None:
    skills: Counter[str] = Counter()
    for seed in range(90):
        made = drawn(seed, "zh" if seed % 2 else "en")
        assert made.film is not None
        assert 3 <= made.film.seconds <= 30.1
        assert 2 <= len(made.images) == len(made.times) == len(made.marks) <= clips.MOST_FRAMES
        assert all(image.shape == (96, 128, 3) for image in made.images)
        skills.update(qa.skill for qa in made.questions)
    kinds = ("direction", "moves", "appears", "disappears", "when", "colour", "count", "counter", "touch", "absent", "caption")
    assert {f"clip_{kind}" for kind in kinds} == set(skills)


def test_every_mark_that_is_looked_at_is_there() -> None:
    for seed in range(30):
        made = drawn(seed)
        marks = sum(len(row) for row in made.marks)
        for qa in made.questions:
            for _, groups in qa.focus:
                for mark in (mark for group in groups for mark in group):
                    picture, char = on_clock(mark)
                    assert mark < marks
                    assert mark >= -1 or (picture < len(made.times) and char < len(f"{made.times[picture]:.1f}"))


def test_the_looked_at_time_is_the_one_that_is_written() -> None:
    copied = 0
    for seed in range(40):
        made = drawn(seed, "zh" if seed % 2 else "en")
        for qa in (qa for qa in made.questions if qa.skill == "clip_when"):
            (moment,) = find_moments(qa.answer)
            assert moment.seconds in {float(f"{seconds:.1f}") for seconds in made.times}
            frame = next(i for i, seconds in enumerate(made.times) if f"{seconds:.1f}" in qa.answer and seconds > 0)
            begin = qa.answer.index(f"{made.times[frame]:.1f}")
            looks = dict(qa.focus)
            written = f"{made.times[frame]:.1f}"
            assert [looks[begin + i][1] for i in range(len(written))] == [(clock(frame, i),) for i in range(len(written))]
            copied += 1
    assert copied > 5


@pytest.mark.parametrize("seed", [0, 1, 5])
async def test_the_service_shows_a_film_as_training_does(seed: int) -> None:
    language: Language = "zh" if seed % 2 else "en"
    made = drawn(seed, language)
    assert made.film is not None
    bench = Bench(words=("at 3.0 s",))
    bench.backend.info = SMALL
    async with opened(MediaSettings(probe_seconds=60, input_seconds=60)) as gate:  # decoding may wait for a busy machine
        object.__setattr__(bench.ports, "media", gate)
        text = made.questions[0].text
        source = "data:video/mp4;base64," + base64.b64encode(encode(made.film)).decode()
        request = InferRequest("video_qa", [source], text, json.dumps({"language": language}).encode())
        _ = [event async for event in bench.inference.stream(bench.call(request))]
    (prompt,) = bench.backend.prompts
    system, labels = preamble(Random(0), "clip", language, len(made.images), made.times)
    parts = prompt.messages[1].parts
    assert prompt.messages[0].parts == (system,)
    assert [part for part in parts if isinstance(part, str)] == [*labels, text]
    assert [isinstance(part, Frame) for part in parts] == [False, True] * len(labels) + [False]
    for frame, image in zip(prompt.frames, made.images, strict=True):
        shown = np.asarray(Image.open(io.BytesIO(frame.data)).convert("RGB")).astype(int)
        assert shown.shape == image.shape
        assert np.abs(shown - image).mean() < 6  # what the video's compression leaves


def test_the_bundled_models_card_bounds_clips_as_training_does() -> None:
    from importlib import resources

    import msgspec

    file = resources.files("sightline.models").joinpath("sight-nano.json")
    if not file.is_file():
        pytest.skip("the bundled model is not part of this checkout")
    card = msgspec.json.decode(file.read_bytes(), type=Card)
    assert (card.max_frames, card.max_frame_pixels) == (clips.MOST_FRAMES, clips.FRAME_PIXELS)
