"""Bytes to requests, and msgspec's complaints to error 1000 with the field, the reason and the allowed values.

msgspec names the failing place as a path (`$.options.max_tokens`) in an English sentence. The sentence is matched against
the few forms that msgspec 0.19 to 0.22 produces; the allowed values are read from the type at that path.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual
from sightline.protocol.lifting import lift, put_back

T = TypeVar("T")

_NAMES = {
    "object": Bilingual("对象", "an object"),
    "array": Bilingual("数组", "an array"),
    "str": Bilingual("字符串", "a string"),
    "int": Bilingual("整数", "a whole number"),
    "float": Bilingual("数字", "a number"),
    "bool": Bilingual("布尔值", "true or false"),
    "null": Bilingual("null", "null"),
}
_FORMS: list[tuple[re.Pattern[str], Bilingual]] = [
    (re.compile(r"Object contains unknown field `(?P<name>.*)`", re.S), Bilingual("没有这个字段", "there is no such field")),
    (re.compile(r"Object missing required field `(?P<name>.*)`", re.S), Bilingual("缺少该字段", "it is missing")),
    (re.compile(r"Invalid enum value (?P<got>.*)", re.S), Bilingual("{got} 不是允许的值", "{got} is not one of the allowed values")),
    (re.compile(r"Expected `(?P<want>[^`]*)`, got `(?P<got>[^`]*)`"), Bilingual("应为{want}，实为{got}", "it should be {want}, not {got}")),
    (re.compile(r"Expected `(?:int|float)` (?P<rule>[<>]=? \S+)"), Bilingual("数值应 {rule}", "it should be {rule}")),
    (
        re.compile(r"Expected `(?:str|array|object)` of length (?P<rule>[<>]=? \d+)"),
        Bilingual("长度应 {rule}", "its length should be {rule}"),
    ),
    (re.compile(r"(?:Integer|Number) (?:value )?out of range"), Bilingual("数值超出范围", "the number is out of range")),
]


def decode(data: bytes | bytearray | memoryview | msgspec.Raw, kind: type[T], *, at: str = "") -> T:
    """The struct that `data` (JSON) holds.

    Long strings of a body are left where they are, as `Held`, in the fields that the struct says may hold them; see `lifting`.
    Raises `MalformedRequest` with the path of the field in dotted form, below `at` where the bytes are a part of a request.
    """
    if not isinstance(data, msgspec.Raw) and (lifted := lift(data)):
        rest, held = lifted
        # Whatever is wrong is told as of the whole body.
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            request = msgspec.json.decode(rest, type=kind)
            if isinstance(request, msgspec.Struct) and put_back(request, held):
                return request
    return decode_whole(data, kind, at=at)


def decode_whole(data: bytes | bytearray | memoryview | msgspec.Raw, kind: type[T], *, at: str = "") -> T:
    """As `decode`, with every string read at once."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise _explain(str(error), kind, at) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reason = Bilingual("不是有效的 JSON", "it is not valid JSON")
        raise MalformedRequest(at or "body", reason, Bilingual("UTF-8 编码的 JSON 对象", "a JSON object in UTF-8")) from None


def _explain(sentence: str, kind: type, at: str) -> MalformedRequest:
    text, _, path = sentence.rpartition(" - at `")
    if not text:
        text, path = sentence, "$`"
    steps = path.rstrip("`").removeprefix("$")
    for form, reason in _FORMS:
        found = form.fullmatch(text)
        if not found:
            continue
        groups = found.groupdict()
        parent = _type_at(kind, steps)
        if "name" in groups:
            allowed = sorted(_fields(parent)) if "unknown" in text else None
            return MalformedRequest(_join(at, f"{steps}.{groups['name'][:64]}"), reason, allowed)
        filled = reason.fill(**{name: _say(value) for name, value in groups.items()})
        return MalformedRequest(_join(at, steps), filled, _allowed(parent))
    # What remains was said by a struct's own __post_init__, in words of ours.
    return MalformedRequest(_join(at, steps), Bilingual(f"取值不合要求（{text}）", text))


def _join(at: str, steps: str) -> str:
    return (at + steps).lstrip(".") or "body"


def _say(value: str) -> Bilingual | str:
    """`str | null` -> "a string or null"; anything that is no type name stays as it is, cut short."""
    names = [name.strip() for name in value.split("|")]
    if not all(name in _NAMES for name in names):
        return value[:80]
    return Bilingual("或".join(_NAMES[name].zh for name in names), " or ".join(_NAMES[name].en for name in names))


def _type_at(kind: type, steps: str) -> inspect.Type:
    """The type that stands at a path such as `.images[...].url`; `AnyType` where the path cannot be followed."""
    current: inspect.Type = inspect.type_info(kind)
    for name in re.findall(r"\.([^.\[]+)|(\[)", steps):
        options = _alternatives(current)
        if name[1]:
            current = next((option.item_type for option in options if isinstance(option, inspect.ListType)), inspect.AnyType())
        else:
            fields: dict[str, inspect.Type] = {}
            for option in options:
                fields |= _fields(option)
            current = fields.get(name[0], inspect.AnyType())
    return current


def _alternatives(kind: inspect.Type) -> list[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        return _alternatives(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [inner for option in kind.types for inner in _alternatives(option)]
    return [kind]


def _fields(kind: inspect.Type) -> dict[str, inspect.Type]:
    return {
        field.encode_name: field.type for option in _alternatives(kind) if isinstance(option, inspect.StructType) for field in option.fields
    }


def _allowed(kind: inspect.Type) -> list[Any] | str | None:
    """What may stand there: the values of a choice, or a range."""
    values: list[Any] = []
    ranges: list[str] = []
    for option in _alternatives(kind):
        if isinstance(option, inspect.LiteralType):
            values += option.values
        elif isinstance(option, (inspect.IntType, inspect.FloatType)):
            low = f"{option.ge}.." if option.ge is not None else f"over {option.gt}, " if option.gt is not None else ""
            high = f"{option.le}" if option.le is not None else ""
            ranges.append((low + (f"up to {high}" if low.endswith(", ") else high)) or "any number")
        elif isinstance(option, (inspect.StrType, inspect.ListType)) and (option.min_length or option.max_length):
            ranges.append(
                f"{option.min_length or 0}..{option.max_length or ''} {'characters' if isinstance(option, inspect.StrType) else 'entries'}"
            )
        elif isinstance(option, inspect.BoolType):
            values += ["true", "false"]
    return values or (", ".join(ranges) if ranges else None)
