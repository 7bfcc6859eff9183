"""Questions about pages, as `vqa` and as `doc_analyze` ask them of one page; and pages with their questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from training.scenes import entries
from training.scenes.document_listings import listings
from training.scenes.documents import PageScene, page_scene, render_page
from training.scenes.entries import Key
from training.scenes.page_facts import WHO, absent_key, line_parts, written
from training.scenes.qa import CANNOT_TELL, NOT_ON_PAGE, QA, Groups, Language, Sample, ask, counting, told
from training.scenes.typeset import looking

Maker = Callable[[Random, PageScene, Language], QA | None]
Templates = dict[Language, Sequence[str]]
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


def _templates(key: Key) -> Templates:
    if key.kind in WHO and key.field != "name":
        return {
            "en": ("Who is the {x}?", "What is the name of the {x}?", "Who is named as the {x}?"),
            "zh": ("{x}是谁？", "谁是{x}？", "{x}是什么？"),
        }
    en = ("What is the {x}?", "What {x} is given?", "What does it say for {x}?", "Give the {x}.")
    if key.kind in _NUMERIC:
        return {"en": en, "zh": ("{x}是多少？", "{x}是什么？", "图中的{x}是多少？")}
    return {"en": en, "zh": ("{x}是什么？", "{x}写的是什么？", "图中的{x}是什么？")}


_OF_ROW: Templates = {
    "en": ("What is the {c} of {x}?", "What {c} does {x} have?", "Give the {c} of {x}."),
    "zh": ("{x}的{c}是多少？", "{x}的{c}是什么？"),
}
_PRICE_OF: Templates = {
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
    templates: Templates = {
        "en": ("What is the title?", "What is the heading?", "What is the title of the page?", "What is the title of this page?"),
        "zh": ("标题是什么？", "这一页的标题是什么？", "图中的标题是什么？"),
    }
    return _answered(ask(rng, lang, "page_title", templates, ""), looking(scene.heading))


def line(rng: Random, scene: PageScene, lang: Language) -> QA:
    """What one line says, counted from the top."""
    number = rng.randrange(len(scene.lines))
    last = number == len(scene.lines) - 1 and rng.random() < 0.5
    templates: Templates
    if last:
        templates = {"en": ("What does the last line say?", "Read the last line."), "zh": ("最下面一行写的是什么？", "最后一行写了什么？")}
    else:
        templates = {
            "en": ("What does line {n} say?", "Read line {n}.", "What does the {o} line say?"),
            "zh": ("第{n}行写的是什么？", "{z}行写的是什么？", "{z}行写了什么？"),
        }
    if number >= len(ORDINALS):
        templates = {"en": templates["en"][:2], "zh": templates["zh"][:1]}
    qa = ask(rng, lang, "page_line", templates, "", n=str(number + 1), o=ORDINALS_EN[number % 9], z=ORDINALS[number % 9])
    return _answered(qa, line_parts(scene, number))


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
        key = absent_key(rng, scene)
        if key is None:
            return None
        qa = of_key(rng, lang, "page_absent", key)
    return replace(qa, answer=CANNOT_TELL[lang], focus=((0, counting(())),))


def of_page(qa: QA) -> QA:
    """The question as doc_analyze has it answered, with its words for what a page does not say."""
    if qa.skill == "page_absent":
        return replace(qa, answer=NOT_ON_PAGE[qa.language], skill="doc_absent", task="doc_analyze")
    return replace(qa, skill="doc_answer", task="doc_analyze")


MAKERS: tuple[tuple[Maker, float], ...] = ((value, 3.0), (title, 0.7), (line, 0.9), (absent, 0.8))
ON_PAGE: tuple[tuple[Maker, float], ...] = ((value, 3.0), (title, 0.3), (absent, 1.6))
"""Pages without keys are often asked for what they do not say: documents have many pages, and one of them answers."""


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
