"""How much of a text was read: character errors of transcripts, right values of forms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

READING_SKILLS = frozenset({"ocr", "read", "page_line", "page_title"})  # answers that are what is printed, and nothing else


def character_errors(said: str, wanted: str) -> int:
    """Characters to insert, leave out or exchange (Levenshtein) to get from what was said to what is printed; blanks at the ends aside.

    The character error rate is the sum of these over the sum of the lengths of what is printed.
    """
    said, wanted = said.strip(), wanted.strip()
    row = list(range(len(wanted) + 1))
    for index, char in enumerate(said, start=1):
        before, row[0] = row[0], index
        for column, other in enumerate(wanted, start=1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (char != other))
    return row[-1]


def reading_of(texts: Sequence[tuple[int, int]]) -> dict[str, float]:
    """The character error rate of texts, each given as its wrong and all its characters."""
    wrong, printed = sum(errors for errors, _ in texts), sum(length for _, length in texts)
    return {"character_error_rate": round(wrong / max(1, printed), 4), "characters": printed, "texts": len(texts)}


def fields_right(said: str, wanted: str) -> list[bool]:
    """Of a form as JSON, which fields have the value that the page says, null included; numbers are compared as numbers."""
    form: dict[str, Any] = json.loads(wanted)
    try:
        found = json.loads(said)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        return [False] * len(form)
    return [name in found and found[name] == value for name, value in form.items()]  # pyright: ignore[reportUnknownVariableType] - JSON
