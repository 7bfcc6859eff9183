"""Writes the held-out pictures and questions of the acceptance test, and the pictures shown in the documentation.

    python -m training.testdata tests/data/model

The cases are drawn at random and never chosen by what any model answers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

from PIL import Image

from training.engine import Picture
from training.scenes.chart_forms import render_chart
from training.scenes.charts import ChartScene
from training.scenes.qa import Language
from training.scenes.sampler import Kind, sample
from training.scenes.shapes import ShapeScene, Thing, render_shapes

START = (1 << 31) + 1
PLAN: tuple[tuple[Kind, int, int, int], ...] = (
    ("shapes", 128, 128, 8),
    ("shapes", 192, 128, 8),
    ("shapes", 192, 192, 6),
    ("shapes", 288, 192, 8),
    ("chart", 128, 128, 5),
    ("chart", 192, 160, 5),
    ("chart", 192, 192, 5),
    ("chart", 288, 192, 7),
    ("pair", 128, 128, 4),
    ("word", 96, 64, 4),
)


def save(picture: Picture, path: Path) -> str:
    Image.fromarray(picture).save(path, "PNG", optimize=True)
    return path.name


def write_cases(out: Path) -> int:
    seed, written = START, 0
    with (out / "cases.jsonl").open("w", encoding="utf-8") as lines:
        for kind, width, height, number in PLAN:
            for index in range(number):
                language: Language = "zh" if index % 2 else "en"
                made = sample(seed, kind, width, height, 2, language, "vqa")
                names = [
                    save(p, out / f"{kind}-{width}x{height}-{index}{'ab'[i] if kind == 'pair' else ''}.png")
                    for i, p in enumerate(made.images)
                ]
                for qa in made.questions:
                    case = {
                        "image": names if len(names) > 1 else names[0],
                        "text": qa.text,
                        "answer": qa.answer,
                        "skill": qa.skill,
                        "language": qa.language,
                    }
                    lines.write(json.dumps(case, ensure_ascii=False) + "\n")
                    written += 1
                seed += 1
    return written


def write_samples(out: Path) -> None:
    """Two pictures of known content, composed by hand."""
    out.mkdir(exist_ok=True)
    things = (
        Thing(0, 0, True, 62, 70, 34),
        Thing(3, 3, True, 132, 134, 33),
        Thing(1, 1, True, 204, 62, 33),
        Thing(2, 2, False, 46, 156, 15),
    )
    save(render_shapes(Random(4), ShapeScene(256, 192, tuple(sorted(things, key=lambda t: t.x)))), out / "shapes.png")
    chart = ChartScene(256, 192, ("Jan", "Feb", "Mar", "Apr"), (42, 17, 88, 63), (1, 1, 1, 1), "Sales")
    save(render_chart(Random(11), chart)[0], out / "chart.png")


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    print(write_cases(out), "cases")
    write_samples(out / "samples")


if __name__ == "__main__":
    main()
