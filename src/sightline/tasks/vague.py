"""Questions that say nothing about what is wanted ("describe", "请分析一下"): told, with a better one beside them.

A question is vague when nothing is left of it once the words are gone that ask for no particular thing: politeness, verbs
such as *analyse* and *look*, nouns such as *picture* and *document*, and what holds a sentence together. Whatever names a
thing, a place, a number or a property ("Total?", "左上角是什么？") leaves something.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

from sightline.protocol.language import Bilingual, Language
from sightline.protocol.receipts import Notice
from sightline.tasks.base import Task


def _vocabulary(language: Language) -> list[str]:
    """The words that ask for nothing in particular, as they stand in `personas/vague/`."""
    return resources.files("sightline.personas").joinpath("vague", f"{language}.txt").read_text("utf-8").split()


_ENGLISH = frozenset(_vocabulary("en"))
_SPECIFIC = (
    re.compile(r"\bwhat (?:does|do|did) (?!you\b|i\b|we\b)[\w ]+ (?:say|read|mean|show)\b"),
    re.compile(r"\bhow (?:many|much|long|often|far|old|big|large|tall|high|wide|fast|hot|cold)\b"),
    re.compile(r"\bread (?:all|the|out|it|every)\b"),
    re.compile(r"\b(?:in|to|into) (?:english|chinese|one|two|three|a sentence)\b"),
)
"""What asks for something after all, although every word of it could stand in a vague question."""

_CHINESE = sorted(_vocabulary("zh"), key=len, reverse=True)
_HAN = re.compile(r"[\u3400-\u9fff]")
_EMPTY_HAN = re.compile("|".join(map(re.escape, _CHINESE)))
_WANTED_HAN = re.compile(r"(?:写|说|标|印)(?:的|着|了)(?:是)?(?:什么|啥)|读出|写出|翻译|多少|几[个张只条次]|哪|谁|何时|为什么")
"""The same for Chinese."""
_WORDS = re.compile(r"[a-z]+|\d+")
_VAGUE = Bilingual("问题比较笼统，回答可能不是您想要的。", "The question is general; the answer may not be what you are after.")
_BETTER = Bilingual("请说明想知道什么，例如：“{example}”", "Say what you want to know, for example: “{example}”")


def is_vague(text: str) -> bool:
    """Whether a question names nothing in particular. A text without words is none, and not vague."""
    plain = text.lower().replace("'s", " is").replace("’s", " is").replace("'", "")
    words = _WORDS.findall(plain)
    han = "".join(_HAN.findall(plain))
    if not words and not han:
        return False
    if any(form.search(plain) for form in _SPECIFIC) or _WANTED_HAN.search(plain):
        return False
    return all(word in _ENGLISH for word in words) and not _EMPTY_HAN.sub("", han)


def advise(task: Task, options: Any, text: str) -> Notice | None:
    """What to tell whoever asked a vague question, with a better one for the task; None where the question is clear."""
    if not task.examples or not task.asks(options) or not is_vague(text):
        return None
    return Notice("vague_question", _VAGUE, _BETTER.fill(example=task.examples[0].text))
