"""What a guesser without eyes gets right: the bar that answers about swapped or blank pictures must fall to.

The guesser has seen many other questions with their answers. It gives the answer that was most common to questions of the same wording,
where names of shapes and colours, printed texts and numbers are left open.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from training.scenes import vocabulary
from training.scenes.draw import COLOURS, SHAPES
from training.scenes.qa import QA

# The right answer says that something is not there, which is as right about another picture: nothing can be learned from these.
NOT_THERE = frozenset({"absent", "doc_absent", "page_absent", "clip_absent", "boxes_none", "cannot_tell"})
_NAMES = {name for names in (*SHAPES, *(names for names, _ in COLOURS)) for name in (names.zh, names.en)}
_PRINTED = {*vocabulary.every_label(), *vocabulary.TITLES, *vocabulary.TITLES_ZH}
_OPEN = re.compile("|".join(sorted(map(re.escape, _NAMES | _PRINTED), key=len, reverse=True)) + r"|-?\d+(?:\.\d+)?")


def wording(question: str) -> str:
    """The question with everything left open that differs from picture to picture."""
    return _OPEN.sub("_", question)


class Guesser:
    """Answers from the wording of a question alone; `seen` are questions with their right answers."""

    def __init__(self, seen: Iterable[QA]) -> None:
        self._answers: dict[str, Counter[str]] = defaultdict(Counter)
        for qa in seen:
            self._answers[wording(qa.text)][qa.answer] += 1

    def __call__(self, question: str) -> str:
        """The likeliest answer; empty where nothing of that wording was seen."""
        known = self._answers.get(wording(question))
        return known.most_common(1)[0][0] if known else ""
