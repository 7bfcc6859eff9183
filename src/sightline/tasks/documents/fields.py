"""The caller's own fields filled from a document: every page is asked for all of them, and of each the surest value is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sightline.prompt import text_of
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual
from sightline.tasks.aligned import Transcript
from sightline.tasks.base import Context
from sightline.tasks.charts.spans import Node, read
from sightline.tasks.documents.pages import Page
from sightline.tasks.documents.reading import Reading
from sightline.tasks.schemas import check_schema, is_valid

MOST_FIELDS = 64
_OBJECT = Bilingual("应为含有 properties 的对象", "it should be an object with properties")
_EXAMPLE = '{"type": "object", "properties": {"total": {"type": "number"}}}'


@dataclass(frozen=True, slots=True)
class Value:
    """One field's value as one page says it; `confidence` 0..1, or None where the engine tells no log-probabilities."""

    value: Any
    page: Page
    confidence: float | None


def check_fields(schema: Mapping[str, Any] | None) -> None:
    """Raises `MalformedRequest` unless the schema is an object of 1 to `MOST_FIELDS` fields."""
    if schema is None:
        raise MalformedRequest("options.schema", Bilingual("output=fields 需要它", "output=fields needs it"), _EXAMPLE)
    check_schema(schema, "options.schema")
    fields = schema.get("properties")
    if schema.get("type", "object") != "object" or not isinstance(fields, dict) or not fields:
        raise MalformedRequest("options.schema", _OBJECT, _EXAMPLE)
    count = len(fields)  # pyright: ignore[reportUnknownArgumentType] - JSON of the caller's: its length is all that is asked
    if count > MOST_FIELDS:
        reason = Bilingual(f"有 {count} 个字段", f"it has {count} fields")
        raise MalformedRequest("options.schema.properties", reason, f"1..{MOST_FIELDS}")


def of_one_page(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of what one page is asked for: every field, or null."""
    fields = {name: {"anyOf": [field, {"type": "null"}]} for name, field in schema["properties"].items()}
    asked: dict[str, Any] = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {**asked, "$defs": schema["$defs"]} if "$defs" in schema else asked


def question(ctx: Context) -> str:
    """The fields as a list, after the caller's own words if there are any."""
    lines = [f"- {name}{_meaning(field)}" for name, field in ctx.options.schema["properties"].items()]
    return "\n".join([text_of("doc_fields", ctx.language), *([ctx.text] if ctx.text.strip() else []), *lines])


def _meaning(field: Any) -> str:
    """What is asked for in words: the description, the choice or the type."""
    if not isinstance(field, dict):
        return ""
    told: dict[str, Any] = field  # pyright: ignore[reportUnknownVariableType] - JSON of the caller's
    kind = ", ".join(map(str, told["enum"])) if isinstance(told.get("enum"), list) else told.get("type")
    words = [str(word) for word in (told.get("title"), told.get("description"), kind) if word]
    return ": " + "; ".join(words) if words else ""


def values_of(reading: Reading, schema: Mapping[str, Any]) -> dict[str, Value]:
    """What one page says of the fields; what it leaves out, and what does not satisfy the schema, is not there."""
    found = read(reading.transcript.text) if reading.transcript else None
    if found is None or found.kind != "object" or reading.transcript is None:
        return {}
    said: dict[str, Value] = {}
    for name, field in schema["properties"].items():
        node = found.members.get(name)
        if node is None or not node.whole or (value := node.plain()) in (None, "", [], {}):
            continue
        if is_valid(value, {**field, "$defs": schema["$defs"]} if "$defs" in schema and isinstance(field, dict) else field):
            said[name] = Value(value, reading.page, _sureness(node, reading.transcript))
    return said


def _sureness(node: Node, transcript: Transcript) -> float | None:
    """Of a single value the joint probability of its characters, quotes left out; of several that of the least sure."""
    scores: list[float] = []
    for scalar in node.scalars():
        quote = 1 if isinstance(scalar.value, str) else 0
        if scalar.end - scalar.start == 2 * quote:
            continue
        score = transcript.joint(scalar.start + quote, scalar.end - quote)
        if score is None:
            return None
        scores.append(score)
    return round(min(scores), 4) if scores else None


def surest(name: str, pages: Sequence[Mapping[str, Value]]) -> dict[str, Any]:
    """One field over all pages: the value that some page is surest of, where it stands, and all pages that say the same."""
    said = [page[name] for page in pages if name in page]
    if not said:
        return {"value": None, "page": None, "confidence": None, "pages": []}
    best = max(said, key=lambda value: value.confidence or 0.0)
    same = [value.page.number for value in said if _plain(value.value) == _plain(best.value)]
    return {"value": best.value, "page": best.page.number, "input": best.page.look.input, "confidence": best.confidence, "pages": same}


def _plain(value: Any) -> bytes:
    return msgspec.json.encode(value)
