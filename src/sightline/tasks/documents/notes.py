"""From what single pages said to one answer: no generation where the pages agree, else one over their notes, in groups where they are many."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from sightline.prompt import Message, Prompt, Sampling, text_of
from sightline.tasks.base import Context, Said, Utterance
from sightline.tasks.confidence import Score
from sightline.tasks.documents.reading import Reading

_ABSENT = ("not on this page", "本页没有")
"""What a page answers that does not say it: the words that `personas/doc_page` asks for."""
_MOST_EXCUSE = 120
"""Characters of such an answer, excuses included."""
_MOST_BYTES = 6000
"""Of the notes in one prompt: about 2000 tokens, which every model has room for."""
_NOTE_BYTES = 1500
SNIPPET = 300
"""Characters of a page's words in a citation."""


@dataclass(frozen=True, slots=True)
class Note:
    """What one page, or several, say to the question. `pages` is as it stands in the prompt: `3` or `3, 5`."""

    pages: str
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer over all notes."""

    text: str
    score: float | None
    finish: str


def says_nothing(text: str) -> bool:
    """Whether a page's answer is that the page does not say it."""
    plain = text.strip().strip("\"'“”「」*.。!！ ").lower()
    return not plain or (plain.startswith(_ABSENT) and len(plain) <= _MOST_EXCUSE)


def agreed(readings: Sequence[Reading]) -> Reading | None:
    """The surest of the readings where all say the same, else None."""
    if len({_plain(reading.text) for reading in readings}) != 1:
        return None
    return max(readings, key=lambda reading: reading.score or 0.0)


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".。").lower()


async def reduce(ctx: Context, readings: Sequence[Reading], sampling: Sampling) -> AsyncGenerator[Said | Outcome]:
    """One answer out of several pages' answers: told as it comes, and its `Outcome` last."""
    notes = [Note(str(reading.page.number), reading.text) for reading in readings]
    while len(groups := _grouped(notes)) > 1:
        notes = [Note(", ".join(note.pages for note in group), await _joined(ctx, group, sampling)) for group in groups]
    text: list[str] = []
    score, finish = Score(), "stop"
    async with aclosing(ctx.generate(lambda turns: _prompt(ctx, turns, groups[0], sampling), bare=True)) as deltas:
        async for delta in deltas:
            score.add(delta)
            finish = delta.finish or finish
            if delta.text:
                text.append(delta.text)
                yield Said(delta.text, delta.logprobs)
    yield Outcome("".join(text), score.prose(), finish)


async def _joined(ctx: Context, group: Sequence[Note], sampling: Sampling) -> str:
    if len(group) == 1:
        return group[0].text
    text = ""
    async with aclosing(ctx.generate(lambda turns: _prompt(ctx, turns, group, sampling), bare=True)) as deltas:
        async for delta in deltas:
            text += delta.text
    return text


def _prompt(ctx: Context, turns: Sequence[Utterance], group: Sequence[Note], sampling: Sampling) -> Prompt:
    said = "\n".join(f"{text_of('page-number', ctx.language).format(number=note.pages)} {_cut(note.text)}" for note in group)
    system = ctx.options.system or text_of("doc_answer", ctx.language)
    return Prompt((Message("system", (system,)), Message("user", (f"{said}\n\n{turns[-1].text}",))), sampling)


def _grouped(notes: Sequence[Note]) -> list[list[Note]]:
    """The notes in order, in groups that fit one prompt; at least two in each, so that every round leaves fewer."""
    groups: list[list[Note]] = [[]]
    room = _MOST_BYTES
    for note in notes:
        size = len(_cut(note.text).encode()) + len(note.pages)
        if size > room and len(groups[-1]) > 1:
            groups.append([])
            room = _MOST_BYTES
        groups[-1].append(note)
        room -= size
    return groups


def _cut(text: str) -> str:
    """The text on one line, within the bytes of a note."""
    return " ".join(text.split()).encode()[:_NOTE_BYTES].decode(errors="ignore")
