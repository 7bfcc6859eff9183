"""What an operator is told when a store cannot be used; callers of the service never meet it."""

from __future__ import annotations

from sightline.protocol.language import Bilingual, Language


class StoreFault(Exception):
    """A store that is away, damaged or wrongly configured: a sentence for the operator, without secrets."""

    def __init__(self, message: Bilingual) -> None:
        self.message = message
        super().__init__(message.en)

    def say(self, language: Language) -> str:
        return self.message.pick(language)
