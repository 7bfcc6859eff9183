"""Text on its way out, released as soon as nothing that must be refused can begin in it any more."""

from __future__ import annotations

from collections import deque

from msgspec.structs import replace

from sightline.moderation.rules import Match, Rules
from sightline.prompt import Delta


class Screen:
    """Reads a stream piece by piece. `clear` is how far (in code points from its beginning) it may be shown."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._reading = rules.reading()
        self.clear = 0

    def feed(self, text: str, *, final: bool = False) -> Match | None:
        """Goes on with more text, or ends with `final`. After a match the stream is over."""
        self._reading.read(text)
        match, free = self._rules.search(self._reading, final=final)
        if match:
            return match
        self._reading.drop(free)
        self.clear = self._reading.at[0] if self._reading.letters else self._reading.end
        return None


class Held:
    """Deltas that wait for their text to be clear, in order.

    A delta is parted only where its log-probabilities can be parted with it: between two tokens, or anywhere when it has none.
    """

    def __init__(self) -> None:
        self._waiting: deque[Delta] = deque()
        self._released = 0

    def add(self, delta: Delta) -> None:
        self._waiting.append(delta)

    def release(self, clear: int) -> list[Delta]:
        """What may be shown when the text is clear up to `clear`."""
        out: list[Delta] = []
        while self._waiting:
            delta = self._waiting[0]
            if self._released + len(delta.text) <= clear:
                self._waiting.popleft()
            else:
                parts = _part(delta, clear - self._released)
                if parts is None:
                    break
                delta, self._waiting[0] = parts
            self._released += len(delta.text)
            out.append(delta)
        return out


def _part(delta: Delta, room: int) -> tuple[Delta, Delta] | None:
    """The delta in two, the first with at most `room` characters; None where it cannot be parted there."""
    if room <= 0:
        return None
    if delta.logprobs is None:
        head, tail, size = None, None, room
    else:
        if "".join(token.token for token in delta.logprobs) != delta.text:
            return None
        count = size = 0
        for token in delta.logprobs:
            if size + len(token.token) > room:
                break
            count, size = count + 1, size + len(token.token)
        if size == 0:
            return None
        head, tail = delta.logprobs[:count], delta.logprobs[count:]
    first = Delta(text=delta.text[:size], logprobs=head, reasoning=delta.reasoning)
    return first, replace(delta, text=delta.text[size:], logprobs=tail, reasoning="")
