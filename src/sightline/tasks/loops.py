"""Answers that go round in circles: the same words again and again until the budget is used up, the known failure on tables.

A model that has written the same piece so often will not stop writing it; the generation is stopped instead.
"""

from __future__ import annotations

from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice

_LONGEST = 240
"""Characters of the longest piece that is looked for."""
_OFTEN, _LONG = 16, 200
"""How often a piece must follow itself, and how many characters that must be."""
_SIGNS_OFTEN, _SIGNS_LONG = 60, 600
"""The same for pieces without letters: rules, dotted lines and rows of zeros may be long."""
_EVERY = 48
"""Characters between two looks."""

REPETITION = Notice(
    "repetition",
    Bilingual("模型开始反复输出同一内容，生成已被截断。", "The model began to repeat itself; its answer was cut there."),
    Bilingual("可改用更清晰或更小的图片区域，或更大的模型。", "Try a clearer picture or a smaller part of it, or a larger model."),
)


class Loop:
    """Watches one answer as it is written."""

    def __init__(self) -> None:
        self._text = ""
        self._seen = 0
        self.start: int | None = None
        """Where the answer may be cut: after the first of the repeated pieces. None while it goes on well."""

    def add(self, text: str) -> bool:
        """Takes in what was written; True once the answer goes round in circles."""
        self._text += text
        if self.start is None and len(self._text) - self._seen >= _EVERY:
            self._seen = len(self._text)
            self._look()
        return self.start is not None

    def _look(self) -> None:
        text = self._text
        for size in range(1, min(_LONGEST, len(text) // 2) + 1):
            piece = text[-size:]
            if piece != text[-2 * size : -size]:
                continue
            count = 2
            while text[-size * (count + 1) : -size * count] == piece:
                count += 1
            often, long = (_OFTEN, _LONG) if any(sign.isalpha() for sign in piece) else (_SIGNS_OFTEN, _SIGNS_LONG)
            if count >= often and count * size >= long:
                self.start = len(text) - (count - 1) * size
                return
