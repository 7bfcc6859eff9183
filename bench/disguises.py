"""Ways in which people write a request so that a list of words misses it; each is a function of the text and a source of chance.

Written before the normaliser was read, from what is publicly known of filters' weak points: invisible characters, look-alike letters,
widths and styles of Unicode, marks put over or between letters, spacing, digits for letters, doubled letters, swapped letters, text
turned round, and for Chinese traditional characters, homophones, syllables in Latin letters and characters taken apart.

`DISGUISES` are what moderation promises to see through; `BEYOND` are measured to know, and promised nowhere.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Mapping

Disguise = Callable[[str, random.Random], str]

_INVISIBLE = "\u200b\u200c\u200d\u2060\u00ad\ufeff\u180e\u2062\u2063\u2064\u034f\ufe0f\U000e0061"
_TWINS = str.maketrans("aceopxyijsdhkABCEHIKMOPTXYZ", "асеорхуіјѕԁһкΑΒСΕΗΙΚΜΟΡΤΧΥΖ")
_LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "b": "8", "g": "9"}
_SMALL_CAPITALS = str.maketrans("abcdefghijklmnoprtuvwz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡᴢ")
_EMOJI = "💣🔥😈🙂✨🌸👉💀"
_MARKS = "\u0301\u0308\u0323\u0336\u0332\u0300\u035c"
_PUNCTUATION_EN = ".-_*|~/"
_PUNCTUATION_ZH = "·.-*|、，~"
_WORD = re.compile(r"[A-Za-z]+")

# Words of the shipped categories as they are written to get round a filter. The left side is what is meant.
_SOUNDS = (
    ("炸弹", ("炸蛋", "zha弹", "炸dan")),
    ("炸药", ("炸葯", "zha药", "炸yao")),
    ("手枪", ("手qiang", "shou枪")),
    ("枪", ("qiang", "槍")),
    ("冰毒", ("冰du", "bing毒", "栤毒")),
    ("海洛因", ("海luo因", "海烙因")),
    ("可卡因", ("可ka因", "可咔因")),
    ("摇头丸", ("yao头丸", "摇头wan")),
    ("大麻", ("大ma", "大嘛")),
    ("毒品", ("du品", "毒pin")),
    ("自杀", ("自sha", "zi杀", "自鲨")),
    ("上吊", ("上diao", "shang吊")),
    ("割腕", ("割wan", "ge腕")),
    ("安眠药", ("安眠yao", "an眠药")),
    ("儿童", ("儿tong", "er童")),
    ("裸照", ("luo照", "裸zhao")),
    ("色情", ("se情", "涩情", "色qing")),
)
_PARTS = (
    ("炸", "火乍"),
    ("枪", "木仓"),
    ("弹", "弓单"),
    ("海", "氵每"),
    ("杀", "乂木"),
    ("儿童", "儿立里"),
    ("割", "害刂"),
    ("裸", "衤果"),
)


def _between(marks: str, share: float, letters: re.Pattern[str]) -> Disguise:
    """Puts one of `marks` after a letter with the chance `share`, never before a space."""

    def apply(text: str, chance: random.Random) -> str:
        out: list[str] = []
        for here, after in zip(text, text[1:] + " ", strict=True):
            out.append(here)
            if letters.match(here) and letters.match(after) and chance.random() < share:
                out.append(chance.choice(marks))
        return "".join(out)

    return apply


def _each(share: float, change: Callable[[str, random.Random], str]) -> Disguise:
    def apply(text: str, chance: random.Random) -> str:
        return "".join(change(one, chance) if chance.random() < share else one for one in text)

    return apply


def _words(share: float, change: Callable[[str, random.Random], str], least: int = 4) -> Disguise:
    """Changes a share of the words of at least `least` letters; always at least one."""

    def apply(text: str, chance: random.Random) -> str:
        spans = [word.span() for word in _WORD.finditer(text) if len(word[0]) >= least]
        if not spans:
            return text
        chosen = [span for span in spans if chance.random() < share] or [chance.choice(spans)]
        for start, end in reversed(chosen):
            text = text[:start] + change(text[start:end], chance) + text[end:]
        return text

    return apply


def _mathematical(text: str, chance: random.Random) -> str:
    lower = chance.choice((0x1D41A, 0x1D482, 0x1D4EA, 0x1D51E, 0x1D5BA, 0x1D68A))
    return "".join(chr(lower + ord(one) - 97) if "a" <= one <= "z" else one for one in text.lower())


def _full_width(text: str, chance: random.Random) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)


def _boxed(text: str, chance: random.Random) -> str:
    first = chance.choice((0x24B6, 0x1F130, 0x1F150, 0x1F170))
    return "".join(chr(first + ord(one) - 65) if "A" <= one <= "Z" else one for one in text.upper())


def _spaced(text: str, chance: random.Random) -> str:
    return "   ".join(" ".join(word) for word in text.split())


def _spaced_evenly(text: str, chance: random.Random) -> str:
    return " ".join(text.replace(" ", ""))


def _swap(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 2) if len(word) > 3 else 0
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _stretch(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word))
    return word[:at] + word[at] * chance.randint(2, 4) + word[at:]


def _mask_vowel(word: str, chance: random.Random) -> str:
    vowels = [at for at, one in enumerate(word) if one in "aeiou" and at > 0]
    if not vowels:
        return word
    at = chance.choice(vowels)
    return word[:at] + chance.choice("*#.") + word[at + 1 :]


def _traditional(text: str, chance: random.Random) -> str:
    return text.translate(_TRADITIONAL)


def _sounds(text: str, chance: random.Random) -> str:
    for meant, written in _SOUNDS:
        if meant in text:
            return text.replace(meant, chance.choice(written))
    return text


def _parts(text: str, chance: random.Random) -> str:
    for meant, written in _PARTS:
        text = text.replace(meant, written)
    return text


def _backwards(text: str, chance: random.Random) -> str:
    return text[::-1]


def _overridden(text: str, chance: random.Random) -> str:
    return "\u202e" + text[::-1] + "\u202c"


# Only characters of the unseen text's own subjects: a table by hand, not the normaliser's.
_TRADITIONAL = str.maketrans(
    "弹药枪么样怎制备杀万种网爱亲医买卖贩运导关孩儿诱骗图体发现头摇迷听话结痛写书问请过给告诉让东西电烧汽单处毁伤",
    "彈藥槍麼樣怎製備殺萬種網愛親醫買賣販運導關孩兒誘騙圖體發現頭搖迷聽話結痛寫書問請過給告訴讓東西電燒汽單處毀傷",
)

_LATIN = re.compile(r"[A-Za-z]")
_HAN = re.compile(r"[\u4e00-\u9fff]")

_BOTH: Mapping[str, Disguise] = {"full width": _full_width}

DISGUISES: Mapping[str, Mapping[str, Disguise]] = {
    "en": {
        "invisible characters": _between(_INVISIBLE, 0.6, _LATIN),
        "look-alike letters": _each(0.5, lambda one, chance: one.translate(_TWINS)),
        "mathematical letters": _mathematical,
        "boxed letters": _boxed,
        "small capitals": lambda text, chance: text.lower().translate(_SMALL_CAPITALS),
        "combining marks": _between(_MARKS, 0.7, _LATIN),
        "accents": _each(
            0.4, lambda one, chance: unicodedata.normalize("NFC", one + chance.choice("\u0301\u0308\u0302")) if one in "aeioun" else one
        ),
        "mixed case": _each(0.5, lambda one, chance: one.swapcase()),
        "spaced letters": _spaced,
        "evenly spaced": _spaced_evenly,
        "punctuation between": _between(_PUNCTUATION_EN, 1.0, _LATIN),
        "some punctuation": _between(_PUNCTUATION_EN, 0.4, _LATIN),
        "emoji between": _between(_EMOJI, 0.6, _LATIN),
        "digits for letters": _each(0.7, lambda one, chance: chance.choice(_LEET.get(one, one))),
        "stretched words": _words(0.5, _stretch),
        "lines": lambda text, chance: re.sub(r" ", "\n", text),
        **_BOTH,
    },
    "zh": {
        "invisible characters": _between(_INVISIBLE, 0.6, _HAN),
        "traditional": _traditional,
        "spaces": _between(" ", 1.0, _HAN),
        "some spaces": _between(" \u3000", 0.5, _HAN),
        "punctuation between": _between(_PUNCTUATION_ZH, 1.0, _HAN),
        "some punctuation": _between(_PUNCTUATION_ZH, 0.4, _HAN),
        "emoji between": _between(_EMOJI, 0.6, _HAN),
        "combining marks": _between(_MARKS, 0.7, _HAN),
        "lines": _between("\n", 0.5, _HAN),
        "sounds": _sounds,
        **_BOTH,
    },
}

BEYOND: Mapping[str, Mapping[str, Disguise]] = {
    "en": {
        "swapped letters": _words(0.5, _swap),
        "masked vowels": _words(0.5, _mask_vowel),
        "backwards": _backwards,
        "bidi override": _overridden,
    },
    "zh": {"taken apart": _parts, "backwards": _backwards, "bidi override": _overridden},
}
