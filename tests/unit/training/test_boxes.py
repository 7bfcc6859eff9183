"""Boxes in training: the prompt is the service's, its own reader finds them, and they lie around the ink."""

from __future__ import annotations

import json
import re
from collections import Counter

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageDraw

from sightline.protocol.requests import InferRequest
from sightline.tasks.aligned import Transcript
from sightline.tasks.base import Given
from sightline.tasks.boxes import GRAMMAR, in_pixels
from sightline.tasks.charts.spans import read
from tests.doubles import Bench
from training.scenes import draw
from training.scenes.boxes import LOCATE, found_right, overlap
from training.scenes.draw import FONT_ROOT, LATIN_FONTS, SHAPES
from training.scenes.extents import STEP, thousandths
from training.scenes.qa import QA, Language
from training.scenes.sampler import sample

MISSING_FONTS = "install fonts-dejavu-core fonts-liberation fonts-noto-cjk"
pytestmark = pytest.mark.skipif(not all((FONT_ROOT / font).is_file() for font in LATIN_FONTS), reason=MISSING_FONTS)
# The service's grammar as an expression.
WRITTEN = re.compile(
    r"\[(?:B(?:,B)*)?\]".replace("B", r'\{"bbox_2d":\[P,P,P,P\],"label":"[^"\\]{0,80}"\}').replace("P", r"(?:1000|[1-9][0-9]{0,2}|0)")
)


def asked(seed: int, language: Language = "en") -> tuple[QA, ...]:
    return sample(seed, "boxes", 192, 128, 4, language, "bare").questions


@pytest.mark.parametrize("kind", [shape.en for shape in SHAPES])
@pytest.mark.parametrize("turn", [-0.15, 0.0, 0.11])
def test_the_extent_of_a_shape_is_that_of_its_ink(kind: str, turn: float) -> None:
    image = Image.new("L", (400, 400))
    draw.draw_shape(ImageDraw.Draw(image), kind, 190.5, 207.25, 120, 255, turn)  # type: ignore[arg-type]  # one channel is enough
    rows, columns = np.nonzero(np.asarray(image))
    ink = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert draw.shape_extent(kind, 190.5, 207.25, 120, turn) == pytest.approx(ink, abs=1.5)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_prompt_is_that_of_the_service(language: Language) -> None:
    before, after = LOCATE[language].split("{x}")
    for seed in range(3):
        for qa in asked(seed, language):
            bench = Bench(words=("[]",))
            text = qa.text.removeprefix(before).removesuffix(after)
            request = InferRequest("grounding", ["picture"], text, msgspec.Raw(msgspec.json.encode({"language": language})))
            _ = [event async for event in bench.inference.stream(bench.call(request))]
            (prompt,) = bench.backend.prompts
            assert [message.role for message in prompt.messages] == ["user"]
            assert [part for part in prompt.messages[0].parts if isinstance(part, str)] == [qa.text]


def test_answers_are_written_and_read_as_the_service_does() -> None:
    assert 'place ::= "1000" | [1-9] [0-9]{0,2} | "0"' in GRAMMAR
    skills: Counter[str] = Counter()
    for seed in range(80):
        for qa in asked(seed, "zh" if seed % 2 else "en"):
            skills[qa.skill] += 1
            assert WRITTEN.fullmatch(qa.answer)
            node = read(qa.answer)
            assert node is not None
            boxes, empty = in_pixels(node, Transcript(), 0, Given("image", 192, 128))
            told = json.loads(qa.answer)
            assert (len(boxes), empty) == (len(told), 0)
            assert [box.label for box in boxes] == [box["label"] for box in told]
            for box, wanted in zip(boxes, told, strict=True):
                exact = [1000 * place / side for place, side in zip(box.box, (192, 128, 192, 128), strict=True)]
                assert overlap(exact, wanted["bbox_2d"]) > 0.7  # whole pixels
    assert set(skills) == {
        "boxes_one",
        "boxes_several",
        "boxes_none",
        "boxes_word",
        "boxes_words",
        "boxes_bar",
        "boxes_bars",
        "boxes_title",
    }


def test_boxes_in_steps_stay_near_the_exact_ones() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        left, top = rng.uniform(0, 250, 2)
        exact = (left, top, left + rng.uniform(20, 38), top + rng.uniform(20, 38))
        written = thousandths(exact, 288, 288)
        assert all(place % STEP == 0 for place in written)
        assert overlap(written, [1000 * place / 288 for place in exact]) > 0.55


def test_scoring_counts_what_is_missed_and_what_is_made_up() -> None:
    def box(*places: int) -> dict[str, object]:
        return {"bbox_2d": list(places), "label": "x"}

    wanted = json.dumps([box(0, 0, 100, 100), box(500, 500, 700, 700)])
    assert found_right(wanted, wanted) == [True, True]
    assert found_right(json.dumps([box(500, 520, 700, 700), box(0, 0, 90, 100)]), wanted) == [True, True]
    assert found_right(json.dumps([box(0, 0, 100, 100)]), wanted) == [True, False]
    assert found_right(json.dumps([box(0, 0, 100, 100)] * 3), wanted) == [True, False, False, False]
    assert found_right("nonsense", wanted) == [False, False]
    assert found_right("[]", "[]") == [True]
    assert found_right(wanted, "[]") == [False, False]


def test_a_picture_follows_from_its_seed() -> None:
    assert [asked(seed) for seed in range(8)] == [asked(seed) for seed in range(8)]
