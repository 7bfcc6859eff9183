"""Thoughts that an engine leaves in the text: what stands between `<think>` at its very beginning and `</think>`.

Engines with a reasoning parser (llama.cpp always, vLLM with `--reasoning-parser`) tell thoughts apart themselves; from others
they come as part of the answer, and are taken out here, wherever the pieces are cut.
"""

from __future__ import annotations

from typing import Literal

_OPEN, _CLOSE = "<think>", "</think>"


class Thoughts:
    """Splits one answer as it comes."""

    def __init__(self) -> None:
        self._state: Literal["before", "in", "just after", "after"] = "before"
        self._held: str = ""

    @property
    def thinking(self) -> bool:
        """Whether what came last was a thought, or what stands around one."""
        return self._state in {"in", "just after"}

    def split(self, text: str) -> tuple[str, str]:
        """What of it is (thought, answer); what could be either is held back for the next piece."""
        if self._state == "after":
            return "", text
        text = self._held + text
        self._held = ""
        thought = ""
        if self._state == "before":
            begun = text.lstrip()
            if not begun.startswith(_OPEN):
                if _OPEN.startswith(begun):
                    self._held = text
                    return "", ""
                self._state = "after"
                return "", text
            self._state = "in"
            text = begun[len(_OPEN) :]
        if self._state == "in":
            thought, closed, rest = text.partition(_CLOSE)
            if not closed:
                kept = next((size for size in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:size])), 0)
                self._held = text[len(text) - kept :]
                return text[: len(text) - kept], ""
            self._state = "just after"
            text = rest
        # Blank lines between the thoughts and the answer belong to neither.
        text = text.lstrip()
        if text:
            self._state = "after"
        return thought, text

    def end(self) -> tuple[str, str]:
        """What was held back when the text ended, as (thought, answer)."""
        held = self._held
        self._held = ""
        return (held, "") if self._state == "in" else ("", held)
