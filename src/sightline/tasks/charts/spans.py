"""JSON that a model wrote, read with the place of every value, and as far as it goes where it was cut off.

Why not a decoder of the shelf: a confidence needs to know which characters a value is made of, and an answer that ended at
`max_tokens` is still worth its whole part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_BLANK = re.compile(r"[ \t\r\n]*")
_AFTER = frozenset(",]} \t\r\n")
"""What may follow a number."""
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Node:
    """One value: what it is, and where it stands, `text[start:end]`. Members and elements are nodes of their own.

    `whole` is False where the text ended inside of it; it then holds what came before.
    """

    start: int
    end: int
    value: str | int | float | bool | None = None
    members: Mapping[str, Node] = field(default_factory=lambda: _NOTHING)
    elements: tuple[Node, ...] = ()
    kind: str = "scalar"
    """`object`, `array` or `scalar`."""
    whole: bool = True

    def plain(self) -> Any:
        """The value without places."""
        if self.kind == "object":
            return {name: node.plain() for name, node in self.members.items()}
        return [node.plain() for node in self.elements] if self.kind == "array" else self.value

    def scalars(self) -> Iterator[Node]:
        """Every value without parts, in order."""
        if self.kind == "scalar":
            yield self
        for node in (*self.members.values(), *self.elements):
            yield from node.scalars()


_NOTHING: Mapping[str, Node] = MappingProxyType({})


class _Cut(Exception):
    """The text ended, or went wrong, inside a value; `node` is what can be used of it."""

    def __init__(self, node: Node | None = None) -> None:
        self.node = node


def read(text: str) -> Node | None:
    """The first object or array in a text, whatever stands around it; None where there is none, or nothing of it is whole."""
    start = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=-1)
    if start < 0:
        return None
    try:
        return _value(text, start, 0)
    except _Cut as cut:
        return cut.node


def _value(text: str, at: int, depth: int) -> Node:
    """The value at a place. Raises `_Cut`; a value without parts is only used when it is whole."""
    if depth > _DEEPEST:
        raise _Cut
    match text[at : at + 1]:
        case "{":
            return _object(text, at, depth)
        case "[":
            return _array(text, at, depth)
        case '"':
            found = _STRING.match(text, at)
            if not found:
                raise _Cut
            try:
                return Node(at, found.end(), json.loads(found[0]))
            except ValueError:
                raise _Cut from None
        case _:
            return _word(text, at)


def _word(text: str, at: int) -> Node:
    for word, value in (("true", True), ("false", False), ("null", None)):
        if text.startswith(word, at):
            return Node(at, at + len(word), value)
    found = _NUMBER.match(text, at)
    # A number that the text ends with, or that goes on as none does, is not whole.
    if not found or text[found.end() : found.end() + 1] not in _AFTER:
        raise _Cut
    number = found[0]
    return Node(at, found.end(), float(number) if re.search(r"[.eE]", number) else int(number[:300]))


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _object(text: str, start: int, depth: int) -> Node:
    members: dict[str, Node] = {}
    at = _skip(text, start + 1)
    try:
        while text[at : at + 1] != "}":
            if members:
                at = _expect(text, at, ",")
            name = _value(text, at, depth + 1)
            if not isinstance(name.value, str):
                raise _Cut
            at = _expect(text, _skip(text, name.end), ":")
            try:
                members[name.value] = _value(text, at, depth + 1)
            except _Cut as cut:
                if cut.node:
                    members[name.value] = cut.node
                raise
            at = _skip(text, members[name.value].end)
    except _Cut:
        raise _Cut(Node(start, len(text), members=members, kind="object", whole=False)) from None
    return Node(start, at + 1, members=members, kind="object")


def _array(text: str, start: int, depth: int) -> Node:
    elements: list[Node] = []
    at = _skip(text, start + 1)
    try:
        while text[at : at + 1] != "]":
            if elements:
                at = _expect(text, at, ",")
            try:
                elements.append(_value(text, at, depth + 1))
            except _Cut as cut:
                if cut.node:
                    elements.append(cut.node)
                raise
            at = _skip(text, elements[-1].end)
    except _Cut:
        raise _Cut(Node(start, len(text), elements=tuple(elements), kind="array", whole=False)) from None
    return Node(start, at + 1, elements=tuple(elements), kind="array")


def _expect(text: str, at: int, sign: str) -> int:
    """The place of what follows `sign`. Raises `_Cut`."""
    if text[at : at + 1] != sign:
        raise _Cut
    return _skip(text, at + 1)
