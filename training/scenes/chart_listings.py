"""Long answers about charts: everything as data, as lines of text, or as a description."""

from __future__ import annotations

import json
from random import Random

from training.scenes.chart_questions import Parts, kind_of, say_label, say_name, say_value, spell
from training.scenes.charts import ChartScene
from training.scenes.qa import QA, Language, article, caption, reading, told, upper_first, vary

# What people type instead of choosing the task of captions.
DESCRIBE: dict[Language, tuple[str, ...]] = {
    "en": ("Describe the chart.", "Describe the image.", "What does the chart show?", "What does the image show?", "What is shown here?"),
    "zh": ("描述这张图表。", "描述这张图片。", "图表显示了什么？", "这张图显示了什么？", "图中有什么？"),
}


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def parse(scene: ChartScene, lang: Language) -> QA:
    """The task chart_parse: the whole chart as compact JSON, in the order of the keys of its schema."""
    form = "grouped_bar" if scene.more and scene.form == "bar" else scene.form
    parts: Parts = [(f'{{"chart_type":"{form}"', ())]
    for key, text in (("title", scene.title), ("x_axis", scene.x_axis), ("y_axis", scene.y_axis), ("unit", scene.unit)):
        parts.append((f',"{key}":"', ()))
        if text:
            parts += spell(scene, (key, 0, 0), ((), (), ()), 1) if (key, 0, 0) in scene.texts else [(text, ())]
        parts.append(('"', ()))
    for row in range(len(scene.rows)):
        parts.append(((',"series":[' if not row else ",") + '{"name":"', ()))
        parts += say_name(scene, row) if scene.names else []
        parts.append(('","points":[', ()))
        for index in range(len(scene.labels)):
            label = say_label(scene, row, index)
            number = _number(scene, row, index)
            parts += [(('{"label":"' if not index else ',{"label":"'), label[0][1]), *label, ('","value":', number[0][1]), *number]
            parts.append(("}", ()))
        parts.append(("]}", ()))
    return reading(lang, "chart_parse", [*parts, ("]}", ())])


def _number(scene: ChartScene, row: int, index: int) -> Parts:
    """A value as JSON: as printed, without what is printed after it."""
    number = json.dumps(scene.rows[row][index])
    parts: Parts = []
    for text, groups in say_value(scene, row, index):
        parts.append((text[: len(number) - sum(len(before) for before, _ in parts)], groups))
    return [part for part in parts if part[0]]


def transcript(scene: ChartScene, lang: Language) -> QA:
    """The task ocr: the captions, the names, then a line per label with its values."""
    lines: list[Parts] = []
    above = {key: spell(scene, (key, 0, 0), ((), (), ()), 1) for key in ("title", "y_axis", "unit") if (key, 0, 0) in scene.texts}
    if "title" in above:
        lines.append(above["title"])
    if "unit" in above:  # in one line with the name of the axis
        above["unit"] = [((" " if "y_axis" in above else "") + scene.before_unit, ()), *above["unit"]]
    if line := above.get("y_axis", []) + above.get("unit", []):
        lines.append(line)
    heads: list[Parts] = [spell(scene, ("x_axis", 0, 0), ((), (), ()), 1)] if scene.x_axis and scene.form == "table" else []
    heads += [say_name(scene, row) for row in range(len(scene.names))]
    if heads:
        lines.append(_spaced(heads))
    for index in range(len(scene.labels)):
        values = [say_value(scene, row, index) for row in range(len(scene.rows))]
        lines.append(_spaced([say_label(scene, 0, index), *values]))
    if scene.x_axis and scene.form != "table":
        lines.append(spell(scene, ("x_axis", 0, 0), ((), (), ()), 1))
    parts: Parts = []
    for number, line in enumerate(lines):
        parts += [("\n" + line[0][0] if number else line[0][0], line[0][1]), *line[1:]]
    return reading(lang, "ocr", parts)


def _spaced(texts: list[Parts]) -> Parts:
    parts: Parts = []
    for number, text in enumerate(texts):
        parts += [(" " + text[0][0] if number else text[0][0], text[0][1]), *text[1:]]
    return parts


def _points(scene: ChartScene, lang: Language) -> Parts:
    """Every label with its values, in a row."""
    parts: Parts = []
    for index in range(len(scene.labels)):
        label, values = say_label(scene, 0, index), [say_value(scene, row, index) for row in range(len(scene.rows))]
        if index:
            label = [(("，" if lang == "zh" else ", ") + label[0][0], label[0][1]), *label[1:]]
        parts += label
        for number, said in enumerate(values):
            between = " " if not number else "和" if lang == "zh" else " and "
            parts += [(between + said[0][0], said[0][1]), *said[1:]]
    return parts


def _head(scene: ChartScene, lang: Language, titled: bool) -> Parts:
    """What kind of chart it is, of how many, and in a longer description its title."""
    count, zh = len(scene.labels), lang == "zh"
    names: Parts = []
    if scene.more:
        for row in range(len(scene.names)):
            names += [(("和" if zh else " and ") if row else ("，系列为" if zh else " of "), ()), *say_name(scene, row)]
    title = spell(scene, ("title", 0, 0), ((), (), ()), 1) if titled and scene.title else []
    kind = kind_of(scene, lang)
    thing = {"bar": ("bars", "个柱子"), "line": ("points", "个点"), "pie": ("slices", "个扇形"), "table": ("rows", "行")}.get(scene.form)
    if zh:
        parts: Parts = [("一个标题为", ()), *title, (f"的{kind}", ())] if title else [(f"一个{kind}" if titled else kind, ())]
        parts += names
        return [*parts, (f"，有{count}{thing[1]}：" if thing and not names else "：", ())]
    parts = [(upper_first(article(kind)), ()), *names]
    if title:
        parts += [(" with the title ", ()), *title, (".", ())]
    elif titled:
        parts.append((".", ()))
    if thing and not names:
        return [*parts, (f" It has {count} {thing[0]}: " if titled else f" with {count} {thing[0]}: ", ())]
    return [*parts, (" It shows " if titled else ": ", ())]


def _description(scene: ChartScene, lang: Language, detailed: bool) -> Parts:
    zh = lang == "zh"
    parts = [*_head(scene, lang, detailed), *_points(scene, lang)]
    if not detailed or scene.more:
        return [*parts, ("。" if zh else ".", ())]
    high, low = scene.values.index(max(scene.values)), scene.values.index(min(scene.values))
    ends = ("。", "最高，", "最低。") if zh else (". ", " is the highest and ", " is the lowest.")
    return [*parts, (ends[0], ()), *say_label(scene, 0, high), (ends[1], ()), *say_label(scene, 0, low), (ends[2], ())]


def describe(scene: ChartScene, lang: Language, detailed: bool) -> QA:
    return caption(lang, "detailed" if detailed else "short", _description(scene, lang, detailed))


def described(rng: Random, scene: ChartScene, lang: Language) -> QA:
    """The short description, asked for in words of a person's own."""
    answer, focus = told(_description(scene, lang, False))
    return QA(vary(rng, rng.choice(DESCRIBE[lang]), lang), answer, "describe", lang, focus=focus)


def listing(rng: Random, scene: ChartScene, lang: Language) -> QA:
    """One of the long answers."""
    roll = rng.random()
    if roll < 0.5:
        return parse(scene, lang)
    if roll < 0.68 and not scene.ticks:  # the numbers of a scale are no values
        return transcript(scene, lang)
    return describe(scene, lang, detailed=roll > 0.9)
