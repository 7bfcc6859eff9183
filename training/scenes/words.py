"""A few words on paper, to be read aloud: labels, numbers, dates, codes and letters that make no word; and plain paper.

Most of what is written cannot be known beforehand, so that reading is learnt and not remembered.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from training.scenes import draw, entries, vocabulary
from training.scenes.degrade import degrade
from training.scenes.qa import QA, Groups, Language, Mark, absent, ask, caption, counting, reading, told
from training.scenes.typeset import Run, Sheet, looking, measure, print_sheet, whole

EMPTY_SHARE = 0.03
DEGRADED_SHARE = 0.3
SINGLE_SHARE = (0.7, 0.3)  # of low and of high pictures: one word
MOST_LINES = 4
_PITCH = 30  # px that a line needs
_LETTERS = "abcdefghijkmnopqrstuvwxyz"  # no small l beside digits and capitals: many fonts draw it as a 1 or an I
_CAPITALS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def word(rng: Random, held_out: bool = False) -> str:
    """One short text: a label, a number of any form, a code, a name or letters at random."""
    roll = rng.random()
    if roll < 0.16:
        return str(rng.randint(0, 99) if rng.random() < 0.7 else rng.randint(100, 9999))
    if roll < 0.36:
        return rng.choice(vocabulary.every_label() + list(vocabulary.TITLES + vocabulary.TITLES_ZH))
    if roll < 0.46:
        return _decimal(rng, held_out)
    if roll < 0.52:
        return entries.date(rng, held_out) if rng.random() < 0.7 else f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}"
    if roll < 0.6:
        return entries.code(rng, held_out)
    if roll < 0.72:
        return entries.pseudo_word(rng, capital=rng.random() < 0.5)
    if roll < 0.82:
        return _letters(rng)
    if roll < 0.9:
        return rng.choice((*entries.HEADINGS, *entries.HEADINGS_ZH))
    return entries.person(rng, rng.choice(("en", "zh")), held_out)


def _decimal(rng: Random, held_out: bool) -> str:
    number = f"{entries.number(rng, 999, held_out)}.{rng.randint(0, 99):0{rng.choice((1, 2))}}"
    return number + rng.choice(("", "", "%")) if rng.random() < 0.8 else entries.percent(rng, held_out)


def _letters(rng: Random) -> str:
    """Two to six letters that make no word: small ones, capitals, or a capital and small ones."""
    count, roll = rng.randint(2, 6), rng.random()
    small = "".join(rng.choice(_LETTERS) for _ in range(count))
    if roll < 0.4:
        return small
    if roll < 0.7:
        return "".join(rng.choice(_CAPITALS) for _ in range(count))
    return rng.choice(_CAPITALS) + small[1:]


def _line(rng: Random, held_out: bool) -> str:
    """One to three words."""
    roll = rng.random()
    if roll < 0.45:
        return word(rng, held_out)
    if roll < 0.75:
        return f"{word(rng, held_out)} {word(rng, held_out)}"
    return entries.prose(rng, rng.choice(("en", "en", "zh")), rng.randint(1, 3), held_out)


def lines(rng: Random, height: int, held_out: bool = False) -> tuple[str, ...]:
    """What is written on a picture `height` px high: nothing, one word, or some lines of words."""
    roll = rng.random()
    if roll < EMPTY_SHARE:
        return ()
    most = max(1, min(MOST_LINES, (height - 4) // _PITCH))
    if roll < SINGLE_SHARE[most > 2]:
        return (word(rng, held_out),)
    return tuple(_line(rng, held_out) for _ in range(rng.randint(min(2, most - 1) or 1, most)))


def word_scene(rng: Random, width: int, height: int, held_out: bool = False) -> tuple[NDArray[np.uint8], tuple[Run, ...], tuple[Mark, ...]]:
    """A picture of `width` x `height` px, its lines from the top, and their marks."""
    look = draw.setting(held_out)
    while True:
        texts = lines(rng, height, held_out)
        size = rng.randint(12, 22 if len(texts) == 1 else 18)
        latin, cjk = rng.choice(look.latin), rng.choice(look.cjk)
        fonts = [cjk if draw.is_cjk(text) else latin for text in texts]
        spare = width - 4 - max((measure(face, size, text) for face, text in zip(fonts, texts, strict=True)), default=0)
        if spare >= 0:
            break
    sheet = Sheet(width, height)
    if texts:
        room = (height - 2) / len(texts)
        pitch = rng.uniform(min(32.0, room), min(44.0, room)) if len(texts) > 1 else size + 4
        top = 1 + rng.uniform(0, height - 2 - pitch * len(texts))
        left = 2 + rng.uniform(0, spare)
        for number, (face, text) in enumerate(zip(fonts, texts, strict=True)):
            sheet.write(left, top + pitch * (number + 0.5), text, face, size)
    picture = print_sheet(rng, width, height, sheet.runs, look=look)
    return degrade(rng, picture, DEGRADED_SHARE), tuple(sheet.runs), tuple(sheet.marks)


def _parts(written: tuple[Run, ...]) -> list[tuple[str, Groups]]:
    parts: list[tuple[str, Groups]] = []
    for run in written:
        pieces = looking(whole(run))
        parts += [("\n" + pieces[0][0], pieces[0][1]), *pieces[1:]] if parts else pieces
    return parts


def _said(lang: Language, written: tuple[Run, ...]) -> list[tuple[str, Groups]]:
    """The text in pieces, or that there is none."""
    return _parts(written) or [(absent(lang, "文字" if lang == "zh" else "text"), counting(()))]


def read(rng: Random, written: tuple[Run, ...], lang: Language, short: bool) -> QA:
    """A question about the text, or, where `short` allows it, a caption."""
    if short and rng.random() < 0.15:
        return _caption(written, lang)
    if rng.random() < 0.06:
        x = rng.choice(draw.SHAPES)
        return ask(
            rng,
            lang,
            "absent",
            {"en": ("What colour is the {x}?", "Where is the {x}?"), "zh": ("{x}是什么颜色？", "{x}在哪里？")},
            absent(lang, x.zh if lang == "zh" else x.en),
            counting(()),
            x=x.zh if lang == "zh" else x.en,
        )
    qa = ask(
        rng,
        lang,
        "read",
        {
            "en": (
                "What does it say?",
                "Read the text.",
                "What is written here?",
                "What does the text say?",
                "Read all the text in the image.",
            ),
            "zh": ("写的是什么？", "读出图中的文字。", "图中写了什么？", "上面写着什么？"),
        },
        "",
    )
    answer, focus = told(_said(lang, written))
    return replace(qa, answer=answer, focus=focus)


def _caption(written: tuple[Run, ...], lang: Language) -> QA:
    if not written:
        return caption(lang, "short", [("一张空白的图片。" if lang == "zh" else "An empty image.", counting(()))])
    text: list[tuple[str, Groups]] = []
    for run in written:
        pieces = looking(whole(run))
        text += [((" " if text else "") + pieces[0][0], pieces[0][1]), *pieces[1:]]
    head, tail = ("图中的文字是", "。") if lang == "zh" else ("An image with the text ", ".")
    return caption(lang, "short", [(head, ()), *text, (tail, ())])


def transcript(written: tuple[Run, ...], lang: Language) -> QA:
    return reading(lang, "ocr", _said(lang, written))
