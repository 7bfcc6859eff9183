"""From what single pages said to one answer: none more to generate where the pages agree, else one over their notes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from sightline.prompt import Message, Prompt, Sampling, text_of
from sightline.protocol.receipts import Notice
from sightline.tasks.base import Context, Utterance, instruct
from sightline.tasks.documents.evidence import words_of
from sightline.tasks.documents.reading import Reading
from sightline.tasks.writing import Written

_ABSENT = ("not on this page", "本页没有")
"""What a page answers that does not say it: the words that `personas/doc_page` asks for."""
_MOST_EXCUSE = 120
"""Characters of such an answer, excuses included."""
_MOST_BYTES = 6000
"""Of the notes in one prompt: about 2000 tokens, which every model has room for."""
_NOTE_BYTES = 1500


@dataclass(frozen=True, slots=True)
class Note:
    """What one page, or several, say to the question. `pages` is as it stands in the prompt: `3` or `3, 5`."""

    pages: str
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer over all pages. `score` is 0..1, or None where it is not known."""

    text: str
    score: float | None
    cut: bool = False
    notices: tuple[Notice, ...] = ()


def says_nothing(text: str) -> bool:
    """Whether a page's answer is that the page does not say it."""
    plain = text.strip().strip("\"'“”「」*.。!！ ").lower()
    return not plain or (plain.startswith(_ABSENT) and len(plain) <= _MOST_EXCUSE)


async def conclude(ctx: Context, readings: Sequence[Reading], sampling: Sampling) -> Outcome:
    """One answer out of what several pages say, in their order.

    Where they say the same, that is it. Where they differ, a generation puts their notes together; one that shares no word
    with them was not made from them, and the notes themselves are the answer: at most one of them is right, and nobody knows which.
    """
    if agree(readings):
        surest = max(readings, key=lambda reading: reading.score or 0.0)
        return Outcome(surest.text, surest.score, surest.cut)
    notes = [Note(str(reading.page.number), reading.text) for reading in readings]
    while len(groups := _grouped(notes)) > 1:
        notes = [Note(", ".join(note.pages for note in group), await _joined(ctx, group, sampling)) for group in groups]
    answer = await _put_together(ctx, groups[0], sampling)
    # It cannot be surer than the surest thing that it is made of.
    scores = [reading.score for reading in readings]
    best = None if None in scores else max(score for score in scores if score is not None)
    if not words_of(answer.text) & {word for note in notes for word in words_of(note.text)}:
        return Outcome(_listed(ctx, notes), None if best is None else round(best / len({_plain(each.text) for each in readings}), 4))
    return replace(answer, score=None if answer.score is None or best is None else min(answer.score, best))


def agree(readings: Sequence[Reading]) -> bool:
    """Whether all say the same, apart from blanks, case and a full stop."""
    return len({_plain(reading.text) for reading in readings}) == 1


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".。").lower()


async def _joined(ctx: Context, group: Sequence[Note], sampling: Sampling) -> str:
    return group[0].text if len(group) == 1 else (await _put_together(ctx, group, sampling)).text


async def _put_together(ctx: Context, group: Sequence[Note], sampling: Sampling) -> Outcome:
    system = instruct(ctx, "doc_answer") or ""

    def ask(turns: Sequence[Utterance]) -> Prompt:
        return Prompt((Message("system", (system,)), Message("user", (f"{_listed(ctx, group)}\n\n{turns[-1].text}",))), sampling)

    written = Written()
    async with aclosing(written.follow(ctx.generate(ask, bare=True))) as pieces:
        async for _ in pieces:
            pass
    return Outcome(written.text.strip(), written.transcript.prose(), written.cut, written.notices)


def _listed(ctx: Context, notes: Sequence[Note]) -> str:
    """A line for every note, beginning with its pages."""
    label = text_of("page-number", ctx.language)
    blank = " " if ctx.language == "en" else ""
    return "\n".join(f"{label.format(number=note.pages)}{blank}{_cut(note.text)}" for note in notes)


def _grouped(notes: Sequence[Note]) -> list[list[Note]]:
    """The notes in order, in groups that fit one prompt; at least two in each but the last, so that every round leaves fewer."""
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
