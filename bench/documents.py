"""Whether long documents are answered from the right page. One command: `python bench/documents.py [--pages 50] [--questions 24]`.

Draws a document of charts, every page with another title and other labels, as a PDF, or (`--drawn pages`) one of forms, bills, tables and
text; asks over HTTP for values that stand on one page, and for some that stand on none; prints the share of right answers and of right
citations, and how long a page takes. The pictures are drawn by the program that drew those the bundled model learned from, with seeds
that it has not seen; other models are asked with `--server`.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import random
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.harness import lanes, serving

from training.scenes import vocabulary
from training.scenes.chart_forms import render_chart
from training.scenes.charts import ChartScene
from training.scenes.draw import COLOURS
from training.scenes.multipage import document

_SEED = 1 << 30
_WIDTH, _HEIGHT, _DPI = 192, 160, 200
_ASKED = {"en": "What is the value of {label}?", "zh": "{label}的数值是多少？"}


@dataclass(frozen=True)
class Question:
    """`page` is None where no page says it."""

    text: str
    page: int | None
    answer: str


@dataclass
class Tally:
    """How the questions went."""

    asked: int = 0
    right: int = 0
    cited: int = 0
    cited_alone: int = 0
    snippets_right: int = 0
    seconds: float = 0.0


def draw_document(rng: random.Random, count: int, questions: int) -> tuple[bytes, list[Question]]:
    """A PDF of `count` charts, and questions about labels that stand on one page, then about labels that stand on none."""
    every = vocabulary.every_label()
    rng.shuffle(every)
    absent, common, own = every[:4], every[4:16], every[16:]
    charts: list[ChartScene] = []
    for number in range(count):
        mine = own[number % len(own)]
        labels = [*rng.sample(common, 2), mine]
        rng.shuffle(labels)
        values = tuple(rng.sample(range(1, 100), 3))
        colours = (rng.randrange(len(COLOURS)),) * 3
        charts.append(ChartScene(_WIDTH, _HEIGHT, tuple(labels), values, colours, f"{rng.choice(vocabulary.TITLES)} {number + 1}"))
    document = write_pdf([render_chart(rng, chart)[0] for chart in charts])
    pages = rng.sample(range(min(count, len(own))), min(questions, count, len(own)))
    asked = [_about(charts[page], own[page], page + 1) for page in pages]
    return document, asked + [Question(_wording(label), None, "") for label in absent]


def draw_pages(rng: random.Random, count: int, questions: int) -> tuple[bytes, list[Question]]:
    """A PDF of `count` pages in one language, and questions that one page answers, then some that none does."""
    made = document(rng, count, questions, language=rng.choice(("en", "zh")))
    return write_pdf(made.pages), [Question(each.text, each.page, each.answer) for each in made.questions]


def write_pdf(pictures: Sequence[NDArray[np.uint8]]) -> bytes:
    """A PDF with a page for each picture (height, width, 3), which loses nothing and is drawn pixel by pixel at `_DPI`."""
    kids = " ".join(f"{3 + 3 * number} 0 R" for number in range(len(pictures)))
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pictures)} >>".encode()]
    for number, picture in enumerate(pictures):
        (height, width), first = picture.shape[:2], 3 + 3 * number
        wide, high = width * 72 / _DPI, height * 72 / _DPI
        resources = f"/Resources << /XObject << /P {first + 2} 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {wide} {high}] /Contents {first + 1} 0 R {resources} >>".encode())
        objects.append(_stream(b"", f"{wide} 0 0 {high} 0 0 cm /P Do".encode()))
        head = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceRGB /BitsPerComponent 8"
        objects.append(_stream(f"{head} /Filter /FlateDecode".encode(), zlib.compress(picture.tobytes(), 9)))
    out, places = bytearray(b"%PDF-1.7\n"), list[int]()
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    tail = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF"
    return bytes(out) + tail.encode()


def _stream(head: bytes, content: bytes) -> bytes:
    return b"<< %b /Length %d >>\nstream\n%b\nendstream" % (head, len(content), content)


def _about(chart: ChartScene, label: str, page: int) -> Question:
    return Question(_wording(label), page, str(chart.values[chart.labels.index(label)]))


def _wording(label: str) -> str:
    return _ASKED["en" if label.isascii() else "zh"].format(label=label)


def ask(address: str, document: str, question: Question, tally: Tally) -> str:
    """Asks, counts, and gives a line about it."""
    started = time.perf_counter()
    body = {"task": "doc_analyze", "images": [document], "text": question.text, "options": {"cache": "off"}}
    said = httpx.post(f"{address}/infer", json=body, timeout=3600).json()
    tally.seconds += time.perf_counter() - started
    result = said["result"]
    citations = result["structured"]["citations"]
    cited = [each["page"] for each in citations]
    tally.asked += 1
    if question.page is None:
        tally.right += not result["structured"]["found"]
    else:
        tally.right += _plain(result["answer"]) == question.answer
        tally.cited += question.page in cited
        tally.cited_alone += cited == [question.page]
        tally.snippets_right += any(each["page"] == question.page and _plain(each["snippet"]) == question.answer for each in citations)
    wanted = f"{question.answer} on page {question.page}" if question.page else "on no page"
    said_so = ", ".join(f"{each['page']} ({each['confidence']:.2f})" for each in citations[:6])
    return f"{question.text:32} {wanted:18} -> {result['answer'][:40]!r}, pages {said_so}"


def _plain(text: str) -> str:
    return text.strip(" .。")


@contextlib.contextmanager
def service(server: str | None) -> Iterator[str]:
    """The address of a service: the one that was named, or one with the bundled model for as long as this lasts."""
    if server:
        yield server.rstrip("/")
        return
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), f'[backends.x]\nkind = "local"\n{lanes()}') as running:
        yield running.url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--drawn", choices=("charts", "pages"), default="charts")
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--server", help="a service that runs already")
    parser.add_argument("--verbose", action="store_true", help="a line for every question")
    arguments = parser.parse_args()
    draw = {"charts": draw_document, "pages": draw_pages}[arguments.drawn]
    drawn, questions = draw(random.Random(arguments.seed), arguments.pages, arguments.questions)
    encoded = base64.b64encode(drawn).decode()
    present, absent = Tally(), Tally()
    with service(arguments.server) as address:
        for question in questions:
            line = ask(address, encoded, question, absent if question.page is None else present)
            if arguments.verbose:
                print(line, flush=True)
    print(f"a document of {arguments.pages} pages, {len(drawn) / 1000:.0f} kB")
    print("| questions about | asked | right | the page is cited | and no other | its words are right | s a document |")
    print("|---|---|---|---|---|---|---|")
    counts = (present.right, present.cited, present.cited_alone, present.snippets_right)
    shares = " | ".join(_share(count, present.asked) for count in counts)
    print(f"| one page | {present.asked} | {shares} | {present.seconds / max(1, present.asked):.1f} |")
    print(f"| no page | {absent.asked} | {_share(absent.right, absent.asked)} | | | | {absent.seconds / max(1, absent.asked):.1f} |")


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / max(1, whole):.0f} %)"


if __name__ == "__main__":
    main()
