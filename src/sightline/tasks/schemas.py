"""A caller's JSON Schema, checked before it goes anywhere: by `jsonschema`, and told in our words with the place of the mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual

MOST_BYTES = 32_000
"""Of a schema: an engine makes a grammar of it."""
MOST_DEPTH = 24
_TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"]


def check_schema(schema: Any, field: str) -> None:
    """Raises `MalformedRequest`, naming the place below `field`, unless `schema` is a JSON Schema (draft 2020-12) of bearable size.

    References may only point into the schema itself: nothing is ever fetched.
    """
    if not isinstance(schema, dict):
        raise MalformedRequest(field, Bilingual("应为 JSON Schema 对象", "it should be a JSON Schema object"))
    size = len(msgspec.json.encode(schema))
    if size > MOST_BYTES:
        reason = Bilingual(f"长度为 {size} 字节", f"it is {size} bytes long")
        raise MalformedRequest(field, reason, f"0..{MOST_BYTES} bytes")
    _check_depth(schema, field, 1)
    from jsonschema import Draft202012Validator  # part of `sightline[serve]`: what runs no task does not need it
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(cast("dict[str, Any]", schema))
    except SchemaError as error:
        path = ".".join([field, *(str(step) for step in error.absolute_path)])
        raise MalformedRequest(path, *_explain(error)) from None
    _check_references(schema, cast("dict[str, Any]", schema), field)


def is_valid(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value satisfies a schema that was checked."""
    from jsonschema import Draft202012Validator

    validator: Any = Draft202012Validator(dict(schema))
    return bool(validator.is_valid(value))


def _explain(error: Any) -> tuple[Bilingual, Any]:
    """A mistake's reason and the allowed values, without the library's own sentence."""
    steps = list(error.absolute_path)
    if steps and steps[-1] == "type":
        return Bilingual("不是 JSON Schema 的类型", "it is no type of JSON Schema"), _TYPES
    if error.validator == "type":
        wanted: Any = error.validator_value
        allowed = cast("list[Any]", wanted if isinstance(wanted, list) else [wanted])
        return Bilingual("类型不对", "it has the wrong type"), allowed
    return Bilingual("不符合 JSON Schema（2020-12）", "it is not valid JSON Schema (2020-12)"), None


def _check_depth(part: Any, path: str, depth: int) -> None:
    if depth > MOST_DEPTH:
        raise MalformedRequest(path, Bilingual("嵌套过深", "it is nested too deeply"), f"0..{MOST_DEPTH}")
    for name, inner in _parts(part):
        _check_depth(inner, f"{path}.{name}", depth + 1)


def _check_references(part: Any, root: dict[str, Any], path: str) -> None:
    if isinstance(part, dict):
        target = cast("dict[str, Any]", part).get("$ref")
        if isinstance(target, str) and not _leads_somewhere(target, root):
            reason = Bilingual("该引用无处可指", "the reference leads nowhere")
            raise MalformedRequest(f"{path}.$ref", reason, "#/$defs/...")
    for name, inner in _parts(part):
        _check_references(inner, root, f"{path}.{name}")


def _leads_somewhere(target: str, root: dict[str, Any]) -> bool:
    at: Any = root
    if not target.startswith("#/"):
        return False
    for step in target.removeprefix("#/").split("/"):
        if not isinstance(at, dict) or step not in at:
            return False
        at = cast("dict[str, Any]", at)[step]
    return isinstance(at, dict)


def _parts(part: Any) -> Sequence[tuple[str, Any]]:
    if isinstance(part, dict):
        return [(str(name), inner) for name, inner in cast("dict[Any, Any]", part).items()]
    return [(str(index), inner) for index, inner in enumerate(cast("list[Any]", part))] if isinstance(part, list) else []
