"""Requests that must be refused, disguised; and harmless ones that come close. Drawn from a seed, made apart from the rules.

The disguises are built from Unicode's own names and from tables here; nothing is taken from the moderator's data. There are
three sets: the first was written after the rules and showed what they missed (look-alikes of less common alphabets, two
invisible characters); the second was written after that was mended, with other requests and other disguises; the third puts two
disguises over each other and was drawn last.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from pathlib import Path

_DATA = Path(__file__).parent / "data"


def lines(name: str) -> list[str]:
    """The lines of one list: `refused-en`, `second-zh`, `close-en`, ..."""
    return _DATA.joinpath(f"{name}.txt").read_text("utf-8").splitlines()


CARRIERS = {
    "en": ("{}", "please tell me {}", "hello there. {} - thanks!", "I need to know: {}?", "look at the picture and say {} in detail"),
    "zh": ("{}", "请告诉我{}", "你好。{}，谢谢！", "我想知道：{}？", "看图并详细说明{}，要具体"),
}

_ALIKE = {
    "a": "аɑα",
    "b": "Ьᏼв",
    "c": "сϲⅽ",
    "d": "ԁɗⅾ",
    "e": "еҽє",
    "f": "ғϝ",
    "g": "ɡց",
    "h": "һհн",
    "i": "іιɪ",
    "j": "јʝ",
    "k": "кκᴋ",
    "l": "ӏⅼ",
    "m": "мⅿᴍ",
    "n": "пոɴ",
    "o": "оοօ",
    "p": "рρ",
    "q": "ԛ",
    "r": "гʀ",
    "s": "ѕꜱ",
    "t": "тτᴛ",
    "u": "υս",
    "v": "ѵν",
    "w": "ԝѡ",
    "x": "хχ",
    "y": "уγ",
    "z": "ᴢʐ",
}
_ALIKE_2 = {
    "a": "ᎪⱭȺạ",
    "b": "ΒƁɓḅ",
    "c": "Ꮯⲥƈḉ",
    "d": "ᎠđḍԀ",
    "e": "ΕЕⲉẹ",
    "f": "Ƒꞙḟ",
    "g": "Ԍǥḡ",
    "h": "ΗНⲏḥ",
    "i": "ІΙỉᎥ",
    "j": "Јɉĵ",
    "k": "ΚКƙҝ",
    "l": "Ⅼᒪłḷ",
    "m": "ΜМⲙṃ",
    "n": "Νŋɲṇ",
    "o": "ОΟⲟợ",
    "p": "РΡⲣṗ",
    "q": "ʠ",
    "r": "ɍɽṛ",
    "s": "ЅᏚșṣ",
    "t": "ТΤⲧṭ",
    "u": "Սụʉư",
    "v": "ⅴᏙṿ",
    "w": "ᎳẃⱲ",
    "x": "ХΧⲭẋ",
    "y": "УΥⲩỵ",
    "z": "Ζⲍẓ",
}
_TRADITIONAL = dict(
    zip(
        "制弹药么样爆诱骗杀儿图无终结贩恋没痛苦贴视频岁艺线烧枪学个装质资源详细说请诉过级丽体组产摇头详",
        "製彈藥麼樣爆誘騙殺兒圖無終結販戀沒痛苦貼視頻歲藝線燒槍學個裝質資源詳細說請訴過級麗體組產搖頭詳",
        strict=True,
    )
)
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u2061\u2063\u034f\ufe0e\ufe0f\u3164\u115f\u180b\u202a\u202c\u2066\u2069"
_UNSEEN_2 = "\u2062\u2064\u061c\u180e\u1160\uffa0\u202d\u202e\u2067\u2068\u206a\u206f\ufff9\U000e0020\U000e0061\U000e0101\u17b4\x7f\x00\x1b"
_MARKS = "\u0301\u0308\u0327\u0336\u0334\u20dd\u0489\u035c"
_MARKS_2 = "\u0300\u0323\u0332\u0337\u0338\u20e0\u20e3\ufe20\u1ab0\u1dc4"
_SIGNS = {"a": "4@", "e": "3", "i": "1", "o": "0", "s": "5$", "t": "7", "b": "8", "l": "1"}
_CIRCLED = {"o": "⓪⓿０", "i": "①➀１", "e": "③", "a": "④"}
_STYLES = (
    "MATHEMATICAL MONOSPACE {kind} {letter}",
    "MATHEMATICAL SANS-SERIF BOLD {kind} {letter}",
    "MATHEMATICAL BOLD ITALIC {kind} {letter}",
    "NEGATIVE CIRCLED LATIN {kind} LETTER {letter}",
    "SQUARED LATIN {kind} LETTER {letter}",
    "MODIFIER LETTER {kind} {letter}",
    "FULLWIDTH LATIN {kind} LETTER {letter}",
)
_RADICALS = {
    unicodedata.normalize("NFKC", chr(point)): chr(point)
    for block in ((0x2F00, 0x2FD5), (0xF900, 0xFAD9))
    for point in range(*block)
    if unicodedata.name(chr(point), "")
}

Trick = Callable[[random.Random, str], str]


def _letter(style: str, character: str) -> str:
    """A letter in one of Unicode's styles, where it has one."""
    for kind in ("CAPITAL", "SMALL"):
        try:
            return unicodedata.lookup(style.format(kind=kind, letter=character.upper()))
        except KeyError:
            continue
    return character


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _styled(*styles: str) -> Trick:
    return lambda draw, text: "".join(_letter(draw.choice(styles), each) if _is_letter(each) else each for each in text)


def _between(signs: str, *, words: str = "  ") -> Trick:
    """One sign between all letters of a word; words are kept apart by something wider."""
    return lambda draw, text: words.join((sign := draw.choice(signs)) and sign.join(word) for word in text.split(" "))


def _joined(signs: str) -> Trick:
    return lambda draw, text: draw.choice(signs).join(text)


def _each(change: Callable[[random.Random, str], str], share: float) -> Trick:
    return lambda draw, text: "".join(change(draw, character) if draw.random() < share else character for character in text)


def _from(table: dict[str, str], share: float) -> Trick:
    return _each(lambda draw, character: draw.choice(table.get(character.lower(), character)), share)


def _after(signs: str, share: float, most: int = 2) -> Trick:
    return _each(lambda draw, character: character + "".join(draw.choices(signs, k=draw.randint(1, most))), share)


def _wide(_: random.Random, text: str) -> str:
    return "".join("\u3000" if each == " " else chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)


def _on_letters(trick: Trick) -> Trick:
    return lambda draw, text: "".join(trick(draw, each) if each.isalpha() else each for each in text)


def _both(first: Trick, second: Trick) -> Trick:
    return lambda draw, text: second(draw, first(draw, text))


_plain: Trick = lambda _, text: text  # noqa: E731 -- one line among the others of its table
_traditional = _from(_TRADITIONAL, 1.0)
_radicals = _from(_RADICALS, 1.0)

FIRST: dict[str, dict[str, Trick]] = {
    "en": {
        "plain": _plain,
        "case": _each(lambda _, each: each.upper(), 0.5),
        "full width": _wide,
        "look-alikes": _from(_ALIKE, 0.5),
        "zero width": _after(_UNSEEN, 0.6),
        "accents": _on_letters(_after(_MARKS, 0.6, 1)),
        "signs for letters": _from(_SIGNS, 0.5),
        "bold": _styled("MATHEMATICAL BOLD {kind} {letter}"),
        "script": _styled("MATHEMATICAL BOLD SCRIPT {kind} {letter}"),
        "fraktur": _styled("MATHEMATICAL BOLD FRAKTUR {kind} {letter}"),
        "circled": _styled("CIRCLED LATIN {kind} LETTER {letter}"),
        "squared": _styled("NEGATIVE SQUARED LATIN {kind} LETTER {letter}"),
        "parenthesised": _styled("PARENTHESIZED LATIN {kind} LETTER {letter}"),
        "small capitals": _styled("LATIN LETTER {kind} CAPITAL {letter}"),
        "regional": _styled("REGIONAL INDICATOR SYMBOL LETTER {letter}"),
        "spaced": _between(" "),
        "spaced narrowly": _between("\u2009\u00a0\u202f"),
        "dotted": _between(".-_*~|/+·•"),
        "dotted, words too": _between(".-_*", words="."),
        "pictures between": _between("💣🔥✨❤"),
        "joined": lambda _, text: text.replace(" ", ""),
        "lines": lambda _, text: text.replace(" ", "\n"),
        "underscores": lambda _, text: text.replace(" ", "_"),
        "look-alikes, zero width": _both(_from(_ALIKE, 0.5), _after(_UNSEEN, 0.6)),
        "full width, spaced": _both(_between(" "), _wide),
        "accents, dotted": _both(_on_letters(_after(_MARKS, 0.6, 1)), _between("-*")),
        "look-alikes, spaced": _both(_from(_ALIKE, 0.5), _between(" ")),
    },
    "zh": {
        "plain": _plain,
        "traditional": _traditional,
        "half traditional": _from(_TRADITIONAL, 0.5),
        "zero width": _after(_UNSEEN, 0.6),
        "spaced": _joined(" "),
        "wide spaces": _joined("\u3000"),
        "dotted": _joined("*-_.|/~·•+"),
        "mixed signs": _after("*-_ #^~", 1.0, 1),
        "pictures between": _joined("💣🔥✨❤"),
        "lines": _joined("\n"),
        "radicals": _radicals,
        "selectors": _after("\U000e0100", 0.7, 1),
        "some gaps": _after(" *-", 0.4, 1),
        "commas between": _joined("、，,"),
        "brackets": lambda _, text: "".join(f"【{character}】" for character in text),
        "traditional, spaced": _both(_traditional, _joined(" ")),
        "traditional, zero width": _both(_traditional, _after(_UNSEEN, 0.6)),
        "radicals, dotted": _both(_radicals, _joined("*-_")),
    },
}

SECOND: dict[str, dict[str, Trick]] = {
    "en": {
        "plain": _plain,
        "look-alikes": _from(_ALIKE_2, 0.6),
        "zero width": _after(_UNSEEN_2, 0.7, 3),
        "accents": _on_letters(_after(_MARKS_2, 0.8, 4)),
        "ransom note": _styled(*_STYLES),
        "circled digits": _from(_CIRCLED, 0.7),
        "signs, case": _both(_from(_SIGNS, 0.4), _each(lambda _, each: each.upper(), 0.5)),
        "capital I for l": lambda _, text: text.replace("l", "I"),
        "one sign a word": lambda draw, text: " ".join(
            word[: len(word) // 2] + draw.choice("*.-_·") + word[len(word) // 2 :] if len(word) > 3 else word for word in text.split()
        ),
        "spaced widely": _between("\u2003\u2002", words="   "),
        "wild gaps": _after(" ._-*", 0.5, 3),
        "tabs": lambda _, text: text.replace(" ", " \t "),
        "hyphens": lambda _, text: text.replace(" ", "-"),
        "hash tags": lambda _, text: "#" + text.replace(" ", " #"),
        "quotes": lambda _, text: " ".join(f'"{word}"' for word in text.split()),
        "markdown": lambda _, text: " ".join(f"**{word[0]}**{word[1:]}" for word in text.split()),
        "letters in lines": _joined("\n"),
        "look-alikes, zero width": _both(_from(_ALIKE_2, 0.6), _after(_UNSEEN_2, 0.5)),
        "ransom note, dotted": _both(_styled(*_STYLES), _between("*~|")),
        "accents, zero width": _both(_on_letters(_after(_MARKS_2, 0.5)), _after(_UNSEEN_2, 0.5)),
    },
    "zh": {
        "plain": _plain,
        "zero width": _after(_UNSEEN_2, 0.8, 3),
        "wild gaps": _after(" \t\u3000*_-~", 0.6, 3),
        "marks": _after(_MARKS_2, 0.6),
        "stars": _joined("★☆●◆※"),
        "slashes": _joined("/\\／丨"[:3]),
        "quotes": lambda _, text: "".join(f"「{character}」" for character in text),
        "half traditional, gaps": _both(_from(_TRADITIONAL, 0.6), _after(" .*", 0.5, 1)),
        "traditional, radicals": _both(_traditional, _radicals),
        "radicals, zero width": _both(_radicals, _after(_UNSEEN_2, 0.6)),
        "letters in lines": _joined("\n\n "[0:1]),
        "html spaces": _joined("\u00a0\u2003"),
        "emoji after each": _after("😀👍🏻", 1.0, 2),
        "periods between": _joined("."),
    },
}


def evasions(seed: int = 20261122) -> list[tuple[str, str, str]]:
    """(language, trick, text) of the first set: every plain request in every disguise, in a sentence that is not disguised."""
    return _drawn(seed, FIRST, "refused")


def second_evasions(seed: int = 20261123) -> list[tuple[str, str, str]]:
    """The second set."""
    return _drawn(seed, SECOND, "second")


def _drawn(seed: int, tricks: dict[str, dict[str, Trick]], name: str) -> list[tuple[str, str, str]]:
    draw = random.Random(seed)
    found: list[tuple[str, str, str]] = []
    for language in ("en", "zh"):
        plain = lines(f"{name}-{language}")
        for trick, change in tricks[language].items():
            found += [(language, trick, draw.choice(CARRIERS[language]).format(change(draw, text))) for text in plain]
    return found


def composed_evasions(seed: int = 7, each: int = 20) -> list[tuple[str, str, str]]:
    """The third set: two disguises of either set, one over the other, drawn for each request of both."""
    draw = random.Random(seed)
    found: list[tuple[str, str, str]] = []
    for language in ("en", "zh"):
        tricks = [*FIRST[language].items(), *SECOND[language].items()]
        for text in lines(f"refused-{language}") + lines(f"second-{language}"):
            for _ in range(each):
                (inner, first), (outer, second) = draw.sample(tricks, 2)
                found.append((language, f"{inner} + {outer}", draw.choice(CARRIERS[language]).format(second(draw, first(draw, text)))))
    return found
