"""A second opinion on moderation: `python bench/fresh.py`. Totals only: what is missed is never shown.

Plainly worded requests and clean questions (tests/data/evasion/fresh/), and disguises of their own. Text and disguises were written
and committed by an author who had read the guide and neither the rules, the normalisation, the training text nor another set, before
anything was measured on them. `LETTERS` keep every letter and change how it is written; `WORDS` lose or swap some, as people do
who write for readers who can guess. A disguise that leaves a text as it was is not counted.
"""

import random
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from finders import Finds, finders
from sightline.moderation.classifier import Classifier
from sightline.moderation.rules import Rules, shipped

DATA = Path(__file__).parents[1] / "tests" / "data" / "evasion" / "fresh"
Disguise = Callable[[str, random.Random], str]

INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\u2063"
SELECTORS = "\ufe00\ufe0e\ufe0f\U000e0061\U000e0101"
EMOJI = "😀🔥💣💊🙏🌸⭐👍🏽❤🐱"
MARKS = "-_*~|/+'"
ACCENTS = "\u0300\u0301\u0302\u0303\u0308\u030a\u0327\u0331"
STRIKES = "\u0336\u0338\u0332\u20dd"
CYRILLIC = str.maketrans("aceiopxysjhkbtmABCEHKMOPTXY", "асеіорхуѕјһкЬтмАВСЕНКМОРТХУ")
GREEK = str.maketrans("aopuvnikwtAEHIKMNOTXY", "αορυνηικωτΑΕΗΙΚΜΝΟΤΧΥ")
DIGITS = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "b": "8", "g": "9"}
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
TRADITIONAL = str.maketrans(
    "么这里弹药给单车样说实验击发现图谁张书东来时过还没让见听讲话读写语问间门开关长进远运边亲爱儿妈们个为与无尽处备买卖钱银钟铁错难离电网络级线终结经细统缓绝编"
    "脑肠脏胶杀应该欢气汽温湿满济测浓渊灯炉烟烧热点怀忆态总恶战户扫护报担换据损树标机权条极构杂枪楼环现产亩疗医协卫历压厂厅叶号后启员响园围国图圆场坏块坚报声壳"
    "头夹夺奋妇孙学宁宝对导寻将尔层属岁岛币师带帮广庆库废异强录彻忧惊惯惧愤愿戏执扩扬抢抚拥择挡挤挥摄数断旧显晓未术杨极栏梦检毒氢泻洁浅滥灭灵爷牵犹狱独猎猫"
    "疯痛瘾盐监盖盗确码础礼种称稳穷筑签简紧红约纸练组织维缝罗罚职联肤胁胜脱舰艺节药获虑虽蚁补装观规视觉览触订认讨训议记许论设访证评识诉词译试诗诚误请课谁调谈谋谜谢谱贝负财责败货质贩贪贫购费贼资赏赔赖赛赞赶趋跃轨转轮软轻载较辆输辞达迁迟适选递遗邮邻酱释针钢钥铃锁锅镇闭闲闻阅阳阴阵阶际陆陈险随隐雾静韩页顶项顺须顾预领频题颜额风飞饭饮饱馆马驱驶验骗鱼鸟鸡鸦麦黄龙",
    "麼這裡彈藥給單車樣說實驗擊發現圖誰張書東來時過還沒讓見聽講話讀寫語問間門開關長進遠運邊親愛兒媽們個為與無盡處備買賣錢銀鐘鐵錯難離電網絡級線終結經細統緩絕編"
    "腦腸臟膠殺應該歡氣汽溫濕滿濟測濃淵燈爐煙燒熱點懷憶態總惡戰戶掃護報擔換據損樹標機權條極構雜槍樓環現產畝療醫協衛歷壓廠廳葉號後啟員響園圍國圖圓場壞塊堅報聲殼"
    "頭夾奪奮婦孫學寧寶對導尋將爾層屬歲島幣師帶幫廣慶庫廢異強錄徹憂驚慣懼憤願戲執擴揚搶撫擁擇擋擠揮攝數斷舊顯曉未術楊極欄夢檢毒氫瀉潔淺濫滅靈爺牽猶獄獨獵貓"
    "瘋痛癮鹽監蓋盜確碼礎禮種稱穩窮築簽簡緊紅約紙練組織維縫羅罰職聯膚脅勝脫艦藝節藥獲慮雖蟻補裝觀規視覺覽觸訂認討訓議記許論設訪證評識訴詞譯試詩誠誤請課誰調談謀謎謝譜貝負財責敗貨質販貪貧購費賊資賞賠賴賽讚趕趨躍軌轉輪軟輕載較輛輸辭達遷遲適選遞遺郵鄰醬釋針鋼鑰鈴鎖鍋鎮閉閒聞閱陽陰陣階際陸陳險隨隱霧靜韓頁頂項順須顧預領頻題顏額風飛飯飲飽館馬驅駛驗騙魚鳥雞鴉麥黃龍",
)
KANGXI = str.maketrans({unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0x2F00, 0x2FD6)})
SOUNDS = {
    "炸弹": "诈蛋",
    "炸药": "诈要",
    "冰毒": "冰独",
    "毒": "独",
    "自杀": "自沙",
    "杀": "沙",
    "枪": "呛",
    "死": "四",
    "儿童": "而童",
    "色情": "涩情",
}
PINYIN = {
    "炸": "zha",
    "弹": "dan",
    "毒": "du",
    "杀": "sha",
    "枪": "qiang",
    "死": "si",
    "色情": "seqing",
    "做": "zuo",
    "造": "zao",
    "药": "yao",
}


def between(marks: str, share: float = 1.0) -> Disguise:
    """Puts one of `marks` after letters; after a `share` of them."""

    def disguise(text: str, draw: random.Random) -> str:
        return "".join(c + draw.choice(marks) if c.isalpha() and draw.random() < share else c for c in text)

    return disguise


def joined(mark: str) -> Disguise:
    """Writes `mark` between the letters of each word; the words stay apart."""

    def disguise(text: str, draw: random.Random) -> str:
        gap = "   " if mark.isspace() else " "
        return gap.join(mark.join(word) for word in text.split(" "))

    return disguise


def each(change: Callable[[str, random.Random], str], share: float) -> Disguise:
    """Changes a `share` of the characters."""

    def disguise(text: str, draw: random.Random) -> str:
        return "".join(change(c, draw) if draw.random() < share else c for c in text)

    return disguise


def styled(text: str, draw: random.Random) -> str:
    capital = draw.choice([0x1D400, 0x1D468, 0x1D56C, 0x1D5D4, 0x1D670])  # bold, italic, Fraktur, sans serif, typewriter
    return "".join(
        chr(capital + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".index(c)) if c.isascii() and c.isalpha() else c for c in text
    )


def circled(text: str, draw: random.Random) -> str:
    first = draw.choice([0x24D0, 0x1F130, 0x1F150, 0x1F170])  # circled, squared, and both on black
    return "".join(chr(first + ord(c.lower()) - ord("a")) if c.isascii() and c.isalpha() else c for c in text)


def alike(text: str, draw: random.Random) -> str:
    return "".join(c.translate(draw.choice([CYRILLIC, GREEK])) if draw.random() < 0.7 else c for c in text)


def leet(text: str, draw: random.Random) -> str:
    return "".join(draw.choice(DIGITS.get(c.lower(), c)) if draw.random() < 0.7 else c for c in text)


def stretched(text: str, draw: random.Random) -> str:
    return "".join(c * draw.randint(2, 4) if c.isalpha() and draw.random() < 0.4 else c for c in text)


def run_together(text: str, draw: random.Random) -> str:
    return text.replace(" ", draw.choice(["", "_", ".", "-"]))


def broken(text: str, draw: random.Random) -> str:
    """A line break inside each longer word, or every other character of a language without spaces."""
    if " " not in text:
        return "\n".join(text[at : at + 2] for at in range(0, len(text), 2))
    return " ".join(
        word[: (cut := draw.randint(1, len(word) - 1))] + "\n" + word[cut:] if len(word) > 3 else word for word in text.split(" ")
    )


def masked(text: str, draw: random.Random) -> str:
    """One vowel of each longer word becomes a star."""
    words: list[str] = []
    for word in text.split(" "):
        vowels = [at for at, c in enumerate(word) if at and c in "aeiou"]
        at = draw.choice(vowels) if vowels and len(word) > 3 else None
        words.append(word if at is None else word[:at] + "*" + word[at + 1 :])
    return " ".join(words)


def swapped(text: str, draw: random.Random) -> str:
    """Two neighbouring letters inside each longer word change places."""
    words: list[str] = []
    for word in text.split(" "):
        at = draw.randint(1, len(word) - 3) if len(word) > 4 else None
        words.append(word if at is None else word[:at] + word[at + 1] + word[at] + word[at + 2 :])
    return " ".join(words)


def dropped(text: str, draw: random.Random) -> str:
    """Vowels inside longer words are left out: 'explsve'."""
    return " ".join(
        word[0] + "".join(c for c in word[1:] if c not in "aeiou" or draw.random() < 0.4) if len(word) > 4 else word
        for word in text.split(" ")
    )


def replaced(table: dict[str, str]) -> Disguise:
    def disguise(text: str, draw: random.Random) -> str:
        for word, other in table.items():
            text = text.replace(word, other)
        return text

    return disguise


def chained(*disguises: Disguise) -> Disguise:
    def disguise(text: str, draw: random.Random) -> str:
        for one in disguises:
            text = one(text, draw)
        return text

    return disguise


def translated(table: dict[int, int] | dict[int, str]) -> Disguise:
    return lambda text, draw: text.translate(table)


LETTERS: dict[str, dict[str, Disguise]] = {
    "en": {
        "invisible characters": between(INVISIBLE, 0.6),
        "selectors and tags": between(SELECTORS),
        "look-alikes": alike,
        "full width": translated(FULL_WIDTH),
        "styled letters": styled,
        "circled and squared": circled,
        "spaced letters": joined(" "),
        "dotted letters": joined("."),
        "mixed case": each(lambda c, draw: c.swapcase(), 0.5),
        "digits for letters": leet,
        "emoji between": between(EMOJI, 0.5),
        "punctuation between": between(MARKS, 0.5),
        "accents": between(ACCENTS, 0.6),
        "struck out": between(STRIKES),
        "stretched": stretched,
        "run together": run_together,
        "broken lines": broken,
        "look-alikes and invisible": chained(alike, between(INVISIBLE, 0.4)),
        "digits and dots": chained(leet, joined(".")),
    },
    "zh": {
        "traditional": translated(TRADITIONAL),
        "spaced": lambda text, draw: " ".join(text),
        "wide spaces": lambda text, draw: "\u3000".join(text),
        "dots between": between("。·.、", 0.8),
        "punctuation between": between(MARKS, 0.6),
        "emoji between": between(EMOJI, 0.6),
        "invisible characters": between(INVISIBLE),
        "selectors and tags": between(SELECTORS),
        "broken lines": broken,
        "struck out": between(STRIKES),
        "radicals": translated(KANGXI),
        "brackets": each(lambda c, draw: f"【{c}】", 0.6),
        "traditional and spaced": chained(translated(TRADITIONAL), lambda text, draw: " ".join(text)),
    },
}
WORDS: dict[str, dict[str, Disguise]] = {
    "en": {"masked vowels": masked, "swapped letters": swapped, "dropped vowels": dropped},
    "zh": {
        "characters of the same sound": replaced(SOUNDS),
        "pinyin": replaced(PINYIN),
        "letters between": between("abcxyz", 0.4),
        "stretched": stretched,
    },
}


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    found: int
    asked: int

    def __str__(self) -> str:
        return f"{self.found} of {self.asked} ({self.found / max(1, self.asked):.1%})"


def main() -> None:
    compared = finders(Rules(shipped()), Classifier.load())
    print("| | requests refused | clean refused | refused in disguise | with letters lost | clean in disguise | clean with letters lost |")
    print("|---|---|---|---|---|---|---|")
    for language in ("en", "zh"):
        requests, clean = ((DATA / f"{kind}.{language}.txt").read_text("utf-8").splitlines() for kind in ("requests", "clean"))
        for name, finds in compared.items():
            refused = [text for text in requests if finds(text)]
            cells = [
                Share(len(refused), len(requests)),
                Share(sum(map(finds, clean)), len(clean)),
                *(measured(finds, kinds[language], texts) for texts in (refused, clean) for kinds in (LETTERS, WORDS)),
            ]
            print(f"| {language}, {name} | {' | '.join(map(str, cells))} |")


def measured(finds: Finds, kinds: dict[str, Disguise], texts: Iterable[str]) -> Share:
    """All texts in all kinds of disguise, those left out that a disguise does not change."""
    pairs = ((text, disguise(text, random.Random(f"fresh:{kind}:{text}"))) for text in texts for kind, disguise in kinds.items())
    answers = [finds(dressed) for text, dressed in pairs if dressed != text]
    return Share(sum(answers), len(answers))


if __name__ == "__main__":
    main()
