"""Long answers about a page: its text (`ocr`, and `doc_analyze` with output=markdown), its fields, captions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from training.scenes import entries
from training.scenes.documents import Entry, PageScene
from training.scenes.entries import Key
from training.scenes.page_facts import absent_key, line_parts
from training.scenes.qa import QA, Groups, Language, caption, counting, reading, told
from training.scenes.typeset import looking

FIELDS_PROMPT: dict[Language, str] = {
    "en": "Fill in the fields from this page of a document, as JSON. A field that the page does not say is null.",
    "zh": "根据文档的这一页填写各个字段，用JSON表示。这一页没有说明的字段填null。",
}


def transcript(scene: PageScene, lang: Language) -> QA:
    """The task ocr, and doc_analyze with output=markdown, which asks the same: all lines in their order."""
    parts: list[tuple[str, Groups]] = []
    for number in range(len(scene.lines)):
        pieces = line_parts(scene, number)
        if parts:
            pieces[0] = ("\n" + pieces[0][0], pieces[0][1])
        parts += pieces
    return reading(lang, "ocr", parts)


def fields(rng: Random, scene: PageScene, lang: Language) -> QA | None:
    """doc_analyze with output=fields: one to four fields, with null for what the page does not say."""
    present = [(entry.key, entry) for entry in scene.entries if entry.key is not None]
    wanted: list[tuple[Key, Entry | None]] = [*rng.sample(present, rng.randint(min(1, len(present)), min(3, len(present))))]
    for _ in range(1 if not wanted else rng.choice((0, 0, 1, 1, 2))):
        key = absent_key(rng, scene)
        if key is not None and all(key is not other for other, _ in wanted):
            wanted.append((key, None))
    if not wanted:
        return None
    rng.shuffle(wanted)
    printed, typed = rng.random() < 0.3, rng.random() < 0.85
    lines = [FIELDS_PROMPT[lang]]
    parts: list[tuple[str, Groups]] = []
    for index, (key, entry) in enumerate(wanted):
        name = key.printed(scene.language) if printed else key.field
        plain = key.kind in entries.NUMBERS and not (typed and rng.random() < 0.1)
        kind = "number" if plain else "string"
        lines.append(f"- {name}: {kind}" if typed else f"- {name}")
        parts.append((f"{',' if index else '{'}{json.dumps(name, ensure_ascii=False)}:", ()))
        if entry is None:
            parts.append(("null", counting(())))
            continue
        pieces = looking(entry.value, entry.label.first)
        if plain:
            pieces = [(entries.as_number(text), groups) for text, groups in pieces]
        else:
            pieces = [('"' + pieces[0][0], pieces[0][1]), *pieces[1:]]
            pieces.append(('"', ()))
        parts += pieces
    answer, focus = told([*parts, ("}", ())])
    return QA("\n".join(lines), answer, "fields", lang, "doc_analyze", focus)


def schema_of(text: str) -> dict[str, Any]:
    """The schema that a question of `fields` comes from: the caller's fields, one in a line, `- name: type`."""
    lines = [line.removeprefix("- ").partition(": ") for line in text.splitlines()[1:]]
    return {"type": "object", "properties": {name: {"type": kind} if kind else {} for name, _, kind in lines}}


_SORTS: dict[str, dict[Language, str]] = {
    "form": {"en": "A form", "zh": "表格"},
    "bill": {"en": "A bill", "zh": "账单"},
    "table": {"en": "A table", "zh": "表格"},
    "text": {"en": "A page of text", "zh": "文字"},
    "Invoice": {"en": "An invoice", "zh": "发票"},
    "Receipt": {"en": "A receipt", "zh": "收据"},
}
_SORTS |= {"发票": _SORTS["Invoice"], "收据": _SORTS["Receipt"]}


def _sort(scene: PageScene, lang: Language) -> str:
    """What sort of page it is: `An invoice`, 发票."""
    return _SORTS.get(scene.heading.text if scene.heading else "", _SORTS[scene.style])[lang]


def short(scene: PageScene, lang: Language) -> QA:
    """A caption: what sort of page, what is on it, from whom, over how much."""
    zh, total, seller = lang == "zh", scene.value_of("total"), scene.value_of("seller")
    sort = _sort(scene, lang)
    parts: list[tuple[str, Groups]]
    if scene.style == "bill" and total is not None:
        amount = looking(total.value, total.label.first)
        giver = looking(seller.value, seller.label.first) if seller else []
        if zh:
            parts = [("一张", ()), *giver, ("的" if giver else "", ()), ("总额为", ()), *amount, (f"的{sort}。", ())]
        else:
            parts = [(sort, ()), (" from " if giver else "", ()), *giver, (" with a total of ", ()), *amount, (".", ())]
    elif scene.heading is not None:
        name = looking(scene.heading)
        parts = [("一页标题为", ()), *name, (f"的{sort}。", ())] if zh else [(f"{sort} with the title ", ()), *name, (".", ())]
    else:
        count = len(scene.lines)
        parts = [(f"一页{sort}，有{count}行。" if zh else f"{sort} with {count} lines.", ())]
    return caption(lang, "short", [part for part in parts if part[0]])


def detailed(scene: PageScene, lang: Language) -> QA:
    """The caption, then all that is written on the page."""
    brief = short(scene, lang)
    parts: list[tuple[str, Groups]] = []
    for number in range(len(scene.lines)):
        pieces = line_parts(scene, number)
        pieces[0] = (("；" if lang == "zh" else "; ") * bool(parts) + pieces[0][0], pieces[0][1])
        parts += pieces
    body = caption(lang, "detailed", [("写着：" if lang == "zh" else " It says: ", ()), *parts, ("。" if lang == "zh" else ".", ())])
    offset = len(brief.answer)
    return replace(body, answer=brief.answer + body.answer, focus=(*brief.focus, *((offset + at, groups) for at, groups in body.focus)))


def listings(rng: Random, scene: PageScene, lang: Callable[[], Language]) -> list[QA]:
    """The long answers of a page: its text, its fields or a caption."""
    roll = rng.random()
    if roll < 0.42:
        return [transcript(scene, lang())]
    if roll < (0.82 if scene.style in ("form", "bill") else 0.5):
        found = {qa.text: qa for qa in (fields(rng, scene, lang()), fields(rng, scene, lang())) if qa is not None}
        return list(found.values())
    return [(short if roll < 0.97 else detailed)(scene, lang())]
