"""Derived numbers: computed here from the values that were read, exactly, and shown with their formula.

Decimal arithmetic on the digits as they stand in the chart, so that 0.1 + 0.2 is 0.3; results are rounded once, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

from sightline.protocol.language import Bilingual, Language
from sightline.tasks.charts.chart import Chart, Derived, Number, Step
from sightline.tasks.charts.operands import chosen, ends_of, every, extremes, only, step_at, two
from sightline.tasks.charts.questions import Operation, Question, Row, interpret

_EQUAL = Bilingual("相等", "equal")
_UNDEFINED = Bilingual("无法计算：{label}的值为 0。", "This cannot be computed: {label} is 0.")


def derive(text: str, charts: Sequence[Chart], language: Language) -> Derived | None:
    """The answer to a question about the values; None where it asks for no calculation, or it stays open of which values."""
    question = interpret(text, charts)
    return None if question is None else _MAKERS[question.operation](question, language)


def _growth_rate(question: Question, language: Language) -> Derived | None:
    row = only(question.rows)
    ends = ends_of(row, question.labels) if row else None
    if row is None or ends is None:
        return None
    first, last = ends
    steps = (step_at(row, first), step_at(row, last))
    if not steps[0].value:
        return _undefined("growth_rate", steps, steps[0].label, language)
    rate = _rate(steps)
    sentence = Bilingual(
        f"从“{steps[0].label}”到“{steps[1].label}”的变化率为 {_percent(rate)}：{_growth_formula(steps)}。",
        f"From {steps[0].label} to {steps[1].label} it changed by {_percent(rate)}: {_growth_formula(steps)}.",
    )
    return _derived("growth_rate", _growth_formula(steps), rate, _percent(rate), sentence, steps, "%", language)


def _compare_growth(question: Question, language: Language) -> Derived | None:
    """Which of several rows grew faster: every row from its first value to its last, or between the labels that are named."""
    found: list[tuple[Row, tuple[Step, Step]]] = []
    for row in question.rows:
        ends = ends_of(row, question.labels)
        if ends is not None:
            found.append((row, (step_at(row, ends[0]), step_at(row, ends[1]))))
    if len(found) < 2 or len(found) < len(question.rows):
        return None
    steps = tuple(step for _, pair in found for step in pair)
    if zero := next((pair[0] for _, pair in found if not pair[0].value), None):
        return _undefined("compare_growth", steps, zero.label, language)
    names = [_name(row, question.rows, language) for row, _ in found]
    rates = [_rate(pair) for _, pair in found]
    formula = "; ".join(f"{name}: {_growth_formula(pair)}" for name, (_, pair) in zip(names, found, strict=True))
    # Of two declines the faster one is the larger, unless the question asks for growth.
    ranked = [-rate for rate in rates] if question.falling else rates
    best = min(ranked) if question.down else max(ranked)
    winners = [name for name, rate in zip(names, ranked, strict=True) if rate == best]
    result = rates[ranked.index(best)]
    if len(winners) > 1:
        who = Bilingual("与".join(winners), " and ".join(winners))
        sentence = Bilingual(f"{who.zh}的变化率相同：{formula}。", f"{who.en} changed at the same rate: {formula}.")
        return _derived("compare_growth", formula, result, _EQUAL.pick(language), sentence, steps, "%", language)
    words = _growth_words(question, any(rate > 0 for rate in ranked))
    sentence = Bilingual(f"{words.zh.format(winners[0])}：{formula}。", f"{words.en.format(winners[0])}: {formula}.")
    return _derived("compare_growth", formula, result, winners[0], sentence, steps, "%", language)


def _growth_words(question: Question, any_did: bool) -> Bilingual:
    """How the winner is told; where none went the way that was asked for, so much is said first."""
    if not any_did:
        most = Bilingual("最多", "most") if question.down else Bilingual("最少", "least")
        if question.falling:
            return Bilingual(f"都没有下降，{{}}增长{most.zh}", f"None fell; {{}} grew the {most.en}")
        return Bilingual(f"都没有增长，{{}}下降{most.zh}", f"None grew; {{}} fell the {most.en}")
    pace = Bilingual("更慢", "more slowly") if question.down else Bilingual("更快", "faster")
    return (
        Bilingual(f"{{}}下降{pace.zh}", f"{{}} fell {pace.en}")
        if question.falling
        else Bilingual(f"{{}}增长{pace.zh}", f"{{}} grew {pace.en}")
    )


def _difference(question: Question, language: Language) -> Derived | None:
    steps = two(question) or extremes(question)
    if steps is None:
        return None
    first, second = steps
    if question.than and question.down:
        first, second = second, first
    result = _decimal(first) - _decimal(second)
    if not question.than and result < 0:
        first, second, result = second, first, -result
    formula = f"{_say(first.value)} - {_bracket(second.value)} = {_number(result)}"
    return _plain_sentence("difference", Bilingual("差", "difference"), formula, result, steps, question, language)


def _ratio(question: Question, language: Language) -> Derived | None:
    steps = two(question)
    if steps is None:
        return None
    if not steps[1].value:
        return _undefined("ratio", steps, steps[1].label, language)
    result = _decimal(steps[0]) / _decimal(steps[1])
    formula = f"{_say(steps[0].value)} / {_bracket(steps[1].value)} = {_number(result)}"
    return _plain_sentence("ratio", Bilingual("比值", "ratio"), formula, result, steps, question, language, unit="")


def _share(question: Question, language: Language) -> Derived | None:
    """One part of the whole of its row."""
    row = only(question.rows)
    if row is None or len(question.labels) != 1 or (index := row.find(question.labels[0])) is None:
        return None
    steps = every([row])
    part, whole = _decimal(step_at(row, index)), sum((_decimal(step) for step in steps), Decimal(0))
    if not whole:
        return None
    result = part / whole * 100
    formula = f"{_number(part)} / ({_joined(steps, ' + ')}) = {_percent(result)}"
    label = question.labels[0]
    sentence = Bilingual(f"“{label}”占 {_percent(result)}：{formula}。", f"{label} is {_percent(result)} of the whole: {formula}.")
    return _derived("share", formula, result, _percent(result), sentence, steps, "%", language)


def _total(question: Question, language: Language, *, mean: bool) -> Derived | None:
    """The sum or the mean of the named values, or of all."""
    steps = chosen(question)
    if len(steps) < 2:
        return None
    total = sum((_decimal(step) for step in steps), Decimal(0))
    if mean:
        result = total / len(steps)
        formula = f"({_joined(steps, ' + ')}) / {len(steps)} = {_number(result)}"
        return _plain_sentence("mean", Bilingual("平均值", "mean"), formula, result, steps, question, language)
    formula = f"{_joined(steps, ' + ')} = {_number(total)}"
    return _plain_sentence("sum", Bilingual("总和", "sum"), formula, total, steps, question, language)


def _comparison(question: Question, language: Language) -> Derived | None:
    steps = two(question)
    if steps is None:
        return None
    first, second = steps
    names = [step.label for step in steps] if first.label != second.label else [step.series for step in steps]
    if first.label == second.label and names[0] == names[1]:
        names = [_image(step.image_index, language) for step in steps]
    sign = ">" if first.value > second.value else "<" if first.value < second.value else "="
    formula = f"{_say(first.value)} {sign} {_say(second.value)}"
    if sign == "=":
        sentence = Bilingual(f"两者相等：{formula}。", f"They are equal: {formula}.")
        return _derived("comparison", formula, None, _EQUAL.pick(language), sentence, steps, "", language)
    better = names[0] if (first.value > second.value) != question.down else names[1]
    word = Bilingual("更小", "smaller") if question.down else Bilingual("更大", "larger")
    sentence = Bilingual(f"“{better}”{word.zh}：{formula}。", f"{better} is {word.en}: {formula}.")
    return _derived("comparison", formula, None, better, sentence, steps, "", language)


def _extreme(question: Question, language: Language, *, highest: bool) -> Derived | None:
    steps = chosen(question)
    if not steps:
        return None
    value = (max if highest else min)(step.value for step in steps)
    winners = [step for step in steps if step.value == value]
    called = [f"{step.label} ({step.series})" if step.series and len(question.rows) > 1 else step.label for step in winners]
    formula = f"{'max' if highest else 'min'}({_joined(steps, ', ')}) = {_say(value)}"
    word = Bilingual("最高", "highest") if highest else Bilingual("最低", "lowest")
    sentence = Bilingual(f"{'、'.join(called)}{word.zh}，为 {_say(value)}。", f"{', '.join(called)} is the {word.en}: {_say(value)}.")
    operation: Operation = "maximum" if highest else "minimum"
    return _derived(operation, formula, Decimal(str(value)), ", ".join(called), sentence, steps, _unit(question), language)


def _value(question: Question, language: Language) -> Derived | None:
    steps = chosen(question) if len(question.labels) == 1 else ()
    if len(steps) != 1:
        return None
    (step,) = steps
    unit = _unit(question)
    formula = f"{step.label} = {_say(step.value)}"
    said = _with_unit(_say(step.value), unit)
    sentence = Bilingual(f"“{step.label}”的值为 {said}。", f"{step.label} is {said}.")
    return _derived("value", formula, Decimal(str(step.value)), said, sentence, steps, unit, language)


_MAKERS: dict[Operation, Callable[[Question, Language], Derived | None]] = {
    "compare_growth": _compare_growth,
    "growth_rate": _growth_rate,
    "share": _share,
    "ratio": _ratio,
    "difference": _difference,
    "mean": partial(_total, mean=True),
    "sum": partial(_total, mean=False),
    "comparison": _comparison,
    "maximum": partial(_extreme, highest=True),
    "minimum": partial(_extreme, highest=False),
    "value": _value,
}


# How it is said


def _derived(
    operation: Operation,
    formula: str,
    result: Decimal | None,
    answer: str,
    sentence: Bilingual,
    steps: Sequence[Step],
    unit: str,
    language: Language,
) -> Derived:
    known = [step.confidence for step in steps if step.confidence is not None]
    return Derived(
        operation=operation,
        formula=formula,
        result=None if result is None else _plain(result),
        text=sentence.pick(language),
        answer=answer,
        unit=unit,
        inputs=tuple(steps),
        confidence=round(math.prod(known), 4) if len(known) == len(steps) else None,
    )


def _plain_sentence(
    operation: Operation,
    word: Bilingual,
    formula: str,
    result: Decimal,
    steps: Sequence[Step],
    question: Question,
    language: Language,
    unit: str | None = None,
) -> Derived:
    unit = _unit(question) if unit is None else unit
    said = _with_unit(_number(result), unit)
    sentence = Bilingual(f"{word.zh}为 {said}：{formula}。", f"The {word.en} is {said}: {formula}.")
    return _derived(operation, formula, result, said, sentence, steps, unit, language)


def _undefined(operation: Operation, steps: Sequence[Step], label: str, language: Language) -> Derived:
    formula = " / ".join(_say(step.value) for step in steps)
    return _derived(operation, formula, None, "", _UNDEFINED.fill(label=label), steps, "", language)


def _rate(steps: Sequence[Step]) -> Decimal:
    first, last = _decimal(steps[0]), _decimal(steps[1])
    return (last - first) / abs(first) * 100


def _growth_formula(steps: Sequence[Step]) -> str:
    first, last = steps[0].value, steps[1].value
    base = f"|{_say(first)}|" if first < 0 else _say(first)
    return f"({_say(last)} - {_bracket(first)}) / {base} = {_percent(_rate(steps))}"


def _name(row: Row, rows: Sequence[Row], language: Language) -> str:
    """What tells a row from the others: its series, or its picture and title."""
    several = len({other.chart.image_index for other in rows}) > 1
    alone = sum(other.chart.image_index == row.chart.image_index for other in rows) == 1
    if not several:
        return row.series.name or _image(row.chart.image_index, language)
    image = _image(row.chart.image_index, language)
    detail = row.chart.title if alone else row.series.name
    return f"{image}（{detail}）" if detail and language == "zh" else f"{image} ({detail})" if detail else image


def _image(index: int, language: Language) -> str:
    return Bilingual(f"图{index + 1}", f"Image {index + 1}").pick(language)


def _unit(question: Question) -> str:
    units = {row.chart.unit for row in question.rows}
    return units.pop() if len(units) == 1 else ""


def _with_unit(number: str, unit: str) -> str:
    return f"{number} {unit}" if unit else number


def _decimal(step: Step) -> Decimal:
    return Decimal(repr(step.value))


def _plain(number: Decimal) -> Number:
    rounded = round(number, 6)
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def _number(number: Decimal) -> str:
    return _say(_plain(round(number, 4)))


def _percent(number: Decimal) -> str:
    return f"{_say(_plain(round(number, 2)))} %"


def _say(value: Number) -> str:
    return repr(value)


def _bracket(value: Number) -> str:
    return f"({value!r})" if value < 0 else repr(value)


def _joined(steps: Sequence[Step], sign: str) -> str:
    shown = [_bracket(step.value) if sign == " + " else _say(step.value) for step in steps]
    return sign.join(shown)
