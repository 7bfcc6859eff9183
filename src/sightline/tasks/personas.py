"""Personas: in whose shoes the model answers, and what its reader has to be told about that.

A persona is a text file for each language, `<name>.<language>.txt`: a head of `key: value` lines between two lines of dashes,
and below it what the model is told. Those that ship are in `personas/roles/`; an operator's lie in the folder of their own
(see `tasks.catalog`).

    ---
    title: Radiologist
    tasks: vqa, doc_analyze
    caveat: This is not a diagnosis. Have the images read by a physician.
    notice: not_a_diagnosis
    ---
    You are a radiologist ...
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from sightline.protocol.language import LANGUAGES, Bilingual, Language
from sightline.protocol.receipts import Notice

ANY_TASK = "*"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEYS = ("title", "tasks", "caveat", "notice")
_MOST_CHARACTERS = 8000


class FileMistake(Exception):
    """A task or persona file that cannot be used: the message names the file, the line, the key and what is wrong."""

    def __init__(self, file: str, line: int, key: str, reason: str) -> None:
        super().__init__(f"{file}, line {line}: {key}: {reason}")


@dataclass(frozen=True, slots=True)
class Persona:
    """`tasks` are those it suits, `*` for every one. `notice` stands in the warnings of every answer."""

    name: str
    title: Bilingual
    text: Bilingual
    tasks: frozenset[str]
    notice: Notice | None
    digest: str
    """Names its wording: part of every cache key."""

    def suits(self, task: str) -> bool:
        return task in self.tasks or ANY_TASK in self.tasks


@dataclass(frozen=True, slots=True)
class _Page:
    """One language of a persona."""

    head: Mapping[str, str]
    text: str


@functools.cache
def shipped_personas() -> dict[str, Persona]:
    """The personas of this package by their names."""
    folder = resources.files("sightline.personas").joinpath("roles")
    return read_personas({file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".txt")})


def read_personas(files: Mapping[str, str]) -> dict[str, Persona]:
    """The personas in some files (name to content), by their names. A language that is missing is lent the other's words.

    Raises `FileMistake`.
    """
    pages: dict[str, dict[Language, _Page]] = {}
    for file, content in sorted(files.items()):
        name, _, rest = file.partition(".")
        language: Language | None = next((each for each in LANGUAGES if rest == f"{each}.txt"), None)
        if language is None or not _NAME.fullmatch(name):
            raise FileMistake(file, 1, "name", "a persona's file is named like radiologist.en.txt or radiologist.zh.txt")
        pages.setdefault(name, {})[language] = _read(file, content)
    return {name: _persona(name, found) for name, found in pages.items()}


def _persona(name: str, pages: Mapping[Language, _Page]) -> Persona:
    zh, en = pages.get("zh") or pages["en"], pages.get("en") or pages["zh"]
    caveat = Bilingual(zh.head.get("caveat", ""), en.head.get("caveat", ""))
    kind = zh.head.get("notice") or en.head.get("notice") or "caveat"
    tasks = {task.strip() for page in (zh, en) for task in page.head["tasks"].split(",")}
    digest = hashlib.sha256(repr((zh, en)).encode()).hexdigest()[:16]
    notice = Notice(kind, caveat) if any(caveat) else None
    return Persona(name, Bilingual(zh.head["title"], en.head["title"]), Bilingual(zh.text, en.text), frozenset(tasks), notice, digest)


def _read(file: str, content: str) -> _Page:
    lines = content.lstrip("\ufeff").splitlines()
    if not lines or set(lines[0].strip()) != {"-"}:
        raise FileMistake(file, 1, "head", "the first line must be ---, then come `key: value` lines, then --- again")
    head: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() and set(line.strip()) == {"-"}:
            text = "\n".join(lines[number:]).strip()
            if not text or len(text) > _MOST_CHARACTERS:
                raise FileMistake(file, number + 1, "text", f"{len(text)} characters; what the model is told takes 1..{_MOST_CHARACTERS}")
            for key in ("title", "tasks"):
                if not head.get(key):
                    raise FileMistake(file, number, key, "it is missing")
            return _Page(head, text)
        key, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or key.strip() not in _KEYS:
            raise FileMistake(file, number, key.strip()[:64], f"there is no such key; there are: {', '.join(_KEYS)}")
        head[key.strip()] = value.strip()
    raise FileMistake(file, len(lines), "head", "its end, a line ---, is missing")
