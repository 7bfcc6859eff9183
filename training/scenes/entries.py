"""What is printed on pages: keys with the kinds of their values, names, items, numbers, dates and codes.

`held_out` draws from names, letters and numbers that training never sees: lists of their own, numbers that begin with 4 and years
from 2027 on.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from random import Random
from typing import Literal

from training.scenes.qa import Language

ValueKind = Literal["count", "age", "money", "percent", "date", "time", "code", "phone", "weight", "person", "company", "city", "item"]
NUMBERS = frozenset({"count", "age", "money"})  # numbers in JSON as well


@dataclass(frozen=True)
class Key:
    """A key as it is printed in either language, as English asks for it, and the name of its field in a schema."""

    en: str
    zh: str
    asked: str
    field: str
    kind: ValueKind

    def printed(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en

    def name(self, language: Language) -> str:
        """As a question says it."""
        return self.zh if language == "zh" else self.asked


TOTAL = Key("Total", "总额", "total", "total", "money")
PRICE = Key("Price", "单价", "price", "price", "money")
KEYS: tuple[Key, ...] = (
    TOTAL,
    Key("Tax", "税额", "tax", "tax", "money"),
    PRICE,
    Key("Date", "日期", "date", "date", "date"),
    Key("No", "编号", "number", "number", "code"),
    Key("Name", "姓名", "name", "name", "person"),
    Key("Buyer", "买方", "buyer", "buyer", "person"),
    Key("Seller", "卖方", "seller", "seller", "company"),
    Key("City", "城市", "city", "city", "city"),
    Key("Phone", "电话", "phone", "phone", "phone"),
    Key("Weight", "重量", "weight", "weight", "weight"),
    Key("Qty", "数量", "quantity", "quantity", "count"),
    Key("Age", "年龄", "age", "age", "age"),
    Key("Room", "房间", "room", "room", "code"),
    Key("Time", "时间", "time", "time", "time"),
    Key("Score", "得分", "score", "score", "count"),
    Key("Rate", "比例", "rate", "rate", "percent"),
    Key("Item", "品名", "item", "item", "item"),
)
HELD_OUT_KEYS: tuple[Key, ...] = (
    Key("Grade", "等级", "grade", "grade", "count"),
    Key("Seat", "座位", "seat", "seat", "code"),
    Key("Cost", "成本", "cost", "cost", "money"),
    Key("Owner", "户主", "owner", "owner", "person"),
)
HARD_KEYS: tuple[Key, ...] = (
    Key("Order No", "订单号", "order number", "order_number", "code"),
    Key("Due date", "到期日", "due date", "due_date", "date"),
    Key("Subtotal", "小计", "subtotal", "subtotal", "money"),
    Key("Discount", "折扣", "discount", "discount", "percent"),
    Key("Contact", "联系人", "contact", "contact", "person"),
    Key("Pieces", "件数", "number of pieces", "pieces", "count"),
)
_FIRST = (
    "Ann",
    "Tom",
    "Eva",
    "Max",
    "Leo",
    "Amy",
    "Ben",
    "Kim",
    "Ray",
    "Sue",
    "Dan",
    "Ivy",
    "Paul",
    "Nina",
    "Hugo",
    "Rosa",
    "Carl",
    "Emma",
)
_LAST = ("Lee", "Fox", "Hall", "Reed", "Cole", "Diaz", "Mann", "Ross", "Park", "Webb", "Cruz", "Shaw")
_COMPANIES = ("Nova", "Acme", "Orion", "Delta", "Luma", "Vero", "Zeta", "Sona", "Tiger", "Magna", "Polar", "Astra")
_CITIES = ("Paris", "Rome", "Oslo", "Bern", "Lima", "Delhi", "Tokyo", "Cairo", "Quito", "Accra")
_ITEMS = ("Tea", "Milk", "Rice", "Fish", "Book", "Pen", "Cup", "Hat", "Lamp", "Desk", "Soap", "Salt", "Cable", "Paper", "Chair", "Bread")
_FIRST_HELD = ("Otto", "Zoe", "Finn", "Gail", "Ruth", "Jack")
_LAST_HELD = ("Wolf", "Beck", "Gray", "Young", "Kidd")
_COMPANIES_HELD = ("Vega", "Quanta", "Horizon", "Fjord")
_CITIES_HELD = ("Madrid", "Kyoto", "Prague", "Dubai")
_ITEMS_HELD = ("Sugar", "Brush", "Knife", "Glove", "Honey")
# Chinese values are made of characters that the tokenizer holds whole.
_SURNAMES, _GIVEN = "张丁方高成米南", ("明", "文", "心", "星", "一", "三", "四", "东", "北", "月", "文明", "小明", "一心", "大成")
_GIVEN_HELD = ("书", "小月", "中", "子文", "日成")
_COMPANIES_ZH = ("东方", "南方", "北方", "大成", "明星", "高明", "中心", "一心", "西子", "三和")
_COMPANIES_ZH_HELD = ("大东", "南星", "和成")
_CITIES_ZH = ("北京", "上海", "南京", "西安", "大同", "三明", "南昌")
_CITIES_ZH_HELD = ("东方", "高邮")
_ITEMS_ZH = ("茶", "米", "鱼", "书", "表", "本子", "大米", "小米", "黄鱼", "红茶", "绿茶", "桌子", "面")
_ITEMS_ZH_HELD = ("黑米", "黑茶", "大鱼", "图书")
HEADINGS = (
    *("Report", "Form", "Notes", "Menu", "Plan", "List", "Letter", "Summary", "Prices", "Order", "Offer", "Stock"),
    *("Sales", "Profit", "Cost", "Visits", "Score", "Rain", "Users", "Output"),
)
HEADINGS_ZH = ("报告", "表格", "说明", "订单", "清单", "数据", "销量", "利润", "成本", "得分", "通知", "价目表")
HEADINGS_HELD = ("Memo", "Diary", "Ticket", "Survey")
HEADINGS_ZH_HELD = ("图表", "记事", "名单")
BILLS = ("Invoice", "Receipt", "Bill")
BILLS_ZH = ("发票", "收据", "账单")
_PROSE = (
    "the of and to in is it for on as at by be this that with from have not are was all can one two new old red big day way man sun "
    "map key box car bus road home time year week work good long last next well open line page name side hand part head book word "
    "water light house green right small after under about every other first world paper table white black story night today "
    "river garden winter summer number letter market window street school Monday Friday March April June May"
)
_PROSE_ZH = (
    "图中 数值 文字 图片 颜色 位置 形状 物体 标题 单位 数据 文档 说明 回答 比较 大小 上方 下方 左边 右边 中间 一个 三个 每个 "
    "所有 没有 最高 最低 东南 西北 大米 小米 一月 六月 十月 甲方 乙方 明年 一年 高度 分数 这一页 本页"
)
_WORDS, _WORDS_ZH = _PROSE.split(), _PROSE_ZH.split()
# No capital I and O and no small l among letters and digits: nobody can tell them from 1 and 0.
_CAPITALS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_ONSETS, _VOWELS, _CODAS = "bcdfghjklmnprstvwz", "aeiou", ("", "", "n", "r", "s", "l", "t", "m")


def pseudo_word(rng: Random, capital: bool) -> str:
    """A word that does not exist, so that reading cannot be remembering."""
    word = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.choice((1, 2, 2, 3)))) + rng.choice(_CODAS)
    return word.capitalize() if capital else word


def number(rng: Random, top: int, held_out: bool) -> int:
    """1 to `top`; those of two digits and more that begin with 4 are held out."""
    if held_out:
        return rng.choice([n for n in (rng.randint(40, 49), rng.randint(400, 499)) if n <= top] or [rng.randint(1, top)])
    while True:
        n = rng.randint(1, rng.choice((min(99, top), top)))
        if n < 10 or str(n)[0] != "4":
            return n


def money(rng: Random, held_out: bool, hard: bool = False) -> str:
    """An amount; hard ones may have thousands and a currency."""
    if hard and rng.random() < 0.5:
        return f"{rng.choice(('', '$', '¥', '€'))}{rng.randint(1, 99)},{rng.randint(0, 999):03}{rng.choice(('', '.00', '.50'))}"
    cents = rng.choice(("", "", ".50", f".{rng.randint(0, 99):02}"))
    return f"{number(rng, 999, held_out)}{cents}"


def date(rng: Random, held_out: bool) -> str:
    year = rng.randint(2027, 2031) if held_out else rng.randint(2018, 2026)
    return f"{year}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def code(rng: Random, held_out: bool) -> str:
    """Letters and digits as in numbers of orders and rooms."""
    letters = "".join(rng.choice(_CAPITALS) for _ in range(rng.choice((1, 1, 2))))
    digits = "".join(rng.choice(string.digits) for _ in range(rng.randint(2, 4)))
    if held_out:
        return f"{digits}.{letters}"
    return rng.choice((f"{letters}{digits}", f"{letters}-{digits}", f"{digits}{letters}", f"{digits}-{letters}"))


def percent(rng: Random, held_out: bool) -> str:
    return f"{number(rng, 99, held_out)}{rng.choice(('', '', f'.{rng.randint(1, 9)}'))}%"


def item(rng: Random, language: Language, held_out: bool) -> str:
    if language == "zh":
        return rng.choice(_ITEMS_ZH_HELD if held_out else _ITEMS_ZH)
    if rng.random() < 0.15:
        return pseudo_word(rng, capital=True)
    return rng.choice(_ITEMS_HELD if held_out else _ITEMS)


def person(rng: Random, language: Language, held_out: bool) -> str:
    if language == "zh":
        return rng.choice(_SURNAMES) + rng.choice(_GIVEN_HELD if held_out else _GIVEN)
    first = rng.choice(_FIRST_HELD if held_out else _FIRST)
    roll = rng.random()
    if roll < 0.4:
        return first
    if roll < 0.6:
        return pseudo_word(rng, capital=True)
    return f"{first} {rng.choice(_LAST_HELD if held_out else _LAST)}"


def company(rng: Random, language: Language, held_out: bool) -> str:
    if language == "zh":
        return rng.choice(_COMPANIES_ZH_HELD if held_out else _COMPANIES_ZH)
    if rng.random() < 0.3:
        return pseudo_word(rng, capital=True)
    return rng.choice(_COMPANIES_HELD if held_out else _COMPANIES)


def as_number(text: str) -> str:
    """A printed amount as a number of JSON: without its currency and its thousands' commas."""
    return "".join(char for char in text if char.isdigit() or char == ".")


def value(rng: Random, kind: ValueKind, language: Language, held_out: bool = False, hard: bool = False) -> str:
    """A value as it is printed."""
    if kind == "count":
        return str(number(rng, 99 if rng.random() < 0.7 else 999, held_out))
    if kind == "age":
        return str(number(rng, 99, held_out))
    if kind == "money":
        return money(rng, held_out, hard)
    if kind == "percent":
        return percent(rng, held_out)
    if kind == "date":
        return date(rng, held_out)
    if kind == "time":
        return f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}"
    if kind == "code":
        return code(rng, held_out)
    if kind == "phone":
        return f"{rng.randint(200, 999)}-{rng.randint(0, 9999):04}"
    if kind == "weight":
        return f"{number(rng, 99, held_out)}{rng.choice(('', '', f'.{rng.randint(1, 9)}'))} kg"
    if kind == "person":
        return person(rng, language, held_out)
    if kind == "company":
        return company(rng, language, held_out)
    if kind == "city":
        cities = (_CITIES_ZH_HELD if held_out else _CITIES_ZH) if language == "zh" else (_CITIES_HELD if held_out else _CITIES)
        return rng.choice(cities)
    return item(rng, language, held_out)


def heading(rng: Random, language: Language, held_out: bool = False) -> str:
    if language == "zh":
        name = rng.choice(HEADINGS_ZH_HELD if held_out else HEADINGS_ZH)
    elif rng.random() < 0.2:
        name = pseudo_word(rng, capital=True)
    else:
        name = rng.choice(HEADINGS_HELD if held_out else HEADINGS)
    return f"{name} {number(rng, 99, held_out)}" if rng.random() < 0.25 else name


def prose(rng: Random, language: Language, words: int, held_out: bool = False) -> str:
    """Some words that mean nothing together."""
    if language == "zh":
        return "".join(rng.choice(_WORDS_ZH) for _ in range(words))
    found: list[str] = []
    for _ in range(words):
        roll = rng.random()
        if roll < 0.3:
            found.append(pseudo_word(rng, capital=False))
        elif roll < 0.42:
            found.append(str(number(rng, 999, held_out)))
        else:
            found.append(rng.choice(_WORDS))
    return " ".join(found)
