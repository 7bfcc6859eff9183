"""What the measures of moderation compare: the rules alone, and with the classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sightline.moderation.classifier import Classifier
from sightline.moderation.rules import Rules

Finds = Callable[[str], bool]


def finders(rules: Rules, classifier: Classifier) -> Mapping[str, Finds]:
    """Whether a text is refused, by what refuses it."""

    def by_rules(text: str) -> bool:
        return rules.find(text) is not None

    def by_both(text: str) -> bool:
        return by_rules(text) or classifier.find(text) is not None

    return {"rules": by_rules, "rules and classifier": by_both}
