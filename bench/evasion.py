"""How well the shipped rules stand against disguises: `python bench/evasion.py [--missed]`.

The requests (tests/data/evasion/, 60 a language), the ordinary questions beside them (300 a language) and the disguises below
were made by someone who had seen neither the rules nor the normalisation nor any other corpus of this project. What the first run
said stands in docs/guide/security.md. The rules were mended after it, so every later run is a check against going back, and no
measurement any more. The second set of requests was written by the same person before that, and first run when it was done.

Two kinds of disguise are told apart: other ways of writing the same letters, which the rules are to see through, and other letters
(masked, swapped, spelt by sound), which they do not claim to.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from sightline.moderation.rules import Rules, shipped

DATA = Path(__file__).parents[1] / "tests" / "data" / "evasion"
Language = Literal["en", "zh"]
Disguise = Callable[[str, random.Random], str]

# --- Letters in other dress ---------------------------------------------------------------------------------------------------

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_LOOKALIKES = {
    "a": "аɑα⍺", "b": "ЬᏏƅ", "c": "сϲᴄⅽ", "d": "ԁɗⅾ", "e": "еҽℯ", "f": "ƒꞙ", "g": "ɡցǥ", "h": "һℎհ", "i": "іιɪⅰ", "j": "јϳ", "k": "κкƙ",
    "l": "ⅼӏɩ", "m": "мⅿ", "n": "пոɴ", "o": "оοօᴏ", "p": "рρϼ", "q": "ԛգ", "r": "гᴦꭇ", "s": "ѕꜱ", "t": "тτᴛ", "u": "υսᴜ", "v": "νѵᴠ",
    "w": "ѡԝᴡ", "x": "хⅹ×", "y": "уγყ", "z": "ᴢʐ",
    "A": "АΑᎪ", "B": "ВΒᏴꓐ", "C": "СᏟⲤ", "D": "ᎠꓓⅮ", "E": "ЕΕᎬ", "G": "Ԍ", "H": "НΗᎻ", "I": "ІΙӀ", "K": "КΚᏦ", "L": "ᏞⅬ", "M": "МΜᎷ",
    "N": "Νꓠ", "O": "ОΟՕ", "P": "РΡᏢ", "S": "ЅՏᏚ", "T": "ТΤᎢ", "W": "ԜᎳ", "X": "ХΧ", "Y": "ΥҮ",
}  # fmt: skip
_SMALL = dict(zip(_LOWER, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡxʏᴢ", strict=True))
_RAISED = dict(zip(_LOWER, "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖqʳˢᵗᵘᵛʷˣʸᶻ", strict=True))
_ACCENTED = {"a": "áàâäãå", "c": "çćč", "e": "éèêëę", "i": "íìîï", "n": "ñńň", "o": "óòôöõ", "s": "śšş", "u": "úùûü", "y": "ýÿ", "z": "žźż"}
_LEET = {"a": "4@", "b": "8", "e": "3", "g": "9", "i": "1", "l": "1", "o": "0", "s": "5$", "t": "7", "z": "2"}
_SIGNS = {**_LEET, "i": "1!", "l": "1|", "t": "7+"}
_INVISIBLE = (
    "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad\u034f\u180e\u115f\u3164\uffa0\u2800\ufe0f\U000e0061\U000e0100\u061c\u17b4"
)
_DIRECTIONS = "\u200e\u200f\u202a\u202c\u202d\u2066\u2068\u2069"
_PICTURES = ("🔥", "💥", "✨", "🧪", "👨‍🔬", "❤️", "🇨🇳", "👍🏽")
_MARKS = "-_*/|~·•^=+:;,'`"
_MATHS = (0x1D400, 0x1D434, 0x1D468, 0x1D4D0, 0x1D56C, 0x1D5A0, 0x1D5D4, 0x1D63C, 0x1D670)
"""Where capitals begin in alphabets of mathematics without holes (but for one): bold, italic, script, fraktur, sans serif, typewriter."""


def _each(change: Callable[[str, random.Random], str]) -> Disguise:
    return lambda text, draw: "".join(change(character, draw) for character in text)


def _between(gap: Callable[[random.Random], str]) -> Disguise:
    """Something between neighbouring letters of a word."""

    def disguise(text: str, draw: random.Random) -> str:
        out = ""
        for here, after in zip(text, text[1:] + " ", strict=True):
            out += here + (gap(draw) if here.isalnum() and after.isalnum() else "")
        return out

    return disguise


def _maths(character: str, draw: random.Random) -> str:
    if not (character.isascii() and character.isalpha()):
        return character
    capital = draw.choice(_MATHS)
    found = chr(capital + ord(character) - 65) if character.isupper() else chr(capital + 26 + ord(character) - 97)
    return "ℎ" if found == "\U0001d455" else found  # the one that stood elsewhere before


def _enclosed(character: str, draw: random.Random) -> str:
    if not (character.isascii() and character.isalpha()):
        return character
    place = ord(character.lower()) - 97
    return chr(draw.choice((0x24D0, 0x24B6, 0x249C, 0x1F130, 0x1F150, 0x1F170, 0x1F1E6)) + place)


def _wide(character: str, _: random.Random) -> str:
    return chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else "\u3000" if character == " " else character


def _table(table: dict[str, str], share: float = 1.0) -> Disguise:
    def change(character: str, draw: random.Random) -> str:
        choice = table.get(character) or table.get(character.lower())
        return draw.choice(choice) if choice and draw.random() < share else character

    return _each(change)


def _pile(character: str, draw: random.Random) -> str:
    return character + "".join(chr(draw.randrange(0x300, 0x370)) for _ in range(draw.randint(1, 4))) if character.isalnum() else character


def _stretched(character: str, draw: random.Random) -> str:
    return character * draw.choice((1, 2, 3, 5)) if character.isalpha() and character.lower() in "aeioumnrs" else character


def _broken(text: str, draw: random.Random) -> str:
    """Lines that end inside words."""
    cut = [word if len(word) < 4 else f"{word[: len(word) // 2]}-\n{word[len(word) // 2 :]}" for word in text.split(" ")]
    return draw.choice((" ", "\n")).join(cut)


def _marked_up(text: str, draw: random.Random) -> str:
    words = text.split(" ")
    return " ".join(f"{word[:1]}**{word[1:2]}**{draw.choice(('_', '__', '~~'))}{word[2:]}" for word in words)


def _buried(text: str, draw: random.Random) -> str:
    """In the middle of something long and harmless."""
    zh = not text.isascii()
    around = clean("zh" if zh else "en")
    before, after = draw.sample(around, 12), draw.sample(around, 12)
    gap = "" if zh else " "
    return gap.join((*before, text, *after))


_WRITTEN_ANEW: dict[str, Disguise] = {
    "letters apart": lambda text, _: "   ".join(" ".join(word) for word in text.split(" ")),
    "dots between letters": _between(lambda _: "."),
    "marks between letters": _between(lambda draw: draw.choice(_MARKS)),
    "pictures between letters": _between(lambda draw: draw.choice(_PICTURES)),
    "invisible characters": _between(lambda draw: "".join(draw.choices(_INVISIBLE, k=draw.randint(1, 3)))),
    "marks of direction": _between(lambda draw: draw.choice(_DIRECTIONS)),
    "piled accents": _each(_pile),
    "full width": _each(_wide),
    "marked up": _marked_up,
    "buried in a long text": _buried,
}
_LATIN: dict[str, Disguise] = {
    **_WRITTEN_ANEW,
    "no spaces": lambda text, _: text.replace(" ", ""),
    "letters of mathematics": _each(_maths),
    "circled and squared letters": _each(_enclosed),
    "look-alikes, half": _table(_LOOKALIKES, 0.5),
    "look-alikes, all": _table(_LOOKALIKES),
    "small capitals": _table(_SMALL),
    "raised letters": _table(_RAISED),
    "accented letters": _table(_ACCENTED),
    "digits for letters": _table(_LEET, 0.7),
    "digits and ! | + for letters": _table(_SIGNS, 0.7),
    "mixed case": _each(lambda character, draw: draw.choice((character.upper(), character.lower()))),
    "stretched letters": _each(_stretched),
    "words broken over lines": _broken,
}

# --- The same in Chinese ------------------------------------------------------------------------------------------------------

_TRADITIONAL = dict(
    zip(
        "么里弹制请诉状骤药烧样来枪给气养从车压锅遥装摇头学罂炼开写鸦杀会结较几种让残别发现楼败无办过饿儿图恋网链关于说张买视频诱骗个亵帮资",
        "麼裡彈製請訴狀驟藥燒樣來槍給氣養從車壓鍋遙裝搖頭學罌煉開寫鴉殺會結較幾種讓殘別發現樓敗無辦過餓兒圖戀網鏈關於說張買視頻誘騙個褻幫資",
        strict=True,
    )
)
_RADICALS = dict(
    zip(
        "一人儿几土女子小己方无比气片甘生用网自色里高麻裸洛弄不量年列了料流林什喝海车",
        "\u2f00\u2f08\u2f09\u2f0f\u2f1f\u2f25\u2f26\u2f29\u2f30\u2f45\u2f46\u2f50\u2f53\u2f5a\u2f62\u2f63\u2f64\u2f79\u2f83\u2f8a\u2fa5\u2fbc\u2fc7\uf912\uf915\uf943\uf967\uf97e\uf98e\uf99c\uf9ba\uf9be\uf9ca\uf9f4\uf9fd\ufa36\ufa45\u2ecb",
        strict=True,
    )
)
"""Radicals and compatibility ideographs, which look the same."""

_HAN: dict[str, Disguise] = {
    **_WRITTEN_ANEW,
    "traditional": _table(_TRADITIONAL),
    "radicals for characters": _table(_RADICALS),
    "in brackets": _each(lambda character, draw: f"{draw.choice('【「〔《')}{character}{draw.choice('】」〕》')}"),
    "one character a line": lambda text, _: "\n".join(text),
    "variants of characters": _each(lambda character, draw: character + chr(0xE0100 + draw.randrange(16))),
    "traditional, marks between": lambda text, draw: _between(lambda d: d.choice("，。、·※★"))(_table(_TRADITIONAL)(text, draw), draw),
    "capitals and full width": lambda text, draw: _each(_wide)(text.upper(), draw),
    "spaced wide": lambda text, _: "\u3000".join(text),
}

# --- Other letters: not claimed -----------------------------------------------------------------------------------------------


def _word(change: Callable[[str, random.Random], str]) -> Disguise:
    return lambda text, draw: " ".join(change(word, draw) if len(word) > 3 else word for word in text.split(" "))


def _masked(word: str, _: random.Random) -> str:
    place = next((place for place, letter in enumerate(word) if place and letter in "aeiou"), None)
    return word if place is None else f"{word[:place]}*{word[place + 1 :]}"


def _swapped(word: str, draw: random.Random) -> str:
    place = draw.randrange(1, len(word) - 2)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


_SOUNDS = {"炸": "zha", "弹": "dan", "毒": "du", "杀": "sha", "枪": "qiang", "药": "yao", "死": "si", "色": "se", "裸": "luo", "冰": "bing",
           "童": "tong", "吊": "diao", "割": "ge", "残": "can"}  # fmt: skip
_SAME_SOUND = {
    "弹": "蛋",
    "毒": "渎",
    "杀": "沙",
    "枪": "腔",
    "药": "要",
    "死": "4",
    "色": "涩",
    "裸": "果",
    "冰": "兵",
    "童": "铜",
    "残": "惨",
}
_TAKEN_APART = {
    "弹": "弓单",
    "枪": "木仓",
    "冰": "冫水",
    "裸": "衣果",
    "残": "歹戋",
    "性": "忄生",
    "烧": "火尧",
    "炸": "火乍",
    "腕": "月宛",
}

_OTHER: dict[Language, dict[str, Disguise]] = {
    "en": {
        "a vowel masked": _word(_masked),
        "letters swapped": _word(_swapped),
        "without vowels": _word(lambda word, _: word[0] + "".join(letter for letter in word[1:] if letter not in "aeiou")),
        "backwards": lambda text, _: text[::-1],
    },
    "zh": {
        "some in pinyin": lambda text, _: "".join(_SOUNDS.get(character, character) for character in text),
        "same sound": lambda text, _: "".join(_SAME_SOUND.get(character, character) for character in text),
        "taken apart": lambda text, _: "".join(_TAKEN_APART.get(character, character) for character in text),
        "backwards": lambda text, _: text[::-1],
    },
}
_SAME: dict[Language, dict[str, Disguise]] = {"en": _LATIN, "zh": _HAN}


def written_anew(language: Language) -> dict[str, Disguise]:
    """The disguises that write the same letters in another way, by their names."""
    return _SAME[language]


# --- Reading and counting -----------------------------------------------------------------------------------------------------


def requests(language: Language, name: str = "requests") -> Iterator[tuple[str, str]]:
    """Each request of a set (`requests` or `second`) with its category."""
    category = ""
    for line in _lines(f"{name}-{language}.txt"):
        if line.startswith("["):
            category = line.strip("[]")
        else:
            yield category, line


def clean(language: Language) -> list[str]:
    """Ordinary questions."""
    return list(_lines(f"clean-{language}.txt"))


def close(language: Language) -> list[str]:
    """Harmless sentences that come close."""
    return list(_lines(f"close-{language}.txt"))


def _lines(name: str) -> Iterator[str]:
    return (line for line in (DATA / name).read_text("utf-8").splitlines() if line and not line.startswith("#"))


def disguised(name: str, disguise: Disguise, text: str) -> str:
    """The same in every run."""
    return disguise(text, random.Random(f"{name}:{text}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--missed", action="store_true", help="also show what was not refused, and what was wrongly")
    show = parser.parse_args().missed
    rules = Rules(shipped())
    for language in ("en", "zh"):
        measure(rules, language, show)


def measure(rules: Rules, language: Language, show: bool) -> None:
    asked = list(requests(language))
    seen = [text for category, text in asked if (match := rules.find(text)) and match.category == category]
    print(f"\n{language}: of {len(asked)} requests as they are, {len(seen)} are refused in their category: {len(seen) / len(asked):.1%}")
    for category in dict.fromkeys(category for category, _ in asked):
        own = [text for each, text in asked if each == category]
        print(f"  {category:<14}{sum(text in seen for text in own):>3} of {len(own)}")
        if show:
            print("".join(f"      {text}\n" for text in own if text not in seen), end="")
    second = list(requests(language, "second"))
    missed = [text for _, text in second if not rules.find(text)]
    print(f"  of the second set {len(second) - len(missed)} of {len(second)} are refused: {1 - len(missed) / len(second):.1%}")
    if show:
        print("".join(f"      {text}\n" for text in missed), end="")
    groups = (("the same letters, written anew", _SAME[language]), ("other letters (not claimed)", _OTHER[language]))
    for title, disguises in groups:
        print(f"  {title:<34}all requests    those refused undisguised")
        every, known = [0, 0], [0, 0]
        for name, disguise in disguises.items():
            caught = {text for _, text in asked if rules.find(disguised(name, disguise, text))}
            kept = sum(text in caught for text in seen)
            print(f"    {name:<32}{len(caught) / len(asked):>7.1%} {kept / len(seen):>20.1%}")
            if show:
                print("".join(f"      {disguised(name, disguise, text)!r}\n" for text in seen if text not in caught), end="")
            every = [every[0] + len(caught), every[1] + len(asked)]
            known = [known[0] + kept, known[1] + len(seen)]
        print(f"    {'together':<32}{every[0] / every[1]:>7.1%} {known[0] / known[1]:>20.1%}")
    two = [(f"{one} + {other}", _over(_SAME[language][one], _SAME[language][other])) for one, other in _pairs(language)]
    caught = sum(bool(rules.find(disguised(name, disguise, text))) for name, disguise in two for text in seen)
    print(f"    {f'{len(two)} pairs, one over the other':<32}{'':>7} {caught / len(two) / len(seen):>20.1%}")
    wrong = [text for text in clean(language) if rules.find(text)]
    print(f"  ordinary questions refused: {len(wrong)} of {len(clean(language))} ({len(wrong) / len(clean(language)):.1%})")
    near = [text for text in close(language) if rules.find(text)]
    print(f"  sentences that come close refused: {len(near)} of {len(close(language))}")
    tried = [
        disguised(name, disguise, text)
        for name, disguise in _SAME[language].items()
        if name != "buried in a long text"
        for text in clean(language)
    ]
    dressed = [text for text in tried if rules.find(text)]
    print(f"  ordinary questions in the disguises above refused: {len(dressed)} of {len(tried)} ({len(dressed) / len(tried):.2%})")
    if show:
        print("".join(f"      {text!r}\n" for text in [*wrong, *near, *dressed]), end="")


def _pairs(language: Language) -> list[tuple[str, str]]:
    names = list(_SAME[language])
    return random.Random(language).sample([(one, other) for one in names for other in names if one != other], 40)


def _over(first: Disguise, second: Disguise) -> Disguise:
    return lambda text, draw: second(first(text, draw), draw)


if __name__ == "__main__":
    sys.exit(main())
