"""What is trained on charts is what the service asks, reads and computes; and what is measured was never trained on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest

from sightline.prompt import text_of
from sightline.protocol.requests import InferRequest
from sightline.tasks.charts.arithmetic import derive
from sightline.tasks.charts.chart import Chart, plain, understand
from sightline.tasks.charts.grammar import SCHEMA
from sightline.tasks.charts.spans import read
from sightline.tasks.schemas import is_valid
from tests.doubles import Bench
from training.scenes import chart_listings, chart_questions, draw
from training.scenes.chart_forms import render_chart
from training.scenes.chart_kinds import plot_scene
from training.scenes.chart_pairs import COMPUTED, MAKERS, chart_pair
from training.scenes.charts import HELD_OUT_RANGES, ChartScene, chart_scene, pieces
from training.scenes.preambles import SYSTEM, picture_labels
from training.scenes.qa import QA, Language, Sample
from training.scenes.sampler import Kind, pick_mode, sample

MISSING_FONTS = "install fonts-dejavu-core fonts-liberation fonts-noto-cjk"
pytestmark = pytest.mark.skipif(not all((draw.FONT_ROOT / font).is_file() for font in draw.LATIN_FONTS), reason=MISSING_FONTS)
KINDS: tuple[tuple[Kind, int, int], ...] = (("chart", 160, 128), ("plot", 192, 160), ("plot", 288, 192), ("chart_pair", 128, 128))
LANGUAGES: tuple[Language, ...] = ("en", "zh")


def drawn(seed: int, kind: Kind, width: int, height: int, level: int = 0, held_out: bool = False) -> Sample:
    mode = pick_mode(Random(seed), kind)
    return sample(seed, kind, width, height, 6, "zh" if seed % 2 else "en", mode, seed % 3 == 0, held_out, level)


def scenes(number: int, level: int = 0, held_out: bool = False) -> list[ChartScene]:
    made: list[ChartScene] = []
    for seed in range(number):
        rng = Random(seed)
        width, height = rng.choice(((160, 128), (192, 160), (288, 192), (320, 192)))
        made.append(
            chart_scene(rng, width, height, held_out=held_out) if seed % 3 == 0 else plot_scene(rng, width, height, False, held_out, level)
        )
    return made


def parsed(scene: ChartScene, image_index: int = 0) -> Chart:
    return understand(read(chart_listings.parse(scene, "en").answer), image_index)


@pytest.mark.parametrize(("kind", "width", "height"), KINDS)
def test_a_chart_follows_from_its_seed(kind: Kind, width: int, height: int) -> None:
    for seed in range(4):
        first, second = (drawn(seed, kind, width, height, level=seed % 2) for _ in range(2))
        assert first.questions == second.questions
        assert first.marks == second.marks
        assert all(np.array_equal(a, b) for a, b in zip(first.images, second.images, strict=True))


@pytest.mark.parametrize(("kind", "width", "height"), KINDS)
def test_every_mark_that_is_looked_at_is_in_the_picture(kind: Kind, width: int, height: int) -> None:
    for seed in range(25):
        made = drawn(seed, kind, width, height, level=seed % 2)
        marks = [mark for row in made.marks for mark in row]
        assert all(0 <= mark.x < width and 0 <= mark.y < height for mark in marks)
        assert made.questions
        for qa in made.questions:
            looked = {mark for _, groups in qa.focus for group in groups for mark in group}
            assert all(-1 <= mark < len(marks) for mark in looked)
            starts = [start for start, _ in qa.focus]
            assert starts == sorted(starts)
            assert all(start <= len(qa.answer) for start in starts)


def test_a_mark_says_the_piece_of_text_that_stands_there() -> None:
    for seed, scene in enumerate(scenes(30, level=1)):
        _, marks = render_chart(Random(seed), scene)
        for key, text in scene.texts.items():
            spans = pieces(text)
            assert [marks[number].text for number in scene.marks[key]] == [text[start:end] for start, end in spans]
            assert "".join(text[start:end] for start, end in spans) == text.replace(" ", "")
            assert all(end - start <= 4 for start, end in spans)


def test_what_is_told_is_what_is_looked_at() -> None:
    spelled = 0
    for seed, scene in enumerate(scenes(40)):
        _, marks = render_chart(Random(seed), scene)
        qa = chart_questions.value(Random(seed), scene, "en")
        for (start, groups), (end, _) in zip(qa.focus, [*qa.focus[1:], (len(qa.answer), ())], strict=True):
            assert [marks[mark].text for mark in groups[0]] == [qa.answer[start:end]]
            spelled += 1
    assert spelled >= 40


def test_a_parse_is_what_the_service_writes_itself() -> None:
    forms: Counter[str] = Counter()
    for scene in scenes(40, level=1):
        answer = chart_listings.parse(scene, "zh").answer
        assert is_valid(json.loads(answer), SCHEMA)
        chart = parsed(scene)
        assert msgspec.json.encode(plain(chart)).decode() == answer
        assert [tuple(point.value for point in series.points) for series in chart.series] == list(scene.rows)
        forms[chart.chart_type] += 1
    assert set(forms) == {"bar", "grouped_bar", "line", "pie", "table"}


def test_answers_are_those_of_arithmetic_on_the_parse() -> None:
    agreed: Counter[str] = Counter()
    for seed, scene in enumerate(scenes(120)):
        if scene.more or scene.names or scene.suffix or scene.unit or any(label.isdigit() for label in scene.labels):
            continue
        chart = parsed(scene)
        for maker in (chart_questions.value, chart_questions.extreme, chart_questions.compare, chart_questions.difference):
            qa = maker(Random(seed), scene, "en")
            derived = derive(qa.text, [chart], "en") if qa is not None else None
            if qa is not None and derived is not None:
                said = str(derived.result) if qa.skill == "chart_extreme_value" else derived.answer
                assert said == qa.answer, qa
                agreed[qa.skill] += 1
    assert {"chart_value", "chart_highest", "chart_lowest", "chart_compare", "chart_difference", "chart_sum"} <= set(agreed)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_service_computes_of_two_charts_is_wanted_of_it(language: Language) -> None:
    found = 0
    for seed in range(12):
        a, b = chart_pair(Random(seed), 160, 128)
        for maker, _ in COMPUTED:
            qa = maker(Random(seed), a, b, language)
            derived = derive(qa.text, [parsed(a), parsed(b, 1)], language) if qa is not None else None
            if qa is not None and derived is not None:
                assert str(derived.result) == qa.answer
                found += 1
    assert found >= 6


def test_of_two_charts_the_one_is_named_in_which_it_is_so() -> None:
    skills: Counter[str] = Counter()
    for seed in range(40):
        a, b = chart_pair(Random(seed), 160, 128)
        for maker, _ in MAKERS:
            qa = maker(Random(seed), a, b, "en")
            if qa is None:
                continue
            skills[qa.skill] += 1
            index = max((len(label), i) for i, label in enumerate(a.labels) if label in qa.text)[1]
            rose = b.values[index] > a.values[index]
            if qa.skill == "pair_change":
                assert qa.answer in (("yes", "up") if rose else ("no", "down"))
            elif qa.skill == "pair_larger":
                more = any(word in qa.text for word in ("larger", "higher"))
                assert qa.answer == ("image 2" if rose == more else "image 1")
            else:
                assert qa.answer == (a if "image 1" in qa.text else b).said(0, index)
    assert set(skills) == {"pair_change", "pair_larger", "pair_value"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_are_asked_for_as_a_second_look_asks(language: Language) -> None:
    assert text_of("chart_value", language).format(label="{x}") in chart_questions.VALUE[language]
    assert text_of("chart_value-series", language).format(label="{x}", series="{s}") in chart_questions.VALUE_IN[language]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("task", "options"), [("chart_parse", {}), ("ocr", {}), ("captioning", {"style": "detailed"}), ("vqa", {})])
async def test_the_service_asks_as_training_does(task: str, options: dict[str, str], language: Language) -> None:
    scene = chart_scene(Random(3), 160, 128)
    qa: QA = {
        "chart_parse": chart_listings.parse(scene, language),
        "ocr": chart_listings.transcript(scene, language),
        "captioning": chart_listings.describe(scene, language, True),
        "vqa": chart_questions.value(Random(1), scene, language),
    }[task]
    bench = Bench(words=(qa.answer,))
    text = qa.text if task == "vqa" else ""
    request = InferRequest(task, ["data:image/png;base64,"], text, json.dumps({"language": language, **options}).encode())
    _ = [event async for event in bench.inference.stream(bench.call(request))]
    messages = bench.backend.prompts[0].messages
    said = [[part for part in message.parts if isinstance(part, str)] for message in messages]
    labels = [label for label in picture_labels(language, 1) if label]
    assert said == ([[SYSTEM[language, "vqa"]]] if task == "vqa" else []) + [[*labels, qa.text]]


def test_training_never_prints_the_numbers_that_are_held_out() -> None:
    def held(scene: ChartScene) -> bool:
        return any(low <= value < high + 1 for row in scene.rows for value in row for low, high in HELD_OUT_RANGES)

    trained = [scene for scene in scenes(120) if scene.form != "pie"]  # shares of a whole are what is left to 100
    assert not any(map(held, trained))
    assert all(held(scene) for scene in scenes(60, held_out=True) if scene.form != "pie")


def test_held_out_pictures_are_drawn_with_nothing_of_training() -> None:
    assert not set(draw.HELD_OUT_FONTS + draw.HELD_OUT_CJK_FONTS) & set(draw.LATIN_FONTS + draw.CJK_FONTS)
    for (_, trained), other in zip(draw.COLOURS, draw.HELD_OUT_COLOURS, strict=True):
        assert max(abs(a - b) for a, b in zip(trained, other, strict=True)) > 16  # what `shade` reaches


def test_missing_fonts_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(draw, "FONT_ROOT", tmp_path)
    draw.check_fonts.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"Lato-Regular\.ttf.*fonts-lato"):
        draw.setting(held_out=True)
    assert draw.setting(held_out=False) is draw.TRAINED


@pytest.mark.parametrize(("kind", "width", "height"), KINDS)
def test_held_out_charts_can_be_drawn(kind: Kind, width: int, height: int) -> None:
    if not all((draw.FONT_ROOT / font).is_file() for font in draw.HELD_OUT_FONTS + draw.HELD_OUT_CJK_FONTS):
        pytest.skip("install fonts-lato fonts-open-sans fonts-roboto-unhinted fonts-wqy-microhei")
    made = [drawn(seed, kind, width, height, held_out=True) for seed in range(4)]
    assert all(image.shape == (height, width, 3) for one in made for image in one.images)


@pytest.mark.full
def test_charts_of_matplotlib_are_asked_in_the_same_words() -> None:
    pytest.importorskip("matplotlib")
    from training.foreign import foreign_sample

    for seed in range(3):
        first, second = (foreign_sample(seed, 4, "zh" if seed % 2 else "en") for _ in range(2))
        assert np.array_equal(first.images[0], second.images[0])
        assert first.questions == second.questions
        height, width, _ = first.images[0].shape
        assert width % 32 == height % 32 == 0
        assert width * height <= 65536
        assert first.images[0].std() > 5
