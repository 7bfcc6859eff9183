"""Documents of many pages, and questions whose answer stands on one of them, or on none: for measuring `doc_analyze`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from training.scenes import entries
from training.scenes.document_questions import of_key, of_row
from training.scenes.documents import Entry, PageScene, page_scene, render_page
from training.scenes.entries import Key
from training.scenes.page_facts import is_told, written
from training.scenes.qa import Language

_FEW = 8  # pages of which each may be asked for its total or its name
_VAGUE = frozenset({"item", "name", "number", "price", "total", "quantity", "score"})  # keys that many other pages could answer as well
_TRIES = 200  # pages that are drawn up at most until one says something that no other does


@dataclass(frozen=True)
class Question:
    """A question about a whole document. `page` counts from 1, and is None where no page says it (`answer` is empty then)."""

    text: str
    language: Language
    page: int | None
    answer: str


@dataclass(frozen=True)
class Document:
    """Pages [H, W, 3] of equal size and questions about them."""

    pages: tuple[NDArray[np.uint8], ...]
    questions: tuple[Question, ...]


def _says(scene: PageScene, entry: Entry) -> bool:
    """Whether the page says something that answers the question about the entry."""
    return is_told(scene, entry.key) if entry.key is not None else entry.label.text.lower() in written(scene)


def _own(scene: PageScene, others: Sequence[PageScene], pages: int) -> list[Entry]:
    """What only this page says. In a long document keys of which other pages would have to be silent are left alone."""
    possible = [e for e in scene.entries if pages <= _FEW or e.key is None or e.key.field not in _VAGUE]
    return [entry for entry in possible if not any(_says(other, entry) for other in others)]


def document(
    rng: Random,
    pages: int,
    questions: int,
    width: int = 224,
    height: int = 288,
    language: Language = "en",
    hard: bool = False,
    held_out: bool = False,
) -> Document:
    """`pages` pages, about `questions` questions that one page answers, and a quarter as many that none does.

    A question is asked only where exactly one page says something that could be taken for the answer. Pages that say nothing of
    their own are there as well, as in real documents, so there may be fewer questions than were wished for.
    """
    scenes: list[PageScene] = []
    asked: list[tuple[int, Entry]] = []  # of every question the page, from 0, and what is asked for
    for number in range(pages):
        wanted = len(asked) < questions * (number + 1) / pages
        for _ in range(_TRIES):
            scene = page_scene(rng, width, height, language, hard, held_out)
            if any(_says(scene, entry) for _, entry in asked):
                continue
            own = _own(scene, scenes, pages)
            if own or not wanted:
                break
        else:
            scene = page_scene(rng, width, height, language, hard, held_out, style="text")
            own = []
            while any(_says(scene, entry) for _, entry in asked):
                scene = page_scene(rng, width, height, language, hard, held_out, style="text")
        if own and wanted:
            asked.append((number, rng.choice(own)))
        scenes.append(scene)
    found = [_question(rng, language, number + 1, entry) for number, entry in asked]
    rng.shuffle(found)
    silent = [key for key in entries.KEYS if not any(is_told(scene, key) for scene in scenes)]
    none = [_silent(rng, language, silent, scenes) for _ in range(max(1, questions // 4))]
    return Document(tuple(render_page(rng, scene) for scene in scenes), (*found, *dict.fromkeys(none)))


def _question(rng: Random, language: Language, page: int, entry: Entry) -> Question:
    if entry.key is not None:
        text = of_key(rng, language, "page_value", entry.key).text
    else:
        text = of_row(rng, language, "page_value", entry.label.text, entry.column).text
    return Question(text, language, page, entry.value.text)


def _silent(rng: Random, language: Language, silent: Sequence[Key], scenes: Sequence[PageScene]) -> Question:
    """For a key, or for the price of a thing, that no page tells."""
    if silent and rng.random() < 0.5:
        return Question(of_key(rng, language, "page_absent", rng.choice(silent)).text, language, None, "")
    while True:
        name = entries.pseudo_word(rng, capital=True)
        if not any(name.lower() in written(scene) for scene in scenes):
            return Question(of_row(rng, language, "page_absent", name, entries.PRICE).text, language, None, "")
