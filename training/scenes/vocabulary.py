"""Words that are printed in charts and on text crops."""

from __future__ import annotations

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
TITLES = ("Sales", "Profit", "Cost", "Visits", "Score", "Rain", "Users", "Output")
TITLES_ZH = ("销量", "利润", "成本", "得分")


def labels(rng: Random, count: int) -> list[str]:
    """`count` different labels of one set; series such as months keep their order."""
    group = rng.choice(LABEL_SETS_ZH) if rng.random() < 0.25 else rng.choice(LABEL_SETS)
    if rng.random() < 0.6:
        start = rng.randint(0, len(group) - count)
        return list(group[start : start + count])
    return rng.sample(group, count)


def every_label() -> list[str]:
    return [label for group in LABEL_SETS + LABEL_SETS_ZH for label in group]
