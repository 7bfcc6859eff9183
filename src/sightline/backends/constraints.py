"""How an answer is held to a JSON Schema: the fields of a request that ask for it (`openai.py` sends them), and a look at what comes.

A grammar that a server makes of a schema usually leaves the blanks between the parts of an answer free, and a model that closes a string
too early may then write nothing but blanks up to its last token (vllm-project/vllm#38696, mlc-ai/xgrammar#412). So a server that can be
told to bound them is told, and of any other's answer no more than `_MOST_BLANKS` in a row are waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sightline.backends.dialects import Dialect
from sightline.prompt import Prompt

_BLANKS = " \t\r\n"
_MOST_BLANKS = 400
"""In a row. A string may hold some, for a table's columns say; a person's JSON is indented by fewer."""
_KEPT = frozenset(
    (
        "$defs",
        "$ref",
        "$schema",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "description",
        "enum",
        "examples",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "prefixItems",
        "properties",
        "required",
        "title",
        "type",
    )
)
"""Keywords that xgrammar is known to keep in a structural tag. There vLLM does not look, as it does for a schema, whether xgrammar keeps
all of it and another library should be asked (vLLM 0.32, v1/structured_output/backend_xgrammar.py)."""


def constrain(prompt: Prompt, dialect: Dialect, *, common: bool = False) -> dict[str, Any]:
    """The fields that hold an answer to the prompt's schema; in the form that every server reads where `common` asks for it."""
    if not common and prompt.grammar is not None and dialect.grammar is not None:
        constraint: Any = prompt.grammar
        for name in reversed(dialect.grammar[1:]):
            constraint = {name: constraint}
        return {dialect.grammar[0]: constraint}
    if prompt.schema is None:
        return {}
    if not common and dialect.bounds_blanks and _is_kept(prompt.schema):
        tag = {"type": "json_schema", "json_schema": prompt.schema, "max_whitespace_cnt": 1}
        return {"response_format": {"type": "structural_tag", "format": tag}}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": prompt.schema}}}


def has_own_form(prompt: Prompt, dialect: Dialect) -> bool:
    """Whether a server of this kind is asked in a form of its own, which one that is set up otherwise may refuse."""
    return constrain(prompt, dialect) != constrain(prompt, dialect, common=True)


class Blanks:
    """Watches for an answer that has become nothing but blanks."""

    def __init__(self) -> None:
        self._run = 0

    def run_away(self, text: str) -> bool:
        """Whether, with this next piece of the answer, its last blanks are more than any answer has."""
        last = len(text) - len(text.rstrip(_BLANKS))
        self._run = self._run + last if last == len(text) else last
        return self._run > _MOST_BLANKS


def _is_kept(schema: Any) -> bool:
    """Whether every keyword of a schema, and of those in it, is one of `_KEPT`."""
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, Mapping):
        return False
    members = cast("Mapping[str, Any]", schema)
    if not members.keys() <= _KEPT:
        return False
    inner: list[Any] = [members[name] for name in ("items", "additionalProperties") if name in members]
    for name in ("properties", "$defs"):
        named = members.get(name, {})
        if not isinstance(named, Mapping):
            return False
        inner += cast("Mapping[str, Any]", named).values()
    for name in ("anyOf", "prefixItems"):
        listed = members.get(name, [])
        if not isinstance(listed, list):
            return False
        inner += cast("list[Any]", listed)
    return all(_is_kept(each) for each in inner)
