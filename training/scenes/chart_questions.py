"""Short questions about charts. Values are answered as they are printed; `chart_listings` has the long answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from training.scenes import vocabulary
from training.scenes.charts import ChartScene, pieces
from training.scenes.draw import COLOURS, SHAPES
from training.scenes.qa import CANNOT_TELL, NOTHING, QA, Groups, Language, absent, article, ask, counting, told

Maker = Callable[[Random, ChartScene, Language], QA | None]
Parts = list[tuple[str, Groups]]
Templates = dict[Language, Sequence[str]]


def at(scene: ChartScene, row: int, index: int) -> Groups:
    """Where a value and its label stand; the third head looks at what tells which: the label, or the name of the series."""
    label = scene.marks["label", 0, index]
    which = scene.marks["name", row, 0] if scene.more else label
    return (scene.marks["value", row, index], label, (*which, NOTHING))


def spell(scene: ChartScene, key: tuple[str, int, int], groups: Groups, head: int) -> Parts:
    """A printed text as a part of an answer: while a piece of it is told, `head` looks at this piece."""
    text, marks = scene.texts[key], scene.marks[key]
    starts = [start for start, _ in pieces(text)]
    parts: Parts = []
    for start, end, mark in zip(starts, [*starts[1:], len(text)], marks, strict=True):
        parts.append((text[start:end], (*groups[:head], (mark,), *groups[head + 1 :])))
    return parts


def say_value(scene: ChartScene, row: int, index: int) -> Parts:
    return spell(scene, ("value", row, index), at(scene, row, index), 0)


def say_label(scene: ChartScene, row: int, index: int) -> Parts:
    return spell(scene, ("label", 0, index), at(scene, row, index), 1)


def say_name(scene: ChartScene, row: int, groups: Groups = ((), (), ())) -> Parts:
    return spell(scene, ("name", row, 0), groups, 1)


def _ask(rng: Random, lang: Language, skill: str, templates: Templates, parts: Parts, **names: str) -> QA:
    answer, focus = told(parts)
    return replace(ask(rng, lang, skill, templates, answer, (), **names), focus=focus)


def _one_row(rng: Random, scene: ChartScene) -> int:
    return rng.randrange(len(scene.rows))


VALUE: Templates = {
    "en": (
        "What is the value of {x}?",
        "What is the value of {x}?",
        "What value does {x} have?",
        "How much is {x}?",
        "What is the number for {x}?",
        "What is {x}?",
        "Give the value of {x}.",
    ),
    "zh": ("{x}的数值是多少？", "{x}的数值是多少？", "{x}是多少？", "{x}的值是多少？", "{x}对应的数值是多少？", "图中{x}的数值是多少？"),
}
VALUE_IN: Templates = {
    "en": (
        "What is the value of {x} in {s}?",
        "What is the value of {x} in {s}?",
        "What is {s} for {x}?",
        "How much is {s} in {x}?",
        "What is the {s} value of {x}?",
    ),
    "zh": ("{s}中{x}的数值是多少？", "{s}中{x}的数值是多少？", "{x}的{s}是多少？", "{s}的{x}是多少？"),
}
_THINGS: dict[str, tuple[str, str, str]] = {
    "bar": ("bar", "柱子", "个"),
    "grouped_bar": ("bar", "柱子", "个"),
    "line": ("point", "点", "个"),
    "pie": ("slice", "扇形", "个"),
    "table": ("row", "行", ""),
}
_KINDS: dict[str, tuple[str, str]] = {
    "bar": ("bar chart", "柱状图"),
    "grouped_bar": ("grouped bar chart", "分组柱状图"),
    "line": ("line chart", "折线图"),
    "pie": ("pie chart", "饼图"),
    "table": ("table", "表格"),
}


def kind_of(scene: ChartScene, lang: Language) -> str:
    if scene.horizontal:
        return "horizontal bar chart" if lang == "en" else "条形图"
    return _KINDS[scene.form][0 if lang == "en" else 1]


def value(rng: Random, scene: ChartScene, lang: Language) -> QA:
    row, index = _one_row(rng, scene), rng.randrange(len(scene.labels))
    parts = say_value(scene, row, index)
    if not scene.more:
        return _ask(rng, lang, "chart_value", VALUE, parts, x=scene.labels[index])
    return _ask(rng, lang, "chart_value_series", VALUE_IN, parts, x=scene.labels[index], s=scene.names[row])


def extreme(rng: Random, scene: ChartScene, lang: Language) -> QA:
    high = rng.random() < 0.5
    row = _one_row(rng, scene)
    values = scene.rows[row]
    index = values.index((max if high else min)(values))
    size = ("largest", "smallest") if scene.form == "pie" else ("highest", "lowest")
    big = {"en": size, "zh": ("大", "小")}[lang][0 if high else 1]
    if scene.more:
        skill = "chart_highest_series" if high else "chart_lowest_series"
        templates: Templates = {
            "en": ("Which has the {b} {s}?", "Which label has the {b} value in {s}?", "Where is {s} the {b}?"),
            "zh": ("{s}最{h}的是哪个？", "{s}中哪一项最{h}？", "哪一项的{s}最{h}？"),
        }
        tall = "高" if high else "低"
        return _ask(rng, lang, skill, templates, say_label(scene, row, index), b=big, h=tall, s=scene.names[row])
    if rng.random() < 0.25:
        templates = {
            "en": ("What is the {b} value?", "What is the {b} number in the chart?"),
            "zh": ("最{b}的数值是多少？", "最{b}值是多少？"),
        }
        return _ask(rng, lang, "chart_extreme_value", templates, say_value(scene, 0, index), b=big)
    word = {"en": (("highest", "tallest", "largest"), ("lowest", "shortest", "smallest")), "zh": (("高",), ("低", "矮"))}[lang]
    thing, thing_zh, measure = _THINGS[scene.form]
    templates = {
        "en": (
            "Which {t} is the {x}?",
            "Which is the {x} {t}?",
            "What is the label of the {x} {t}?",
            "Which {t} is {x}?",
            "Which has the {b} value?",
            "Which label has the {b} value?",
        ),
        "zh": ("哪{m}{t}最{x}？", "最{x}的{t}是哪{m}？", "哪一项最{x}？", "哪一项的数值最{b}？", "哪个数值最{b}？"),
    }
    bars = scene.form == "bar"
    return _ask(
        rng,
        lang,
        "chart_highest" if high else "chart_lowest",
        templates,
        say_label(scene, 0, index),
        t=thing if lang == "en" else thing_zh,
        m=measure or "一",
        x=rng.choice(word[0 if high else 1]) if bars else big,
        b=big,
    )


def count(rng: Random, scene: ChartScene, lang: Language) -> QA:
    rows = scene.rows
    if scene.more and rng.random() < 0.5:
        templates: Templates = {
            "en": ("How many series are there?", "How many series does the chart have?"),
            "zh": ("有几个系列？", "图中有几个系列？"),
        }
        marks = [scene.marks["name", row, 0][0] for row in range(len(rows))]
        return ask(rng, lang, "chart_count", templates, str(len(rows)), counting(marks))
    if scene.form == "grouped_bar":  # more than a look can count
        return ask(
            rng,
            lang,
            "chart_count",
            {"en": ("How many groups are there?", "How many groups of bars are there?"), "zh": ("有几组柱子？", "图中有几组？")},
            str(len(scene.labels)),
            counting([scene.marks["label", 0, i][0] for i in range(len(scene.labels))]),
        )
    thing, thing_zh, measure = _THINGS[scene.form]
    if scene.form == "table":
        thing, thing_zh = "row of values", "行数值"
    things = thing.replace("row", "rows") if scene.form == "table" else thing + "s"
    templates = {
        "en": (
            "How many {t} are there?",
            "How many {t} does the chart have?",
            "How many {t} are in the chart?",
            "Count the {t}.",
            "How many {t}?",
        ),
        "zh": ("有几{m}{t}？", "图中有几{m}{t}？", "一共有多少{m}{t}？", "图表里有几{m}{t}？"),
    }
    marks = [scene.marks["value", 0, i][0] for i in range(len(scene.labels))]
    t = things if lang == "en" else thing_zh
    return ask(rng, lang, "chart_count", templates, str(len(scene.labels)), counting(marks), t=t, m=measure)


_LARGER: dict[Language, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (("larger", "higher", "bigger"), ("smaller", "lower")),
    "zh": (("大", "高"), ("小", "低")),
}


def compare(rng: Random, scene: ChartScene, lang: Language) -> QA | None:
    larger = rng.random() < 0.65
    word = rng.choice(_LARGER[lang][0 if larger else 1])
    if scene.more and rng.random() < 0.5:
        return _compare_series(rng, scene, lang, larger, word)
    row = _one_row(rng, scene)
    a, b = rng.sample(range(len(scene.labels)), 2)
    first, second = scene.rows[row][a], scene.rows[row][b]
    if first == second:
        return None
    chosen = a if (first > second) == larger else b
    templates: Templates = {
        "en": ("Which is {w}, {x} or {y}?", "Which bar is {w}, {x} or {y}?", "Which one is {w}: {x} or {y}?"),
        "zh": ("{x}和{y}哪个更{w}？", "{x}和{y}，哪个更{w}？", "{x}与{y}相比，哪个更{w}？"),
    }
    names = {"x": scene.labels[a], "y": scene.labels[b], "w": word}
    if scene.form != "bar":
        templates = {"en": (templates["en"][0], templates["en"][2]), "zh": templates["zh"]}
    if scene.more:
        templates = {"en": ("Which is {w} in {s}, {x} or {y}?",), "zh": ("{s}中{x}和{y}哪个更{w}？",)}
        names["s"] = scene.names[row]
    left, right = scene.marks["value", row, a], scene.marks["value", row, b]
    # The two values decide; the label is in the question already.
    looks: Groups = (left, right, (*left, *right, NOTHING))
    return ask(rng, lang, "chart_compare", templates, scene.labels[chosen], looks, **names)


def _compare_series(rng: Random, scene: ChartScene, lang: Language, larger: bool, word: str) -> QA | None:
    a, b = rng.sample(range(len(scene.rows)), 2)
    index = rng.randrange(len(scene.labels))
    first, second = scene.rows[a][index], scene.rows[b][index]
    if first == second:
        return None
    left, right = scene.marks["value", a, index], scene.marks["value", b, index]
    chosen = scene.names[a if (first > second) == larger else b]
    templates: Templates = {
        "en": ("Which is {w} in {x}, {s} or {r}?", "Which is {w} for {x}, {s} or {r}?"),
        "zh": ("{x}中{s}和{r}哪个更{w}？", "{x}的{s}和{r}哪个更{w}？"),
    }
    looks: Groups = (left, right, (*left, *right, NOTHING))
    return ask(rng, lang, "chart_compare", templates, chosen, looks, x=scene.labels[index], s=scene.names[a], r=scene.names[b], w=word)


_NAMED: dict[str, tuple[Templates, tuple[str, str]]] = {
    "title": (
        {
            "en": ("What is the title?", "What is the title of the chart?", "What is the chart called?"),
            "zh": ("标题是什么？", "图表的标题是什么？", "这个图表叫什么？"),
        },
        ("title", "标题"),
    ),
    "unit": (
        {"en": ("What is the unit?", "What is the unit of the values?"), "zh": ("单位是什么？", "数值的单位是什么？")},
        ("unit", "单位"),
    ),
}


def _named(rng: Random, scene: ChartScene, lang: Language, what: str) -> QA:
    templates, names = _NAMED[what]
    skill = f"chart_{what}"
    if (what, 0, 0) in scene.texts:
        return _ask(rng, lang, skill, templates, spell(scene, (what, 0, 0), ((), (), ()), 1))
    if what == "unit" and scene.suffix:
        return ask(rng, lang, skill, templates, scene.unit, ((*scene.marks["value", 0, 0],), (), ()))
    return ask(rng, lang, skill, templates, absent(lang, names[0 if lang == "en" else 1]), counting(()))


def title(rng: Random, scene: ChartScene, lang: Language) -> QA:
    return _named(rng, scene, lang, "title")


def unit(rng: Random, scene: ChartScene, lang: Language) -> QA | None:
    return _named(rng, scene, lang, "unit") if scene.unit or rng.random() < 0.2 else None


def kind(rng: Random, scene: ChartScene, lang: Language) -> QA:
    templates: Templates = {
        "en": ("What kind of chart is this?", "What type of chart is it?"),
        "zh": ("这是什么图？", "这是什么类型的图表？"),
    }
    return ask(rng, lang, "chart_kind", templates, article(kind_of(scene, lang)) if lang == "en" else kind_of(scene, lang))


def colour(rng: Random, scene: ChartScene, lang: Language) -> QA | None:
    """The colour of a bar, a slice or a series."""
    if scene.form == "table" or (scene.form == "line" and not scene.more):
        return None
    index = rng.randrange(len(scene.colours))
    name = COLOURS[scene.colours[index]][0]
    said = name.zh if lang == "zh" else name.en
    thing, thing_zh, _ = _THINGS[scene.form]
    templates: Templates = {
        "en": ("What colour is the {x} {t}?", "What colour is the {t} of {x}?", "Which colour is {x}?"),
        "zh": ("{x}的{t}是什么颜色？", "{x}是什么颜色的？"),
    }
    if scene.more:
        templates = {"en": ("What colour is {x}?", "Which colour is {x}?"), "zh": ("{x}是什么颜色？", "{x}是什么颜色的？")}
        marks = scene.marks["name", index, 0]
        return ask(rng, lang, "chart_colour", templates, said, (marks, marks, (*marks, NOTHING)), x=scene.names[index])
    t = thing if lang == "en" else thing_zh
    return ask(rng, lang, "chart_colour", templates, said, at(scene, 0, index), x=scene.labels[index], t=t)


def missing(rng: Random, scene: ChartScene, lang: Language) -> QA:
    """Asks for a label that is not there, for a shape that no chart holds, or for what no chart tells."""
    roll = rng.random()
    if roll < 0.25:
        shape = rng.choice(SHAPES)
        templates: Templates = {
            "en": ("Is there {x}?", "Is there {x} in the image?", "Do you see {x}?"),
            "zh": ("有{x}吗？", "图中有{x}吗？", "有没有{x}？"),
        }
        no = "没有" if lang == "zh" else "no"
        return ask(rng, lang, "existence", templates, no, counting(()), x=shape.zh if lang == "zh" else article(shape.en))
    if roll < 0.45:
        templates = {
            "en": ("Why is {x} so high?", "Who made this chart?", "Where do the numbers come from?", "Why did {x} change?", "Who is {x}?"),
            "zh": ("{x}为什么这么高？", "这张图是谁做的？", "这些数值从哪里来？", "{x}为什么变了？", "{x}是谁？"),
        }
        return ask(rng, lang, "cannot_tell", templates, CANNOT_TELL[lang], counting(()), x=rng.choice(scene.labels))
    label = next((x for _ in range(4) if (x := _other(rng, scene)) not in scene.labels), "Z")
    if label in scene.labels:
        label = "9"
    return ask(rng, lang, "absent", VALUE, absent(lang, label), counting(()), x=label)


def _other(rng: Random, scene: ChartScene) -> str:
    """A label that could be in the chart, if only by its look."""
    if rng.random() < 0.2:
        return vocabulary.alike(rng, rng.choice(scene.labels))
    groups = [group for group in vocabulary.LABEL_SETS + vocabulary.LABEL_SETS_ZH if scene.labels[0] in group]
    return rng.choice(rng.choice(groups)) if groups and rng.random() < 0.6 else vocabulary.labels(rng, 2)[0]


def difference(rng: Random, scene: ChartScene, lang: Language) -> QA | None:
    """The difference or the sum of two whole values; the service computes it from the values that are read."""
    row = _one_row(rng, scene)
    a, b = rng.sample(range(len(scene.labels)), 2)
    first, second = scene.rows[row][a], scene.rows[row][b]
    if isinstance(first, float) or isinstance(second, float) or scene.more:
        return None
    left, right = scene.marks["value", row, a], scene.marks["value", row, b]
    looks: Groups = (left, right, (*left, *right, NOTHING))
    if rng.random() < 0.5:
        templates: Templates = {
            "en": ("What is the difference between {x} and {y}?",),
            "zh": ("{x}和{y}相差多少？", "{x}与{y}的差是多少？"),
        }
        return ask(rng, lang, "chart_difference", templates, str(abs(first - second)), looks, x=scene.labels[a], y=scene.labels[b])
    templates = {"en": ("What is the sum of {x} and {y}?",), "zh": ("{x}与{y}之和是多少？",)}
    return ask(rng, lang, "chart_sum", templates, str(first + second), looks, x=scene.labels[a], y=scene.labels[b])


MAKERS: tuple[tuple[Maker, float], ...] = (
    (value, 3.0),
    (extreme, 2.4),
    (count, 0.5),
    (compare, 1.0),
    (title, 0.4),
    (unit, 0.15),
    (kind, 0.12),
    (colour, 0.3),
    (missing, 0.6),
)
# What is hard to learn, more often: two values side by side, and labels that are not there.
DRILL: tuple[tuple[Maker, float], ...] = tuple((maker, {compare: 1.8, missing: 0.8}.get(maker, share)) for maker, share in MAKERS)
"""Only to measure: the service computes these from the values that it has read."""
COMPUTED: tuple[tuple[Maker, float], ...] = ((difference, 1.0),)
