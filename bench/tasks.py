"""The reading tasks through the HTTP interface, on generated pictures that no model has seen: how much of it is right, and
whether the confidence knows.

    python bench/tasks.py [--charts 500] [--pairs 60] [--model sight-nano] [--mmproj FILE] [--judged FILE]

Starts a service with one engine on a free port, or asks the one at `--service`. Charts are those of training/scenes (bars with
labels and values), from seeds that training does not reach. `--judged` keeps every value with its confidence and whether it was
right, for `sightline calibrate`. Prints one table, and the same as JSON on its last line.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))
from sightline.evaluation.calibration import auroc, calibration_error
from training.scenes.chart_forms import render_chart
from training.scenes.charts import ChartScene, chart_scene

SEEDS = 5 << 28
"""Above the seeds of training, and apart from those of its own evaluation."""
SIZES = ((128, 128), (160, 128), (192, 160), (192, 192), (256, 192))
AT_ONCE = 4
KEYS = ["chart_type", "title", "x_axis", "y_axis", "unit", "series"]
T = TypeVar("T")

_RUN = """
import logging, sys
from pathlib import Path
from sightline.assembly import serve
from sightline.config import load
logging.basicConfig(level="WARNING")
serve(load(Path(sys.argv[1])), lambda address: print(address, flush=True))
"""


@contextlib.contextmanager
def service(model: str, mmproj: str | None, threads: int) -> Iterator[str]:
    """A service of its own with one engine; its address."""
    lanes = "".join(f'[lanes.{lane}]\nbackends = ["engine"]\nslots = {AT_ONCE}\nwaiting = 512\n' for lane in "ABC")
    sight = f'mmproj = "{mmproj}"\n' if mmproj else ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sightline.toml"
        path.write_text(
            f'state = "{folder}/state"\ncache_bytes = 0\n[backends.engine]\nkind = "local"\nmodel = "{model}"\n{sight}'
            f"slots = {AT_ONCE}\nthreads = {threads}\n{lanes}[trust]\nmoderation = false\n[server]\nport = 0\n"
        )
        process = subprocess.Popen([sys.executable, "-c", _RUN, str(path)], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            yield process.stdout.readline().strip().rstrip("/")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)


@dataclass(frozen=True)
class Drawn:
    """A chart, as it is and as a data URI."""

    scene: ChartScene
    uri: str


def draw(seed: int) -> Drawn:
    rng = Random(SEEDS + seed)
    scene = chart_scene(rng, *rng.choice(SIZES))
    pixels, _ = render_chart(rng, scene)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return Drawn(scene, "data:image/png;base64," + base64.b64encode(out.getvalue()).decode())


class Client:
    """Asks, a few at a time."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=600)
        self._room = asyncio.Semaphore(AT_ONCE)
        self.seconds: list[float] = []

    async def ask(self, task: str, images: Sequence[str], text: str = "", **options: Any) -> dict[str, Any]:
        """The result. Raises on any error."""
        async with self._room:
            started = time.perf_counter()
            response = await self._http.post(
                "/infer", json={"task": task, "images": list(images), "text": text, "options": options | {"timeout_ms": 600_000}}
            )
            self.seconds.append(time.perf_counter() - started)
        return response.raise_for_status().json()["result"]

    async def close(self) -> None:
        await self._http.aclose()


@dataclass
class Tally:
    """What was right, by name."""

    counts: dict[str, list[bool]] = field(default_factory=dict)

    def note(self, name: str, right: bool) -> None:
        self.counts.setdefault(name, []).append(right)

    def share(self, name: str) -> float | None:
        found = self.counts.get(name)
        return round(sum(found) / len(found), 4) if found else None


async def each(works: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    return list(await asyncio.gather(*(work() for work in works)))


async def read_charts(client: Client, count: int, looks: int, tally: Tally) -> list[dict[str, Any]]:
    """chart_parse: valid, the whole table, each value; and what the confidence and the second look knew."""
    judged: list[dict[str, Any]] = []

    async def one(seed: int) -> None:
        drawn = draw(seed)
        language = "zh" if seed % 2 else "en"
        result = await client.ask("chart_parse", [drawn.uri], language=language, second_look=seed < looks)
        truth = list(zip(drawn.scene.labels, drawn.scene.values, strict=True))
        try:
            said = json.loads(result["answer"])
            valid = list(said) == KEYS and all(set(row) == {"name", "points"} for row in said["series"])
        except ValueError:
            said, valid = {}, False
        tally.note("chart_parse: JSON is valid", valid)
        (chart,) = result["structured"]["charts"]
        points = [point for row in chart["series"] for point in row["points"]]
        table = [(point["label"], point["value"]) for point in points]
        tally.note("chart_parse: whole table", table == truth)
        tally.note("chart_parse: title", chart["title"] == drawn.scene.title)
        for place, pair in enumerate(truth):
            tally.note("chart_parse: value", place < len(table) and table[place] == pair)
            tally.note("chart_parse: label", place < len(table) and table[place][0] == pair[0])
        for place, point in enumerate(points):
            right = place < len(truth) and table[place] == truth[place]
            about = {"task": "chart_parse", "model": result["metadata"]["model"], "what": "value", "group": seed}
            judged.append({"confidence": point["confidence"], "right": right, **about})
            second = point.get("second_look")
            if second:
                wanted = truth[place][1] if place < len(truth) else None
                tally.note("second look: first reading was right", right)
                tally.note("second look: second reading was right", second["value"] == wanted)
                tally.note(f"second look: right where both {'agree' if second['agrees'] else 'differ'}", right)

    await each([lambda seed=seed: one(seed) for seed in range(count)])
    return judged


def growth(scene: ChartScene) -> float:
    return (scene.values[-1] - scene.values[0]) / scene.values[0]


async def compare_growth(client: Client, pairs: int, tally: Tally) -> None:
    """Which of two charts grew faster, asked as a question about two pictures, in both languages."""
    good = (drawn for drawn in map(draw, range(10**6, 10**7)) if drawn.scene.values[0] > 0)
    chosen: list[tuple[Drawn, Drawn]] = []
    while len(chosen) < pairs:
        first, second = next(good), next(good)
        if growth(first.scene) != growth(second.scene):
            chosen.append((first, second))

    async def one(first: Drawn, second: Drawn, text: str, task: str) -> None:
        winner = 1 if growth(first.scene) > growth(second.scene) else 2
        result = await client.ask(task, [first.uri, second.uri], text)
        derived = (result["structured"] or {}).get("derived")
        language = "zh" if "增" in text else "en"
        tally.note(f"growth of two charts, {task}, {language}: computed", derived is not None)
        named = [name for name in ("Image 1", "Image 2", "图1", "图2") if derived and derived["answer"].startswith(name)]
        tally.note(f"growth of two charts, {task}, {language}: right", bool(named) and named[0].endswith(str(winner)))

    works: list[Callable[[], Awaitable[None]]] = [
        lambda pair=pair, text=text, task=task: one(*pair, text, task)
        for pair in chosen
        for text in ("Which grew faster?", "哪个增长更快？")
        for task in ("chart_parse", "vqa")
    ]
    await each(works)


async def add_up(client: Client, count: int, tally: Tally) -> None:
    """Sums asked of vqa: by arithmetic, and by the model alone."""

    async def one(seed: int, text: str, arithmetic: bool) -> None:
        drawn = draw(2 * 10**6 + seed)
        result = await client.ask("vqa", [drawn.uri], text, arithmetic=arithmetic, temperature=0)
        derived = (result["structured"] or {}).get("derived")
        total = sum(drawn.scene.values)
        right = derived["result"] == total if derived else result["answer"].strip() == str(total)
        tally.note(f"sum of a chart's values, vqa, {'arithmetic' if arithmetic else 'model alone'}", right)

    texts = ("What is the sum of the values?", "数值的总和是多少？")
    await each([lambda n=n, how=how: one(n, texts[n % 2], how) for n in range(count) for how in (True, False)])


async def read_text(client: Client, count: int, tally: Tally) -> None:
    """ocr of charts: their lines, in any order."""

    async def one(seed: int) -> None:
        drawn = draw(3 * 10**6 + seed)
        scene = drawn.scene
        result = await client.ask("ocr", [drawn.uri], language="zh" if seed % 2 else "en")
        lines = {line["text"] for image in result["structured"]["images"] for line in image["lines"]}
        wanted = [scene.title] * bool(scene.title)
        wanted += [f"{label} {value}{scene.suffix}" for label, value in zip(scene.labels, scene.values, strict=True)]
        for line in wanted:
            tally.note("ocr: line", line in lines)

    await each([lambda seed=seed: one(seed) for seed in range(count)])


async def measure(url: str, arguments: argparse.Namespace) -> dict[str, Any]:
    tally, client = Tally(), Client(url)
    judged = await read_charts(client, arguments.charts, arguments.looks, tally)
    parse_seconds = list(client.seconds)
    if arguments.judged:
        arguments.judged.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in judged))
    for section in (compare_growth, add_up, read_text):
        print(f"{len(client.seconds)} calls so far; next: {section.__name__}", file=sys.stderr, flush=True)
        await section(client, arguments.pairs, tally)
    await client.close()
    known = [(one["confidence"], one["right"]) for one in judged if one["confidence"] is not None]
    separates = auroc(known)
    return {
        "shares": {name: {"share": tally.share(name), "of": len(found)} for name, found in sorted(tally.counts.items())},
        "values with a confidence": len(known),
        "AUROC of a value's confidence": None if separates is None else round(separates, 4),
        "calibration error of a value's confidence": round(calibration_error(known), 4),
        "seconds a chart, median": round(statistics.median(parse_seconds), 3),
    }


def show(found: dict[str, Any]) -> None:
    for name, one in found["shares"].items():
        print(f"{name:60} {one['share']:7.2%}  of {one['of']}")
    for name, value in found.items():
        if name != "shares":
            print(f"{name:60} {value}")
    print(json.dumps(found, ensure_ascii=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--charts", type=int, default=500)
    parser.add_argument("--looks", type=int, default=10**9, help="so many of the charts with a second look")
    parser.add_argument("--pairs", type=int, default=60, help="pairs for growth; as many sums and texts")
    parser.add_argument("--model", default="sight-nano")
    parser.add_argument("--mmproj")
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--service", help="the address of a service that runs already")
    parser.add_argument("--judged", type=Path)
    arguments = parser.parse_args()
    if arguments.service:
        show(asyncio.run(measure(arguments.service.rstrip("/"), arguments)))
        return
    with service(arguments.model, arguments.mmproj, arguments.threads) as url:
        show(asyncio.run(measure(url, arguments)))


if __name__ == "__main__":
    main()
