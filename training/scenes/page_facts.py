"""What a page says, line by line, and what nobody can find on it."""

from __future__ import annotations

from random import Random

from training.scenes import entries
from training.scenes.documents import PageScene
from training.scenes.entries import Key
from training.scenes.qa import Groups
from training.scenes.typeset import looking

WHO = frozenset({"person", "company"})


def line_parts(scene: PageScene, number: int) -> list[tuple[str, Groups]]:
    """A line of the page in pieces; a value knows its key."""
    keys = {id(entry.value.run): entry.label.first for entry in scene.entries if entry.value.start == 0}
    parts: list[tuple[str, Groups]] = []
    for span in scene.lines[number]:
        pieces: list[tuple[str, Groups]] = looking(span)
        key = keys.get(id(span.run))
        if key is not None:
            pieces = [(text, (groups[0], (key,))) for text, groups in pieces]
        if parts:
            pieces[0] = (" " + pieces[0][0], pieces[0][1])
        parts += pieces
    return parts


def written(scene: PageScene) -> str:
    """All text of the page in small letters."""
    return "\n".join(scene.text(number) for number in range(len(scene.lines))).lower()


def is_told(scene: PageScene, key: Key) -> bool:
    """Whether the page says something that could be taken for the value of the key, so that nobody can call it absent."""
    text = written(scene)
    if any(word.lower() in text for word in (key.en, key.zh, key.asked)):
        return True
    kinds = {entry.key.kind for entry in scene.entries if entry.key is not None}
    listed = any(entry.key is None for entry in scene.entries)
    if key.kind == "money" and key.field != "tax":
        return "money" in kinds or listed
    if key.field in ("name", "contact", "owner"):
        return bool(kinds & WHO) or listed
    if key.field in ("number", "order_number"):
        return bool(kinds & {"code", "phone"})
    return listed and key.field in ("item", "quantity", "pieces", "grade", "score")


def absent_key(rng: Random, scene: PageScene) -> Key | None:
    """A key of which the page says nothing; None where chance finds none."""
    found = [key for key in rng.sample(entries.KEYS, 4) if not is_told(scene, key)]
    return found[0] if found else None
