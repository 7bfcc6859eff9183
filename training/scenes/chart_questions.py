"""Questions about bar charts."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from training.scenes import vocabulary
from training.scenes.charts import ChartScene
from training.scenes.draw import COLOURS, SHAPES
from training.scenes.qa import QA, Language, absent, article, ask, caption, vary

Maker = Callable[[Random, ChartScene, Language], QA | None]

_VALUE = {
    "en": (
        "What is the value of {x}?",
        "What value does {x} have?",
        "How much is {x}?",
        "What is the number for {x}?",
        "What is {x}?",
        "Give the value of {x}.",
    ),
    "zh": ("{x}的数值是多少？", "{x}是多少？", "{x}的值是多少？", "{x}对应的数值是多少？", "图中{x}的数值是多少？"),
}


def value(rng: Random, scene: ChartScene, lang: Language) -> QA:
    index = rng.randrange(len(scene.labels))
    return ask(rng, lang, "chart_value", _VALUE, str(scene.values[index]), x=scene.labels[index])


def extreme(rng: Random, scene: ChartScene, lang: Language) -> QA:
    high = rng.random() < 0.5
    pick = (max if high else min)(scene.values)
    if rng.random() < 0.25:
        return ask(
            rng,
            lang,
            "chart_extreme_value",
            {
                "en": ("What is the {x} value?", "What is the {x} number in the chart?"),
                "zh": ("最{x}的数值是多少？", "最{x}值是多少？"),
            },
            str(pick),
            x=("highest" if high else "lowest") if lang == "en" else ("大" if high else "小"),
        )
    word = {"en": (("highest", "tallest", "largest"), ("lowest", "shortest", "smallest")), "zh": (("高",), ("低", "矮"))}[lang][
        0 if high else 1
    ]
    big = {"en": ("highest", "lowest"), "zh": ("大", "小")}[lang][0 if high else 1]
    return ask(
        rng,
        lang,
        "chart_highest" if high else "chart_lowest",
        {
            "en": (
                "Which bar is the {x}?",
                "Which is the {x} bar?",
                "What is the label of the {x} bar?",
                "Which bar is {x}?",
                "Which has the {b} value?",
                "Which label has the {b} value?",
            ),
            "zh": ("哪个柱子最{x}？", "最{x}的柱子是哪个？", "哪一项最{x}？", "哪一项的数值最{b}？", "哪个数值最{b}？"),
        },
        scene.labels[scene.values.index(pick)],
        x=rng.choice(word),
        b=big,
    )


def count(rng: Random, scene: ChartScene, lang: Language) -> QA:
    return ask(
        rng,
        lang,
        "chart_count",
        {
            "en": (
                "How many bars are there?",
                "How many bars does the chart have?",
                "How many bars are in the chart?",
                "Count the bars.",
                "How many bars?",
            ),
            "zh": ("有几个柱子？", "图中有几个柱子？", "一共有多少个柱子？", "图表里有几个柱子？"),
        },
        str(len(scene.labels)),
    )


def compare(rng: Random, scene: ChartScene, lang: Language) -> QA:
    a, b = rng.sample(range(len(scene.labels)), 2)
    larger = rng.random() < 0.65
    first = (scene.values[a] > scene.values[b]) == larger
    return ask(
        rng,
        lang,
        "chart_compare",
        {
            "en": ("Which is {w}, {x} or {y}?", "Which bar is {w}, {x} or {y}?", "Which one is {w}: {x} or {y}?"),
            "zh": ("{x}和{y}哪个更{w}？", "{x}和{y}，哪个更{w}？", "{x}与{y}相比，哪个更{w}？"),
        },
        scene.labels[a if first else b],
        x=scene.labels[a],
        y=scene.labels[b],
        w=rng.choice(("larger", "higher", "bigger") if larger else ("smaller", "lower"))
        if lang == "en"
        else rng.choice(("大", "高") if larger else ("小", "低")),
    )


def title(rng: Random, scene: ChartScene, lang: Language) -> QA:
    answer = scene.title or absent(lang, "标题" if lang == "zh" else "title")
    return ask(
        rng,
        lang,
        "chart_title",
        {
            "en": ("What is the title?", "What is the title of the chart?", "What is the chart called?"),
            "zh": ("标题是什么？", "图表的标题是什么？", "这个图表叫什么？"),
        },
        answer,
    )


def bar_colour(rng: Random, scene: ChartScene, lang: Language) -> QA:
    index = rng.randrange(len(scene.labels))
    name = COLOURS[scene.colours[index]][0]
    return ask(
        rng,
        lang,
        "chart_colour",
        {
            "en": ("What colour is the {x} bar?", "What colour is the bar of {x}?", "Which colour is {x}?"),
            "zh": ("{x}的柱子是什么颜色？", "{x}是什么颜色的？"),
        },
        name.zh if lang == "zh" else name.en,
        x=scene.labels[index],
    )


def missing(rng: Random, scene: ChartScene, lang: Language) -> QA:
    """Asks for a label that is not there, or for a shape that no chart holds."""
    if rng.random() < 0.3:
        shape = rng.choice(SHAPES)
        return ask(
            rng,
            lang,
            "existence",
            {
                "en": ("Is there {x}?", "Is there {x} in the image?", "Do you see {x}?"),
                "zh": ("有{x}吗？", "图中有{x}吗？", "有没有{x}？"),
            },
            "没有" if lang == "zh" else "no",
            x=shape.zh if lang == "zh" else article(shape.en),
        )
    groups = (
        [g for g in vocabulary.LABEL_SETS + vocabulary.LABEL_SETS_ZH if scene.labels[0] in g]
        if rng.random() < 0.6
        else list(vocabulary.LABEL_SETS)
    )
    label = rng.choice([x for x in rng.choice(groups) if x not in scene.labels] or ["Z"])
    return ask(rng, lang, "absent", _VALUE, absent(lang, label), x=label)


def as_json(rng: Random, scene: ChartScene, lang: Language) -> QA:
    answer = json.dumps(dict(zip(scene.labels, scene.values, strict=True)), separators=(",", ":"), ensure_ascii=False)
    text = rng.choice(
        ("Read the chart as JSON.", "Give the chart as JSON.") if lang == "en" else ("把图表读成JSON。", "以JSON格式给出图表数据。")
    )
    return QA(vary(rng, text, lang), answer, "chart_json", lang)


def describe(rng: Random, scene: ChartScene, lang: Language) -> QA:
    pairs = [f"{label} {number}" for label, number in zip(scene.labels, scene.values, strict=True)]
    number, zh = len(pairs), lang == "zh"
    if rng.random() < 0.5:
        if zh:
            return caption(lang, "short", f"柱状图，有{number}个柱子：{'，'.join(pairs)}。")
        return caption(lang, "short", f"A bar chart with {number} bars: {', '.join(pairs)}.")
    high = scene.labels[scene.values.index(max(scene.values))]
    low = scene.labels[scene.values.index(min(scene.values))]
    if zh:
        head = f"一个标题为{scene.title}的柱状图，" if scene.title else "一个柱状图，"
        return caption(lang, "detailed", f"{head}有{number}个柱子：{'，'.join(pairs)}。{high}最高，{low}最低。")
    head = f"A bar chart with the title {scene.title}." if scene.title else "A bar chart."
    return caption(lang, "detailed", f"{head} It has {number} bars: {', '.join(pairs)}. {high} is the highest and {low} is the lowest.")


MAKERS: tuple[tuple[Maker, float], ...] = (
    (value, 3.0),
    (extreme, 2.4),
    (count, 0.7),
    (compare, 1.4),
    (title, 0.5),
    (bar_colour, 0.5),
    (missing, 0.6),
    (as_json, 1.2),
)
