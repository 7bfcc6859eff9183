"""Questions about bar charts."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from training.scenes import vocabulary
from training.scenes.charts import ChartScene
from training.scenes.draw import COLOURS, SHAPES
from training.scenes.qa import NOTHING, QA, Groups, Language, absent, article, ask, caption, counting, reading

Maker = Callable[[Random, ChartScene, Language], QA | None]


def _bar(index: int) -> Groups:
    """The value and the label of a bar: `render_chart` marks them in this order, bar by bar."""
    return ((2 * index,), (2 * index + 1,), (2 * index + 1, NOTHING))


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
    return ask(rng, lang, "chart_value", _VALUE, str(scene.values[index]), _bar(index), x=scene.labels[index])


def extreme(rng: Random, scene: ChartScene, lang: Language) -> QA:
    high = rng.random() < 0.5
    pick = (max if high else min)(scene.values)
    look = _bar(scene.values.index(pick))
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
            look,
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
        look,
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
        counting(range(0, 2 * len(scene.labels), 2)),
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
        ((2 * a,), (2 * b,), (2 * a, 2 * b, NOTHING)),
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
        _bar(index),
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
            counting(()),
            x=shape.zh if lang == "zh" else article(shape.en),
        )
    groups = (
        [g for g in vocabulary.LABEL_SETS + vocabulary.LABEL_SETS_ZH if scene.labels[0] in g]
        if rng.random() < 0.6
        else list(vocabulary.LABEL_SETS)
    )
    label = rng.choice([x for x in rng.choice(groups) if x not in scene.labels] or ["Z"])
    return ask(rng, lang, "absent", _VALUE, absent(lang, label), counting(()), x=label)


def parse(scene: ChartScene, lang: Language) -> QA:
    """The task chart_parse: the whole chart as compact JSON, in the order of the keys of its schema."""
    title = json.dumps(scene.title, ensure_ascii=False)
    head = f'{{"chart_type":"bar","title":{title},"x_axis":"","y_axis":"","unit":"","series":[{{"name":"","points":['
    parts: list[tuple[str, Groups]] = [(head, ())]
    for index, (label, number) in enumerate(zip(scene.labels, scene.values, strict=True)):
        point = json.dumps({"label": label, "value": number}, separators=(",", ":"), ensure_ascii=False)
        parts.append(("," + point if index else point, _bar(index)))
    return reading(lang, "chart_parse", [*parts, ("]}]}", ())])


def transcript(scene: ChartScene, lang: Language) -> QA:
    """The task ocr: the title, then a line per bar with its label and its value."""
    lines: list[tuple[str, Groups]] = [(scene.title, ())] if scene.title else []
    for index, (label, number) in enumerate(zip(scene.labels, scene.values, strict=True)):
        lines.append((f"\n{label} {number}" if lines else f"{label} {number}", _bar(index)))
    return reading(lang, "ocr", lines)


def describe(scene: ChartScene, lang: Language, detailed: bool) -> QA:
    count, zh = len(scene.labels), lang == "zh"
    pairs: list[tuple[str, Groups]] = []
    for index, (label, number) in enumerate(zip(scene.labels, scene.values, strict=True)):
        pairs.append((("，" if zh else ", ") * (index > 0) + f"{label} {number}", _bar(index)))
    if not detailed:
        head, tail = (f"柱状图，有{count}个柱子：", "。") if zh else (f"A bar chart with {count} bars: ", ".")
        return caption(lang, "short", [(head, ()), *pairs, (tail, ())])
    high, low = scene.values.index(max(scene.values)), scene.values.index(min(scene.values))
    if zh:
        head = f"一个标题为{scene.title}的柱状图，" if scene.title else "一个柱状图，"
        ends: list[tuple[str, Groups]] = [(f"。{scene.labels[high]}最高", _bar(high)), (f"，{scene.labels[low]}最低。", _bar(low))]
        return caption(lang, "detailed", [(f"{head}有{count}个柱子：", ()), *pairs, *ends])
    head = f"A bar chart with the title {scene.title}." if scene.title else "A bar chart."
    ends = [(f". {scene.labels[high]} is the highest", _bar(high)), (f" and {scene.labels[low]} is the lowest.", _bar(low))]
    return caption(lang, "detailed", [(f"{head} It has {count} bars: ", ()), *pairs, *ends])


MAKERS: tuple[tuple[Maker, float], ...] = (
    (value, 3.0),
    (extreme, 2.4),
    (count, 0.5),
    (compare, 0.7),
    (title, 0.5),
    (bar_colour, 0.3),
    (missing, 0.6),
)
