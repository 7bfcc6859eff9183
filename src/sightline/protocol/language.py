"""The two languages in which the service speaks to people, and how one is chosen for a reader."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


class Bilingual(NamedTuple):
    """One sentence in Chinese and in English; braces in it are filled by `fill`."""

    zh: str
    en: str

    def pick(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en

    def fill(self, **values: object) -> Bilingual:
        """The sentence with its named gaps filled; a value that is `Bilingual` is filled in its own language."""
        return Bilingual(
            self.zh.format_map({name: _in(value, "zh") for name, value in values.items()}),
            self.en.format_map({name: _in(value, "en") for name, value in values.items()}),
        )


def _in(value: object, language: Language) -> object:
    return value.pick(language) if isinstance(value, Bilingual) else value


def from_accept_language(header: str | None) -> Language:
    """The reader's language by an `Accept-Language` header: the one of ours with the highest weight, English when none is named."""
    best: tuple[float, Language] = (0.0, "en")
    for entry in (header or "")[:500].split(","):
        tag, _, parameter = entry.partition(";")
        name, _, weight = parameter.strip().partition("=")
        try:
            quality = float(weight) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        for language in LANGUAGES:
            if tag.strip().lower().split("-")[0] == language and quality > best[0]:
                best = (quality, language)
    return best[1]


_HAN = re.compile("[\u3400-\u9fff]")


def of_text(text: str) -> Language | None:
    """The language a text is written in: Chinese as soon as it holds a Han character, None when it has no letters at all."""
    if not text.isascii() and _HAN.search(text):
        return "zh"
    return "en" if any(character.isalpha() for character in text) else None
