"""What may be right without eyes."""

from __future__ import annotations

from dataclasses import replace

from training.chance import Guesser, wording
from training.scenes.qa import QA
from training.scenes.sampler import sample


def asked(text: str, answer: str) -> QA:
    some = sample(1, "shapes", 128, 128, 1, "en", "vqa").questions[0]
    return replace(some, text=text, answer=answer)


def test_a_wording_leaves_open_what_differs_between_pictures() -> None:
    assert wording("How many red circles are there?") == wording("How many blue squares are there?")
    assert wording("图中有几个红色圆形？") == wording("图中有几个蓝色方块？")
    assert wording("Is 12 more than 30?") == wording("Is 4 more than 7.5?")
    assert wording("Is there a red circle?") != wording("How many red circles are there?")


def test_a_guesser_says_what_was_said_most_often() -> None:
    guess = Guesser(
        [asked("Is there a red circle?", "no"), asked("Is there a blue square?", "yes"), asked("Is there a green star?", "yes")]
    )
    assert guess("Is there a yellow heart?") == "yes"
    assert guess("How many hearts are there?") == ""


def test_without_eyes_counts_cannot_be_known() -> None:
    made = [qa for seed in range(300) for qa in sample(seed, "shapes", 128, 128, 4, "en", "vqa").questions if qa.skill == "count"]
    half = len(made) // 2
    guess = Guesser(made[:half])
    right = [guess(qa.text) == qa.answer for qa in made[half:]]
    assert 0.15 < sum(right) / len(right) < 0.6
