"""Settings from TOML and the environment, and mistakes in them told with the key, its value, its line and what is allowed there."""

from __future__ import annotations

import re
import tomllib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T")
Path = tuple[str | int, ...]
PREFIX = "SIGHTLINE_"
_SAID = re.compile(r"\A([a-z_]+(?:\.[\w-]+)+)")
_TABLE = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?")
_FORMS = {"^https?://": "that begins with http:// or https://"}
"""Patterns of settings, in words."""
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


class Mistake(Exception):
    """Settings that cannot be used; the message is one sentence for the operator."""


def read(text: str, source: str, kind: type[T], environment: Mapping[str, str]) -> T:
    """The settings in `text`, under what the environment says. `source` names the text. Raises `Mistake`."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Mistake(f"{source} is not valid TOML: {error}.") from None
    overridden = _override(raw, kind, environment)
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise Mistake(_explain(raw, kind, text, source, overridden, str(error))) from None


def _override(raw: dict[str, Any], kind: type, environment: Mapping[str, str]) -> dict[str, str]:
    """Puts `SIGHTLINE_SERVER__PORT=9000` at `server.port`; returns the variables by the keys they set. Names without a key of the
    settings behind them (`SIGHTLINE_API_KEY`) are none of ours."""
    hints = get_type_hints(kind, include_extras=True)
    tables = {name for name, hint in hints.items() if hasattr(hint, "__struct_config__") or get_origin(hint) is dict}
    found: dict[str, str] = {}
    for variable, value in sorted(environment.items()):
        # Windows knows variables in upper case alone, and so do we; keys of tables are matched whatever their case.
        steps = variable.removeprefix(PREFIX).lower().split("__")
        if not variable.startswith(PREFIX) or (len(steps) == 1 and (steps[0] not in hints or steps[0] in tables)):
            continue
        if steps[0] not in hints:
            # Two underscores in a row are nobody's but ours.
            raise Mistake(f"${variable}: {steps[0]}: there is no such key. Allowed: {', '.join(sorted(hints))}.")
        table = raw
        names: list[str] = []
        for step in steps:
            name = next((key for key in table if key.lower().replace("-", "_") == step), step)
            names.append(name)
            if len(names) < len(steps):
                inner = table.setdefault(name, {})
                if not isinstance(inner, dict):
                    raise Mistake(f"${variable}: {'.'.join(names)} holds no further keys.")
                table = cast("dict[str, Any]", inner)
        table[names[-1]] = _value(value)
        found[".".join(names)] = variable
    return found


def _value(text: str) -> Any:
    """A variable's value as TOML would read it, or as the string that it is."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(raw: Any, kind: type, text: str, source: str, overridden: Mapping[str, str], said: str) -> str:
    found = _locate(raw, kind, ())
    # What no part of the settings breaks by itself is a rule between several of them.
    path, reason, allowed = found if found is not None and found[0] else _from_sentence(raw, said)
    key = ".".join(str(step) for step in path)
    variable = next((name for name in overridden if key == name or key.startswith(name + ".")), None)
    place = source if variable is None else f"${overridden[variable]}"
    number = line_of(text, path) if variable is None else None
    where = place if number is None else f"{place}, line {number}"
    value = _at(raw, path)
    shown = "" if value is None or not path else f" = {_show(value)}"
    may = f" Allowed: {allowed}." if allowed else ""
    return f"{where}: {key or 'the settings'}{shown}: {reason}.{may}"


def _from_sentence(raw: Any, said: str) -> tuple[Path, str, str]:
    """A rule between several keys, told by the settings themselves: it begins with the key."""
    said = said.partition(" - at `")[0].removesuffix(".")
    named = _SAID.match(said)
    steps: Path = tuple(named[1].split(".")) if named else ()
    if named and _at(raw, steps) is not None:
        return steps, said.removeprefix(named[1]).strip(), ""
    while steps and _at(raw, steps) is None and len(steps) > 1:
        steps = steps[:-1]
    return steps, said, ""


def _locate(raw: Any, hint: Any, path: Path) -> tuple[Path, str, str] | None:
    """The deepest place that does not fit its type, why, and what is allowed there; None where each value by itself fits."""
    try:
        msgspec.convert(raw, hint)
    except msgspec.ValidationError as error:
        said = str(error).partition(" - at `")[0]
    else:
        return None
    chosen, tags = _choose(raw, hint)
    if isinstance(chosen, type) and issubclass(chosen, msgspec.Struct) and isinstance(raw, dict):
        # A rule of the table itself may begin with the key that breaks it.
        key, _, rule = said.partition(": ")
        whole = ((*path, key), rule.removesuffix("."), "") if rule and key in raw else (path, said.removesuffix("."), "")
        return _locate_in_struct(cast("dict[str, Any]", raw), chosen, path) or whole
    if tags and isinstance(raw, dict):
        wrong = "it must say which kind it is" if "kind" not in raw else "there is no such kind"
        return (*path, "kind") if "kind" in raw else path, wrong, ", ".join(tags)
    if isinstance(raw, dict) and get_origin(chosen) is dict and get_origin(get_args(chosen)[0]) is Literal:
        known = get_args(get_args(chosen)[0])
        for key in cast("dict[str, Any]", raw):
            if key not in known:
                return (*path, key), "there is no such key", ", ".join(known)
    for step, value, inner in _inside(raw, chosen):
        if found := _locate(value, inner, (*path, step)):
            return found
    return path, _say(said), _allowed(hint)


def _locate_in_struct(raw: dict[str, Any], kind: type[msgspec.Struct], path: Path) -> tuple[Path, str, str] | None:
    hints = get_type_hints(kind, include_extras=True)
    tag = kind.__struct_config__.tag_field
    for key, value in raw.items():
        if key == tag:
            continue
        if key not in hints:
            return (*path, key), "there is no such key", ", ".join(sorted(hints))
        if found := _locate(value, hints[key], (*path, key)):
            return found
    for field in msgspec.structs.fields(kind):
        if field.required and field.encode_name not in raw:
            return (*path, field.encode_name), "it is missing", _allowed(hints[field.encode_name])
    return None


def _choose(raw: Any, hint: Any) -> tuple[Any, list[str]]:
    """What of a union the value means to be, and the kinds of tables that could stand there where that is not said."""
    hint = _bare(hint)
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, []
    structs = {str(kind.__struct_config__.tag): kind for kind in map(_bare, get_args(hint)) if hasattr(kind, "__struct_config__")}
    if isinstance(raw, dict) and structs:
        named = cast("dict[str, Any]", raw).get("kind")
        return (structs[named], []) if named in structs else (None, sorted(structs))
    plain = [kind for kind in map(_bare, get_args(hint)) if kind is not type(None) and not hasattr(kind, "__struct_config__")]
    return (plain[0] if len(plain) == 1 else None), []


def _inside(raw: Any, hint: Any) -> Iterator[tuple[str | int, Any, Any]]:
    arguments = get_args(hint)
    if isinstance(raw, dict) and get_origin(hint) is dict:
        for key, value in cast("dict[str, Any]", raw).items():
            yield key, value, arguments[1]
    elif isinstance(raw, list) and get_origin(hint) in (list, tuple):
        for index, value in enumerate(cast("list[Any]", raw)):
            yield index, value, arguments[0]


def _bare(hint: Any) -> Any:
    return _bare(get_args(hint)[0]) if get_origin(hint) is Annotated else hint


def _allowed(hint: Any) -> str:
    """What may stand there, in words."""
    if get_origin(hint) is Annotated:
        bounds = [_bounds(meta) for meta in get_args(hint)[1:] if isinstance(meta, msgspec.Meta)]
        return ", ".join(filter(None, [_allowed(get_args(hint)[0]), *bounds]))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(filter(None, (_allowed(each) for each in get_args(hint) if each is not type(None))))
    if get_origin(hint) is Literal:
        return ", ".join(str(each) for each in get_args(hint))
    if get_origin(hint) in (list, tuple, dict):
        return "a table" if get_origin(hint) is dict else "a list"
    return {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}.get(hint, "")


def _bounds(meta: msgspec.Meta) -> str:
    told = (
        (meta.ge, "from {}"),
        (meta.gt, "over {}"),
        (meta.le, "up to {}"),
        (meta.min_length, "at least {} long"),
        (meta.max_length, "at most {} long"),
        (_FORMS.get(meta.pattern or "", meta.pattern), "{}"),
    )
    return " ".join(words.format(bound) for bound, words in told if bound is not None)


def _say(said: str) -> str:
    """msgspec's sentence in the words of this file."""
    found = re.fullmatch(r"Expected `([^`]*)`, got `([^`]*)`", said)
    if found:
        return "it is of another type"
    if said.startswith("Invalid enum value"):
        return "it is not one of the allowed values"
    if "matching regex" in said:
        return "it is not of the right form"
    return "it is out of bounds" if said.startswith("Expected") else said.removesuffix(".")


def _at(raw: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            return None
    return raw


def _show(value: Any) -> str:
    shown = msgspec.json.encode(value).decode()
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line (from 1) of a key, or of the nearest table around it; None where nothing of it is written down."""
    wanted = [str(step) for step in path if isinstance(step, str)]
    best: tuple[int, int] | None = None
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _TABLE.fullmatch(line):
            table = _split(found[1])
            here = table
        elif found := _KEY.match(line):
            here = [*table, *_split(found[1])]
        else:
            continue
        if here == wanted[: len(here)] and (best is None or len(here) > best[0]):
            best = (len(here), number)
    return None if best is None else best[1]


def _split(name: str) -> list[str]:
    return [part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[\w-]+", name)]
