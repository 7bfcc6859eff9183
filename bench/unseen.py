"""How well moderation does on text that nothing was tuned on: `python bench/unseen.py`. Aggregates only: what is missed is never shown.

Two claims are told apart. *Disguise*: what is refused in plain letters is refused in the disguises of bench/disguises.py. *Wording*:
freely worded requests (tests/data/evasion/unseen/) are refused, by the rules alone and with the classifier. Beside both stands what
clean text suffers. The text and the disguises were written and committed before their author read a rule, the normalisation or any
other corpus; the training text of the classifier was written by the same person after them, so they are unseen, and not independent.
"""

from __future__ import annotations

import random
from pathlib import Path

from disguises import BEYOND, DISGUISES, Disguise
from finders import Finds, finders
from sightline.moderation.classifier import Classifier
from sightline.moderation.rules import Rules, shipped

DATA = Path(__file__).parents[1] / "tests" / "data" / "evasion" / "unseen"


def main() -> None:
    rules, classifier = Rules(shipped()), Classifier.load()
    print("| | requests refused as they are | in their category | clean text refused | in disguise | disguised clean text refused |")
    print("|---|---|---|---|---|---|")
    details: list[str] = []
    for language in ("en", "zh"):
        asked = [line.split("\t") for line in (DATA / f"requests-{language}.tsv").read_text("utf-8").splitlines()]
        clean = (DATA / f"clean-{language}.txt").read_text("utf-8").splitlines()
        for name, refuses in finders(rules, classifier).items():
            plain = [text for _, text in asked if refuses(text)]
            right = sum((found := rules.find(text) or classifier.find(text)) is not None and found.category == category
                        for category, text in asked if refuses(text))  # fmt: skip
            shares = {trick: _share(refuses, trick, disguise, plain) for trick, disguise in DISGUISES[language].items()}
            wrong = sum(map(refuses, clean))
            dressed = [_share(refuses, trick, disguise, clean) for trick, disguise in DISGUISES[language].items()]
            print(
                f"| {language}, {name} | {len(plain)} of {len(asked)} ({len(plain) / len(asked):.1%}) | {right / len(asked):.1%} "
                f"| {wrong} of {len(clean)} ({wrong / len(clean):.2%}) | {sum(shares.values()) / len(shares):.1%} "
                f"| {sum(dressed) / len(dressed):.2%} |"
            )
            beyond = {trick: _share(refuses, trick, disguise, plain) for trick, disguise in BEYOND[language].items()}
            weak = ", ".join(f"{trick} {share:.0%}" for trick, share in shares.items() if share < 0.995)
            details.append(f"{language}, {name}: {weak or 'every disguise is seen through'}")
            details.append(f"    not claimed: {', '.join(f'{trick} {share:.0%}' for trick, share in beyond.items())}")
    print("\n" + "\n".join(details))


def _share(refuses: Finds, trick: str, disguise: Disguise, texts: list[str]) -> float:
    return sum(refuses(disguise(text, random.Random(f"{trick}:{text}"))) for text in texts) / max(1, len(texts))


if __name__ == "__main__":
    main()
