"""The tokenizer: a small byte-level BPE with the pre-tokeniser of Qwen2 and the ChatML and vision specials.

Merges are learned from the generator's own questions and answers, with every chart label and title cut out, so that a
label is spelled by the same tokens wherever it stands: alone, after a space, or after a quotation mark. Characters
that occur only in labels are added as single tokens. Digits are always single.

    python -m training.tokenizer OUT_DIR
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.scenes import vocabulary
from training.scenes.boxes import LOCATE
from training.scenes.cells import CJK_CHARS
from training.scenes.draw import COLOURS, SHAPES
from training.scenes.preambles import IMAGE_LABEL, PAGE_LABEL, SYSTEM, Mode
from training.scenes.sampler import Kind, sample

SPECIALS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
VOCAB = 1016  # byte and merge tokens together, at most; a multiple of 64 is left for all with the specials
_KINDS: tuple[tuple[Kind, int], ...] = (("shapes", 9000), ("chart", 6000), ("pair", 1500), ("word", 800))
# Chinese is merged within words only, else whole questions would become single tokens that teach nothing about others.
_WORDS_ZH = [
    "图中",
    "图片",
    "图里",
    "图形",
    "物体",
    "形状",
    "颜色",
    "什么",
    "哪个",
    "哪里",
    "哪儿",
    "哪张",
    "哪一",
    "几个",
    "多少",
    "多大",
    "一共",
    "有没有",
    "没有",
    "还是",
    "左边",
    "右边",
    "上方",
    "下方",
    "上面",
    "下面",
    "左上",
    "右上",
    "左下",
    "右下",
    "中间",
    "位置",
    "位于",
    "一边",
    "一个",
    "一句话",
    "描述",
    "详细",
    "这张",
    "这个",
    "数值",
    "对应",
    "最大",
    "最小",
    "最高",
    "最低",
    "柱子",
    "柱状图",
    "图表",
    "标题",
    "相比",
    "更多",
    "比较",
    "空白",
    "文字",
    "数一数",
    "大的",
    "小的",
    "格式",
    "给出",
    "数据",
    "写的",
    "写了",
    "写着",
    "读出",
    "读成",
    "叫什么",
    "根据",
    "回答",
    "看不出",
    "直说",
    "逐行",
    "所有",
    "类型",
    "坐标轴",
    "单位",
    "以及",
    "每个",
    "系列",
    "表示",
    "文档",
    "这一页",
    "如果",
    "说明",
    "请回答",
    "本页",
    "在图中",
    "找出",
    "每一个",
]
_LEXICON = re.compile(
    "|".join(sorted({*_WORDS_ZH, *(n.zh for n in SHAPES), *(c.zh for c, _ in COLOURS)}, key=len, reverse=True))
    + r"|[\u2e80-\uffff]|[^\u2e80-\uffff]+"
)
_BEFORE_CAPITAL = re.compile(r"(?<= )(?=[A-Z])")  # no token may hold a space and a capital: labels start so
_PRINTED = re.compile(
    "|".join(sorted(map(re.escape, {*vocabulary.every_label(), *vocabulary.TITLES, *vocabulary.TITLES_ZH}), key=len, reverse=True))
)


def _corpus() -> Iterator[str]:
    for text in SYSTEM.values():
        yield from ["system\n" + text, "user\n", "assistant\n"] * 300
    for label in (*PAGE_LABEL.values(), *IMAGE_LABEL.values()):
        yield from label.split("{}") * 300
    for language in ("en", "zh"):
        for names in ("shapes", "the red circle", "A"):
            yield from [LOCATE[language].format(x=names)] * 100
    modes: tuple[Mode, ...] = ("vqa", "bare", "doc", "bare")
    for kind, number in _KINDS:
        for seed in range(number):
            mode = modes[seed % 4] if kind in ("chart", "word") else modes[seed % 2]
            for qa in sample(5_000_000 + seed, kind, 160, 160, 5, None, mode).questions:
                for text in (qa.text, qa.answer):
                    # Labels of charts are cut out. In pictures of shapes nothing is printed, so all text stays.
                    yield from _PRINTED.split(text) if kind in ("chart", "word") else (text,)


def _words(text: str) -> Iterator[str]:
    for piece in _BEFORE_CAPITAL.split(text):
        yield from _LEXICON.findall(piece)


def _isolated() -> list[str]:
    """Characters that must be single tokens although the corpus does not hold them beside others."""
    titles = "".join(vocabulary.TITLES_ZH) + "".join(label for group in vocabulary.LABEL_SETS_ZH for label in group)
    return sorted(set(titles) | set(CJK_CHARS))


def prepare(model: models.BPE) -> Tokenizer:
    """A tokenizer over a vocabulary and merges: how text is cut before, and put together after. `finish` it."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def finish(tokenizer: Tokenizer) -> Tokenizer:
    """Adds the specials, which come last."""
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIALS])
    return tokenizer


def train() -> Tokenizer:
    tokenizer = prepare(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, min_frequency=30, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[], show_progress=False
    )

    def texts() -> Iterator[str]:
        for text in _corpus():
            yield from _words(text)
        for char in _isolated():
            yield from [char] * 3000

    tokenizer.train_from_iterator(texts(), trainer)
    return finish(tokenizer)


def check(tokenizer: Tokenizer) -> list[str]:
    """Labels that are not spelled the same in every position (should be none)."""
    bad: list[str] = []
    for label in (*vocabulary.every_label(), *vocabulary.TITLES, *vocabulary.TITLES_ZH):
        alone = tokenizer.encode(label).tokens
        for before, after in (("of ", "?"), ('"', '":'), ("图中", "的值"), ("", "和"), ("，", "最高"), (": ", " is")):
            full = tokenizer.encode(before + label + after).tokens
            if not any(full[i : i + len(alone)] == alone for i in range(len(full))):
                bad.append(f"{before}{label}{after}")
    return bad


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = train()
    tokenizer.save(str(out / "tokenizer.json"))
    problems = check(tokenizer)
    print(json.dumps({"size": tokenizer.get_vocab_size(), "inconsistent": problems}, ensure_ascii=False))


if __name__ == "__main__":
    main()
