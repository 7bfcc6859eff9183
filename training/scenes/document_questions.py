"""Questions about pages: `vqa`, what `doc_analyze` asks of one page, its fields, `ocr` and captions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from training.scenes import entries
from training.scenes.documents import Entry, PageScene, page_scene, render_page
from training.scenes.entries import Key
from training.scenes.qa import CANNOT_TELL, NOT_ON_PAGE, QA, Groups, Language, Sample, ask, caption, counting, reading, told
from training.scenes.typeset import looking

Maker = Callable[[Random, PageScene, Language], QA | None]
FIELDS_PROMPT: dict[Language, str] = {
    "en": "Fill in the fields from this page of a document, as JSON. A field that the page does not say is null.",
    "zh": "根据文档的这一页填写各个字段，用JSON表示。这一页没有说明的字段填null。",
}
_WHO = frozenset({"person", "company"})
_NUMERIC = frozenset({"count", "age", "money", "percent", "phone", "weight"})
MOST_ABSENT = 2
LISTING_SHARE = 0.85  # of pages without a system message
_SAME_LANGUAGE = 0.8  # of questions, where both languages are asked
ORDINALS = ("第一", "第二", "第三", "第四", "第五", "第六", "第七", "第八", "第九")
ORDINALS_EN = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


def _answered(qa: QA, parts: Sequence[tuple[str, Groups]]) -> QA:
    """The question with its answer in pieces, each with where it stands."""
    answer, focus = told(parts)
    return replace(qa, answer=answer, focus=focus)


def _templates(key: Key) -> dict[Language, tuple[str, ...]]:
    if key.kind in _WHO and key.field != "name":
        return {
            "en": ("Who is the {x}?", "What is the name of the {x}?", "Who is named as the {x}?"),
            "zh": ("{x}是谁？", "谁是{x}？", "{x}是什么？"),
        }
    en = ("What is the {x}?", "What {x} is given?", "What does it say for {x}?", "Give the {x}.")
    if key.kind in _NUMERIC:
        return {"en": en, "zh": ("{x}是多少？", "{x}是什么？", "图中的{x}是多少？")}
    return {"en": en, "zh": ("{x}是什么？", "{x}写的是什么？", "图中的{x}是什么？")}


_OF_ROW: dict[Language, tuple[str, ...]] = {
    "en": ("What is the {c} of {x}?", "What {c} does {x} have?", "Give the {c} of {x}."),
    "zh": ("{x}的{c}是多少？", "{x}的{c}是什么？"),
}
_PRICE_OF: dict[Language, tuple[str, ...]] = {
    "en": ("How much is the {x}?", "What is the price of {x}?", "How much is {x}?", "What does {x} cost?"),
    "zh": ("{x}多少钱？", "{x}的价格是多少？", "{x}的单价是多少？"),
}


def of_key(rng: Random, lang: Language, skill: str, key: Key) -> QA:
    """Asks for the value of a key; the answer is left to the caller."""
    return ask(rng, lang, skill, _templates(key), "", x=key.name(lang))


def of_row(rng: Random, lang: Language, skill: str, name: str, column: Key) -> QA:
    """Asks what a column says of a thing or a person; the answer is left to the caller."""
    if column.field == "price":
        return ask(rng, lang, skill, _PRICE_OF, "", x=name)
    return ask(rng, lang, skill, _OF_ROW, "", x=name, c=column.name(lang))


def value(rng: Random, scene: PageScene, lang: Language) -> QA | None:
    """What the page says for a key, or in a cell of its table."""
    if not scene.entries:
        return None
    keyed = [e for e in scene.entries if e.key is not None]
    entry = rng.choice(keyed if keyed and rng.random() < 0.6 else scene.entries)
    if entry.key is not None:
        qa = of_key(rng, lang, "page_value", entry.key)
    else:
        qa = of_row(rng, lang, "page_value", entry.label.text, entry.column)
    return _answered(qa, looking(entry.value, entry.label.first))


def title(rng: Random, scene: PageScene, lang: Language) -> QA | None:
    if scene.heading is None:
        return None
    templates: dict[Language, tuple[str, ...]] = {
        "en": ("What is the title?", "What is the heading?", "What is the title of the page?", "What is the title of this page?"),
        "zh": ("标题是什么？", "这一页的标题是什么？", "图中的标题是什么？"),
    }
    return _answered(ask(rng, lang, "page_title", templates, ""), looking(scene.heading))


def line(rng: Random, scene: PageScene, lang: Language) -> QA:
    """What one line says, counted from the top."""
    number = rng.randrange(len(scene.lines))
    last = number == len(scene.lines) - 1 and rng.random() < 0.5
    templates: dict[Language, tuple[str, ...]]
    if last:
        templates = {"en": ("What does the last line say?", "Read the last line."), "zh": ("最下面一行写的是什么？", "最后一行写了什么？")}
    else:
        templates = {
            "en": ("What does line {n} say?", "Read line {n}.", "What does the {o} line say?"),
            "zh": ("第{n}行写的是什么？", "{z}行写的是什么？", "{z}行写了什么？"),
        }
    names = {"n": str(number + 1), "o": ORDINALS_EN[number % 9], "z": ORDINALS[number % 9]}
    if number >= len(ORDINALS):
        templates = {"en": templates["en"][:2], "zh": templates["zh"][:1]}
    return _answered(ask(rng, lang, "page_line", templates, "", **names), _line_parts(scene, number))


def _line_parts(scene: PageScene, number: int) -> list[tuple[str, Groups]]:
    """The line in pieces; a value knows its key."""
    keys = {id(entry.value.run): entry.label.first for entry in scene.entries if entry.value.start == 0}
    parts: list[tuple[str, Groups]] = []
    for span in scene.lines[number]:
        pieces = looking(span)
        key = keys.get(id(span.run))
        if key is not None:
            pieces = [(text, (groups[0], (key,))) for text, groups in pieces]
        if parts:
            pieces[0] = (" " + pieces[0][0], pieces[0][1])
        parts += pieces
    return parts


def transcript(scene: PageScene, lang: Language) -> QA:
    """The task ocr, and doc_analyze with output=markdown, which asks the same: all lines in their order."""
    parts: list[tuple[str, Groups]] = []
    for number in range(len(scene.lines)):
        pieces = _line_parts(scene, number)
        if parts:
            pieces[0] = ("\n" + pieces[0][0], pieces[0][1])
        parts += pieces
    return reading(lang, "ocr", parts)


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
        return bool(kinds & _WHO) or listed
    if key.field in ("number", "order_number"):
        return bool(kinds & {"code", "phone"})
    return listed and key.field in ("item", "quantity", "pieces", "grade", "score")


def _absent_key(rng: Random, scene: PageScene) -> Key | None:
    found = [key for key in rng.sample(entries.KEYS, 4) if not is_told(scene, key)]
    return found[0] if found else None


def absent(rng: Random, scene: PageScene, lang: Language) -> QA | None:
    """Asks for what the page does not say."""
    columns = [e.column for e in scene.entries if e.key is None]
    if columns and rng.random() < 0.6:
        column = rng.choice(columns)
        make = entries.person if column.field in ("age", "score") else entries.item
        name = make(rng, scene.language, False).split()[0]
        if name.lower() in written(scene):
            return None
        qa = of_row(rng, lang, "page_absent", name, column)
    else:
        key = _absent_key(rng, scene)
        if key is None:
            return None
        qa = of_key(rng, lang, "page_absent", key)
    return replace(qa, answer=CANNOT_TELL[lang], focus=((0, counting(())),))


def of_page(qa: QA) -> QA:
    """The question as doc_analyze has it answered, with its words for what a page does not say."""
    if qa.skill == "page_absent":
        return replace(qa, answer=NOT_ON_PAGE[qa.language], skill="doc_absent", task="doc_analyze")
    return replace(qa, skill="doc_answer", task="doc_analyze")


def fields(rng: Random, scene: PageScene, lang: Language) -> QA | None:
    """doc_analyze with output=fields: one to four fields, with null for what the page does not say."""
    present = [(entry.key, entry) for entry in scene.entries if entry.key is not None]
    wanted: list[tuple[Key, Entry | None]] = [*rng.sample(present, rng.randint(min(1, len(present)), min(3, len(present))))]
    for _ in range(1 if not wanted else rng.choice((0, 0, 1, 1, 2))):
        key = _absent_key(rng, scene)
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
        if not plain:
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
        pieces = _line_parts(scene, number)
        pieces[0] = (("；" if lang == "zh" else "; ") * bool(parts) + pieces[0][0], pieces[0][1])
        parts += pieces
    body = caption(lang, "detailed", [("写着：" if lang == "zh" else " It says: ", ()), *parts, ("。" if lang == "zh" else ".", ())])
    offset = len(brief.answer)
    return replace(body, answer=brief.answer + body.answer, focus=(*brief.focus, *((offset + at, groups) for at, groups in body.focus)))


MAKERS: tuple[tuple[Maker, float], ...] = ((value, 3.0), (title, 0.7), (line, 0.9), (absent, 0.8))
ON_PAGE: tuple[tuple[Maker, float], ...] = ((value, 3.0), (title, 0.3), (absent, 1.6))
"""Pages without keys are often asked for what they do not say: documents have many pages, and one of them answers."""


def listings(rng: Random, scene: PageScene, lang: Callable[[], Language]) -> list[QA]:
    """The long answers of a page: its text, its fields or a caption."""
    roll = rng.random()
    if roll < 0.42:
        return [transcript(scene, lang())]
    if roll < (0.82 if scene.style in ("form", "bill") else 0.5):
        found = {qa.text: qa for qa in (fields(rng, scene, lang()), fields(rng, scene, lang())) if qa is not None}
        return list(found.values())
    return [(short if roll < 0.97 else detailed)(scene, lang())]


def page_sample(
    rng: Random,
    width: int,
    height: int,
    questions: int,
    language: Language | None,
    mode: str,
    hard: bool = False,
    held_out: bool = False,
) -> Sample:
    """A page with about `questions` questions askable in `mode`; see `sampler.sample`."""
    home: Language = language if language is not None and rng.random() < _SAME_LANGUAGE else rng.choice(("en", "zh"))
    scene = page_scene(rng, width, height, home, hard, held_out)

    def lang() -> Language:
        other: Language = "en" if home == "zh" else "zh"
        return language or (home if rng.random() < _SAME_LANGUAGE else other)

    found: list[QA] = []
    if mode == "bare" and rng.random() < LISTING_SHARE:
        found = listings(rng, scene, lang)
        questions = max(1, questions - 3)  # they are long: fewer short questions beside them
    makers = ON_PAGE if mode == "doc" else MAKERS
    for _ in range(4 * questions):
        if len(found) < questions:
            qa = rng.choices([m for m, _ in makers], [w for _, w in makers])[0](rng, scene, lang())
            if qa is not None and _is_new(qa, found):
                found.append(qa)
    asked = tuple(of_page(qa) if mode == "doc" else qa for qa in found)
    return Sample((render_page(rng, scene),), asked, (scene.marks,))


def _is_new(qa: QA, found: Sequence[QA]) -> bool:
    """Whether nobody has asked that yet, in whatever words; what is not there is asked for in different ones, at most twice."""
    if qa.skill == "page_absent":
        return all(qa.text != other.text for other in found) and sum(qa.skill == other.skill for other in found) < MOST_ABSENT
    return all((qa.skill, qa.focus) != (other.skill, other.focus) for other in found)
