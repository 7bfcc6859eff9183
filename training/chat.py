"""Token sequences exactly as the serving engine builds them from the Qwen3-VL chat template.

One picture (or pair) is followed by several independent conversations about it. They share the prefix (system message,
pictures) and are trained in one row: every *branch* (question and answer) sees the prefix and itself, never another
branch, and its positions start where the prefix ends. So the costly pictures are paid once per several questions, and
each branch still sees exactly what it would see alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.scenes.qa import QA, Groups

IGNORE = -100


@dataclass
class Row:
    """One row of a batch: token ids [L], positions [3, L], segment [L] (0 = prefix, j = branch j), targets [L] (the
    token to predict *at* each place, IGNORE elsewhere), the places whose watched attention heads have something to look at, and where
    what stands before each picture begins."""

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    segment: NDArray[np.int64]
    targets: NDArray[np.int64]
    looks: list[tuple[int, Groups]]
    labels: list[int]


class Chat:
    """Builds rows with one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.start, self.end = self._id("<|im_start|>"), self._id("<|im_end|>")
        self.vision_start, self.vision_end = self._id("<|vision_start|>"), self._id("<|vision_end|>")
        self.image = self._id("<|image_pad|>")
        self._cache: dict[str, tuple[list[int], list[int]]] = {}

    def _id(self, token: str) -> int:
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise ValueError(f"the tokenizer has no {token}")
        return int(found)

    def encode(self, text: str) -> list[int]:
        return self._encoded(text)[0]

    def _encoded(self, text: str) -> tuple[list[int], list[int]]:
        """The tokens of a text, and at which character each begins."""
        known = self._cache.get(text)
        if known is None:
            found = self.tokenizer.encode(text)
            known = list(found.ids), [begin for begin, _ in found.offsets]
            if len(self._cache) < 200_000:
                self._cache[text] = known
        return known

    def focus(self, qa: QA) -> list[tuple[int, Groups]]:
        """The tokens of the answer that are about certain marks, and these marks."""
        if len(qa.focus) == 1:
            return [(token, qa.focus[0][1]) for token in range(len(self.encode(qa.answer)))]
        found: list[tuple[int, Groups]] = []
        starts = [start for start, _ in qa.focus]
        for token, begin in enumerate(self._encoded(qa.answer)[1] if qa.focus else ()):
            groups = qa.focus[bisect_right(starts, begin) - 1][1]
            if groups:
                found.append((token, groups))
        return found

    def question(self, text: str) -> list[int]:
        """From the question to the point where the answer begins."""
        return [*self.encode(text), self.end, *self.encode("\n"), self.start, *self.encode("assistant\n")]

    def row(self, system: str | None, grids: Sequence[tuple[int, int]], questions: Sequence[QA], labels: Sequence[str]) -> Row:
        """`grids` holds (height, width) of each picture in visual tokens, `labels` what stands before it (may be empty)."""
        ids: list[int] = []
        axes: list[list[int]] = [[], [], []]
        place = 0

        def text(tokens: Sequence[int]) -> None:
            nonlocal place
            ids.extend(tokens)
            for axis in axes:
                axis.extend(range(place, place + len(tokens)))
            place += len(tokens)

        if system is not None:
            text([self.start, *self.encode("system\n" + system), self.end, *self.encode("\n")])
        text([self.start, *self.encode("user\n")])
        begun: list[int] = []
        for label, (height, width) in zip(labels, grids, strict=True):
            begun.append(len(ids))
            text(self.encode(label))
            text([self.vision_start])
            ids.extend([self.image] * (height * width))
            axes[0].extend([place] * (height * width))
            axes[1].extend(place + y for y in range(height) for _ in range(width))
            axes[2].extend(place + x for _ in range(height) for x in range(width))
            place += max(height, width)
            text([self.vision_end])
        segment, targets, prefix_end = [0] * len(ids), [IGNORE] * len(ids), place
        looks: list[tuple[int, Groups]] = []
        for branch, qa in enumerate(questions, 1):
            asked, said = self.question(qa.text), [*self.encode(qa.answer), self.end]
            place = prefix_end
            first = len(ids) + len(asked) - 1
            looks += [(first + token, groups) for token, groups in self.focus(qa)]
            # The last token needs no place of its own: nothing is predicted after it.
            text([*asked, *said[:-1]])
            segment += [branch] * (len(asked) + len(said) - 1)
            targets += [IGNORE] * (len(asked) - 1) + said
        return Row(np.array(ids), np.array(axes), np.array(segment), np.array(targets), looks, begun)
