"""Words that are printed in charts and on text crops.

What is printed must be read, not recalled: beside the usual sets, labels are drawn from many words, from random letters and digits, and
with one character of another label changed (Jun and Jul, B and 8).
"""

from __future__ import annotations

import string
from random import Random

LABEL_SETS: tuple[tuple[str, ...], ...] = (
    tuple("ABCDEFGH"),
    ("Q1", "Q2", "Q3", "Q4"),
    ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    ("Tea", "Milk", "Rice", "Fish", "Book", "Car", "Bus", "Dog", "Cat", "Pen", "Cup", "Hat"),
    ("2021", "2022", "2023", "2024", "2025"),
)
LABEL_SETS_ZH: tuple[tuple[str, ...], ...] = (
    ("一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月"),
    ("甲", "乙", "丙", "丁"),
    ("东", "西", "南", "北"),
    ("茶", "米", "鱼", "书"),
)
MORE_SETS: tuple[tuple[str, ...], ...] = (
    ("North", "South", "East", "West"),
    ("Ruby", "Opal", "Jade", "Gold", "Iron", "Zinc", "Steel"),
    ("Rome", "Oslo", "Lima", "Bonn", "Cairo", "Paris", "Delhi", "Kyoto", "Perth", "Milan", "Turin", "Quito", "Accra", "Dakar"),
    ("Tom", "Ann", "Ben", "Eva", "Max", "Kim", "Leo", "Mia", "Zoe", "Sam", "Ian", "Una", "Lily", "Jack", "Emma", "Noah"),
    ("Apple", "Pear", "Plum", "Fig", "Lime", "Kiwi", "Date", "Nut", "Corn", "Bean", "Pea", "Egg", "Ham", "Oil", "Salt", "Bread"),
    ("Gas", "Coal", "Wind", "Solar", "Hydro", "Wood", "Water", "Heat", "Steam"),
    ("Bike", "Train", "Taxi", "Boat", "Ship", "Plane", "Tram", "Truck", "Van", "Metro", "Ferry"),
    ("Desk", "Lamp", "Chair", "Sofa", "Bed", "Door", "Rug", "Shelf", "Phone", "Watch", "Radio", "Paper", "Ink", "Glue"),
    ("Math", "Art", "Music", "Sport", "Latin", "Maths", "Bio", "Chem", "Law"),
    ("Rent", "Food", "Tax", "Fuel", "Gifts", "Bank", "Shop", "Other", "Total", "Misc"),
    ("Men", "Women", "Boys", "Girls", "Kids", "Teens", "Old", "Young", "New"),
    ("Bear", "Lion", "Wolf", "Fox", "Owl", "Duck", "Goat", "Cow", "Pig", "Hen", "Crab", "Swan", "Mole"),
    ("H1", "H2", "W1", "W2", "W3", "W4", "P1", "P2", "S1", "S2", "T1", "T8", "B3", "B8"),
)
MORE_SETS_ZH: tuple[tuple[str, ...], ...] = (
    ("一季", "二季", "三季", "四季"),
    ("上", "下", "左", "右"),
    ("一年", "二年", "三年", "四年", "五年"),
    ("大米", "小米", "大鱼", "小鱼", "书本"),
)
TITLES = ("Sales", "Profit", "Cost", "Visits", "Score", "Rain", "Users", "Output")
TITLES_ZH = ("销量", "利润", "成本", "得分")
MORE_TITLES = ("Income", "Orders", "Price", "Growth", "Trips", "Hours", "Staff", "Demand", "Stock", "Votes", "Speed", "Power", "Exports")
MORE_TITLES_ZH = ("数量", "高度", "分数", "大小", "数值")
SERIES = (
    ("Sales", "Cost"),
    ("Plan", "Real"),
    ("Men", "Women"),
    ("2023", "2024", "2025"),
    ("A", "B", "C"),
    ("East", "West", "North"),
    ("Old", "New"),
    ("In", "Out"),
    ("Tea", "Milk", "Rice"),
    ("Q1", "Q2", "Q3"),
    ("This", "Last"),
)
SERIES_ZH = (("销量", "成本"), ("甲", "乙", "丙"), ("东", "西", "南"), ("上年", "本年"), ("一月", "二月", "三月"), ("茶", "米", "鱼"))
UNITS = ("kg", "t", "km", "m", "min", "h", "USD", "EUR", "k")
UNITS_ZH = ("个", "年", "度", "分", "米")
# Of charts: those whose labels are random, or of the further sets, and those where one label is made to look like another. More of these
# make better readers of those who have the time; a small model learns the usual labels first.
RANDOM_SHARE, FURTHER_SHARE, ALIKE_SHARE = 0.06, 0.2, 0.06
# What random labels are made of; without signs that are one in some fonts (I l 1, O 0).
_CAPITALS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_SMALL = "abcdefghijkmnopqrstuvwxyz"
_VOWELS, _CONSONANTS = "aeiou", "bcdfghjkmnprstvwz"
_CJK = "甲乙丙丁一二三四五六七八九十月季度东西南北年日茶米鱼书"
_ALIKE = {
    "1": "7", "7": "1", "3": "8", "8": "3B6", "6": "85", "5": "6", "9": "0", "0": "9", "B": "8RD", "n": "lm", "l": "n", "m": "n",
    "E": "F", "F": "E", "P": "R", "R": "P", "C": "G", "G": "C", "a": "eo", "e": "ac", "c": "e", "o": "a", "u": "n", "V": "Y", "Y": "V",
    "O": "Q", "Q": "O", "M": "N", "N": "M", "b": "d", "d": "b", "p": "g", "g": "p", "i": "j", "r": "n", "t": "f", "D": "B",
    "K": "X", "X": "K",
    "一": "二", "二": "三", "三": "二", "六": "八", "八": "六", "月": "日", "日": "月", "七": "九", "九": "七", "四": "西", "西": "四",
}  # fmt: skip


def _random_label(rng: Random, longest: int, shape: float) -> str:
    """One label; `shape` in 0..1 is how labels of one chart are made alike."""
    if shape < 0.2:
        return rng.choice(_CAPITALS) + rng.choice("23456789")
    if shape < 0.35:
        return "".join(rng.choice(_CAPITALS) for _ in range(min(longest, rng.choice((2, 2, 3)))))
    if shape < 0.45 and longest > 2:
        return rng.choice(_CAPITALS) + "".join(rng.choice("23456789") for _ in range(2))
    if shape < 0.55:
        return str(rng.randint(2, 99) if longest < 4 or shape < 0.5 else rng.randint(1950, 2049))
    word = rng.choice(_CAPITALS)
    for _ in range(min(longest, rng.choice((3, 3, 4, 4, 5, 6))) - 1):
        word += rng.choice(_CONSONANTS if word[-1] in "aeiouAEU" else _VOWELS)
    return word


def _random_labels(rng: Random, count: int, longest: int) -> list[str]:
    found: list[str] = []
    shape, cjk = rng.random(), rng.random() < 0.2
    size = rng.choice((1, 2, 2)) if cjk else 0
    while len(found) < count:
        label = "".join(rng.choice(_CJK) for _ in range(size)) if cjk else _random_label(rng, longest, shape)
        if label not in found:
            found.append(label)
    return found


def alike(rng: Random, label: str) -> str:
    """The label with one character exchanged, for one that looks alike where there is one."""
    places = [place for place, char in enumerate(label) if char in _ALIKE]
    if places and rng.random() < 0.7:
        place = rng.choice(places)
        return label[:place] + rng.choice(_ALIKE[label[place]]) + label[place + 1 :]
    place = rng.randrange(len(label))
    char = label[place]
    group = string.digits if char.isdigit() else _CAPITALS if char.isupper() else _SMALL if char.islower() else _CJK
    return label[:place] + rng.choice(group) + label[place + 1 :]


def labels(rng: Random, count: int, longest: int = 4, longest_zh: int = 2) -> list[str]:
    """`count` different labels of at most `longest` characters (Chinese ones `longest_zh`); series such as months keep their order."""
    roll = rng.random()
    if roll < RANDOM_SHARE:
        found = _random_labels(rng, count, longest)
    else:
        zh = rng.random() < 0.25
        groups = (LABEL_SETS_ZH if zh else LABEL_SETS) if roll > RANDOM_SHARE + FURTHER_SHARE else MORE_SETS_ZH if zh else MORE_SETS
        most = longest_zh if zh else longest
        usable = [found for group in groups if len(found := [label for label in group if len(label) <= most]) >= count]
        if not usable:
            found = _random_labels(rng, count, longest)
        elif rng.random() < 0.5:
            group = rng.choice(usable)
            start = rng.randint(0, len(group) - count)
            found = group[start : start + count]
        else:
            found = rng.sample(rng.choice(usable), count)
    if count > 1 and rng.random() < ALIKE_SHARE:
        first, second = rng.sample(range(count), 2)
        other = alike(rng, found[first])
        if other not in found:
            found[second] = other
    return found


def title(rng: Random, longest: int, zh_share: float = 0.35) -> str:
    """A title of at most `longest` Latin characters (a Chinese one counts two)."""
    if rng.random() < zh_share:
        text = rng.choice(TITLES_ZH + MORE_TITLES_ZH)
        if rng.random() < 0.2 and longest >= 9:
            text = f"{rng.randint(2015, 2030)}年{text}"
        return text
    text = rng.choice(TITLES + MORE_TITLES)
    roll = rng.random()
    if roll < 0.15 and len(text) + 5 <= longest:
        text = f"{text} {rng.randint(2015, 2030)}"
    elif roll < 0.3 and len(text) + 7 <= longest:
        text = f"{text} by {rng.choice(('day', 'team', 'city', 'year'))}"
    return text if len(text) <= longest else rng.choice(("Rain", "Cost"))


def series(rng: Random, count: int, taken: list[str]) -> list[str]:
    """Names for `count` series, none of them a label."""
    for _ in range(20):
        group = rng.choice(SERIES_ZH if any(ord(char) > 0x2E80 for char in taken[0]) else SERIES)
        usable = [name for name in group if name not in taken]
        if len(usable) >= count:
            start = rng.randint(0, len(usable) - count)
            return usable[start : start + count]
    return _random_labels(rng, count, 4)


def every_label() -> list[str]:
    return [label for group in LABEL_SETS + LABEL_SETS_ZH for label in group]
