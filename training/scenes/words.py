"""A word or a number on paper, to be read aloud; and plain paper."""

from __future__ import annotations

from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.scenes import draw, vocabulary
from training.scenes.qa import QA, Groups, Language, Mark, absent, ask, caption, reading

LOOK: Groups = ((0,), (0,))  # both watched heads at the only mark


def word(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.3:
        return str(rng.randint(0, 99))
    if roll < 0.4:
        return str(rng.randint(100, 999))
    if roll < 0.8:
        return rng.choice(vocabulary.every_label()) if rng.random() < 0.4 else vocabulary.labels(rng, 1, 6, 3)[0]
    if roll < 0.9:
        return rng.choice(vocabulary.TITLES + vocabulary.TITLES_ZH)
    return f"{rng.choice(vocabulary.every_label())} {rng.randint(0, 99)}"


def render_word(rng: Random, text: str, width: int, height: int) -> tuple[NDArray[np.uint8], Mark] | None:
    """The text somewhere in a picture of `width` x `height` px; None when it does not fit."""
    image = Image.new("RGB", (width, height), rng.choice(draw.BACKGROUNDS))
    face = draw.pick_font(rng, rng.randint(12, 22), draw.is_cjk(text))
    left, top, right, bottom = draw.text_box(face, text)
    if right - left > width or bottom - top > height:
        return None
    at = (rng.randint(0, width - right + left) - left, rng.randint(0, height - bottom + top) - top)
    ImageDraw.Draw(image).text(at, text, fill=rng.choice(draw.INKS), font=face)
    return np.asarray(image), Mark(at[0] + (left + right) / 2, at[1] + (top + bottom) / 2, text)


def read(rng: Random, text: str, lang: Language, short: bool) -> QA:
    """A question about the text, or, where `short` allows it, a caption."""
    if short and rng.random() < 0.15:
        if lang == "zh":
            return caption(lang, "short", [(f"图中的文字是{text}。" if text else "一张空白的图片。", LOOK)])
        return caption(lang, "short", [(f"An image with the text {text}." if text else "An empty image.", LOOK)])
    if rng.random() < 0.06:
        x = rng.choice(draw.SHAPES)
        return ask(
            rng,
            lang,
            "absent",
            {"en": ("What colour is the {x}?", "Where is the {x}?"), "zh": ("{x}是什么颜色？", "{x}在哪里？")},
            absent(lang, x.zh if lang == "zh" else x.en),
            x=x.zh if lang == "zh" else x.en,
        )
    return ask(
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
        text or absent(lang, "文字" if lang == "zh" else "text"),
        focus=LOOK if text else (),
    )


def transcript(text: str, lang: Language) -> QA:
    return reading(lang, "ocr", [(text or absent(lang, "文字" if lang == "zh" else "text"), LOOK if text else ())])
