"""Charts drawn by matplotlib with its own style: another hand than the one that draws for training. Only to measure, never to train.

The questions and answers are those of `scenes`; marks are not known here, so nothing says where to look.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from training.scenes import chart_listings, chart_questions, vocabulary
from training.scenes.charts import ChartScene, Form, Number
from training.scenes.qa import QA, Language, Sample

# (figure's size in px, the picture's size in px): as large as the model looks at it, or larger, and then scaled down as a service does.
SIZES: tuple[tuple[tuple[int, int], tuple[int, int], float], ...] = (
    ((320, 192), (320, 192), 1.0),
    ((288, 192), (288, 192), 1.0),
    ((256, 256), (256, 256), 0.8),
    ((480, 288), (320, 192), 0.6),
    ((432, 288), (288, 192), 0.6),
)
_DPI = 100
_FONTS = ["DejaVu Sans", "Noto Sans CJK SC"]
_CYCLE = (1, 4, 2, 0, 5)  # the first colours of matplotlib's own cycle as indices of draw.COLOURS
_LABELS = tuple(group for group in vocabulary.LABEL_SETS + vocabulary.MORE_SETS if len(group) >= 4)
_LABELS_ZH = tuple(group for group in vocabulary.LABEL_SETS_ZH + vocabulary.MORE_SETS_ZH if len(group) >= 4)
_FORMS: tuple[tuple[Form, float], ...] = (("bar", 2.0), ("grouped_bar", 1.0), ("line", 1.0), ("pie", 1.0))


def _values(rng: Random, count: int) -> list[Number]:
    roll = rng.random()
    if roll < 0.1:
        return [number / 10 for number in rng.sample(range(10, 1000), count)]
    return list(rng.sample(range(1, 1000 if roll < 0.3 else 100), count))


def _shares(rng: Random, count: int) -> list[int]:
    """Whole per cent, all different, none too small for its slice."""
    while True:
        cuts = sorted(rng.sample(range(1, 100), count - 1))
        values = [after - before for before, after in zip([0, *cuts], [*cuts, 100], strict=True)]
        if len(set(values)) == count and min(values) >= 9:
            return values


def office_scene(rng: Random, width: int, height: int) -> ChartScene:
    """A chart as people make them in an office: usual labels, mostly with a title, now and then with names of the axes."""
    form: Form = rng.choices([kind for kind, _ in _FORMS], [share for _, share in _FORMS])[0]
    zh = rng.random() < 0.25
    group = rng.choice(_LABELS_ZH if zh else _LABELS)
    count = rng.randint(2, 3) if form == "grouped_bar" else rng.randint(3, 5 if width >= 288 else 4)
    count = min(count, len(group))
    start = rng.randint(0, len(group) - count)
    labels = group[start : start + count]
    title = rng.choice(vocabulary.TITLES_ZH if zh else vocabulary.TITLES) if rng.random() < 0.6 else ""
    y_axis = rng.choice(vocabulary.TITLES_ZH if zh else vocabulary.TITLES) if form != "pie" and rng.random() < 0.2 else ""
    scene = ChartScene(width, height, labels, (), (), title, form, y_axis=y_axis, ticks=form != "pie")
    if form == "pie":
        values = _shares(rng, count)
        tenths = rng.random() < 0.4
        shown = tuple(float(value) if tenths else value for value in values)
        return replace(scene, values=shown, colours=_CYCLE[:count], unit="%", suffix="%")
    if form == "grouped_bar":
        values = rng.sample(range(1, 100), 2 * count)
        names = tuple(vocabulary.series(rng, 2, list(labels)))
        return replace(scene, values=tuple(values[:count]), more=(tuple(values[count:]),), names=names, colours=_CYCLE[:2])
    horizontal = form == "bar" and rng.random() < 0.25
    return replace(scene, values=tuple(_values(rng, count)), colours=_CYCLE[:1] * count, horizontal=horizontal)


def render_foreign(scene: ChartScene, width: int, height: int) -> NDArray[np.uint8]:
    """The scene as matplotlib draws it on `width` x `height` px, brought to the scene's own size."""
    with mpl.rc_context({"font.family": _FONTS, "axes.unicode_minus": False}):
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, layout="tight")
        canvas = FigureCanvasAgg(figure)
        _draw(figure.subplots(), scene)
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    if image.size != (scene.width, scene.height):
        image = image.resize((scene.width, scene.height), Image.Resampling.BICUBIC)
    return np.asarray(image)


def _draw(axes: Any, scene: ChartScene) -> None:
    count, places = len(scene.labels), range(len(scene.labels))
    if scene.title:
        axes.set_title(scene.title)
    if scene.y_axis:
        (axes.set_xlabel if scene.horizontal else axes.set_ylabel)(scene.y_axis)
    if scene.form == "pie":
        decimals = 1 if isinstance(scene.values[0], float) else 0
        axes.pie(scene.values, labels=scene.labels, autopct=f"%1.{decimals}f%%")
    elif scene.form == "line":
        axes.plot(scene.labels, scene.values, marker="o")
        axes.margins(0.15, 0.25)
        for index in places:
            axes.annotate(scene.said(0, index), (index, scene.values[index]), textcoords="offset points", xytext=(0, 5), ha="center")
    elif scene.horizontal:
        axes.bar_label(axes.barh(scene.labels, scene.values), labels=[scene.said(0, i) for i in places])
        axes.invert_yaxis()
        axes.margins(x=0.2)
    elif scene.more:
        for row, name in enumerate(scene.names):
            bars = axes.bar([place + 0.4 * (row - 0.5) for place in places], scene.rows[row], 0.4, label=name)
            axes.bar_label(bars)
        axes.set_xticks(range(count), scene.labels)
        axes.margins(y=0.45)
        axes.legend(ncols=2, loc="upper center", frameon=False)
    else:
        axes.bar_label(axes.bar(scene.labels, scene.values), labels=[scene.said(0, i) for i in places])
        axes.margins(y=0.15)


def foreign_sample(seed: int, questions: int, language: Language) -> Sample:
    """One matplotlib chart with its parse and some short questions."""
    rng = Random(seed)
    drawn, size, _ = rng.choices(SIZES, [share for _, _, share in SIZES])[0]
    scene = office_scene(rng, *size)
    found: list[QA] = [chart_listings.parse(scene, language)] if rng.random() < 0.4 else []
    for _ in range(4 * questions):
        if len(found) < questions:
            maker = rng.choices([m for m, _ in chart_questions.MAKERS], [share for _, share in chart_questions.MAKERS])[0]
            qa = maker(rng, scene, language)
            if qa is not None and all(qa.text != other.text for other in found):
                found.append(qa)
    return Sample((render_foreign(scene, *drawn),), tuple(replace(qa, focus=()) for qa in found), ((),))
