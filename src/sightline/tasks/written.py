"""A task that somebody wrote as a file: a prompt with a name, without a line of code.

    name = "count_people"
    title = { zh = "数人", en = "Count people" }
    media = ["image"]
    max_tokens = 16

    [prompt]
    en = "How many people are in the picture? Answer with a number."
    zh = "图中有几个人？只回答数字。"

`{text}` in a prompt stands for the caller's own words, which otherwise follow it.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, cast

import msgspec
from msgspec import Meta

from sightline.prompt import Prompt
from sightline.protocol.decode import decode
from sightline.protocol.errors import MalformedRequest
from sightline.protocol.events import Progress
from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Kind
from sightline.protocol.requests import Options, VideoOptions
from sightline.tasks.base import Answer, Context, Lane, MediaRule, Said, Task, Utterance, converse, instruct, tell
from sightline.tasks.personas import FileMistake
from sightline.tasks.schemas import check_schema

_TEXT = "{text}"
Words = Annotated[str, Meta(min_length=1, max_length=8000)]


class InTwo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words in one language or both; the one that is missing borrows the other's."""

    zh: Words | None = None
    en: Words | None = None

    def __post_init__(self) -> None:
        if self.zh is None and self.en is None:
            raise ValueError("zh or en is needed")

    def both(self) -> Bilingual:
        return Bilingual(self.zh or self.en or "", self.en or self.zh or "")


class TaskFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may stand in a task's file."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    prompt: InTwo
    title: InTwo | Words | None = None
    summary: InTwo | Words | None = None
    system: InTwo | None = None
    media: Annotated[list[Kind], Meta(min_length=1)] = msgspec.field(default_factory=lambda: list[Kind](["image"]))
    least: Annotated[int, Meta(ge=0, le=200)] = 1
    most: Annotated[int, Meta(ge=1, le=200)] = 16
    needs_text: bool = False
    output: Literal["text", "json"] = "text"
    schema: dict[str, Any] | Words | None = None
    lane: Lane = "A"
    timeout_ms: Annotated[int, Meta(ge=1000, le=3_600_000)] = 30_000
    max_tokens: Annotated[int, Meta(ge=1, le=32768)] = 512
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    cached: bool = False


class WrittenTask(Task):
    """The task of one file: what others say in their class, it has from there. `version` changes with every letter."""

    file: ClassVar[TaskFile]

    async def run(self, ctx: Context) -> AsyncGenerator[Said | Progress | Answer]:
        file = self.file
        schema = cast("dict[str, Any] | None", file.schema)
        system = instruct(ctx, file.system.both() if file.system else None)
        wish = file.prompt.both().pick(ctx.language)

        def render(turns: Sequence[Utterance]) -> Prompt:
            *earlier, last = turns
            asked = wish.replace(_TEXT, last.text) if _TEXT in wish else f"{wish}\n{last.text}" if last.text else wish
            messages = converse([*earlier, replace(last, text=asked)], ctx.language, system)
            return Prompt(messages, self.sampling(ctx.options), schema)

        async with aclosing(tell(ctx, render)) as happenings:
            async for happening in happenings:
                if isinstance(happening, Answer) and schema is not None:
                    yield replace(happening, structured=_parsed(happening.text))
                else:
                    yield happening


def read_task(file: str, content: str) -> WrittenTask:
    """The task in a TOML file. Raises `FileMistake` with the line and the key."""
    try:
        data = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise FileMistake(file, int(line[1]) if line else content.count("\n") + 1, "TOML", str(error)) from None
    try:
        found = decode(msgspec.json.encode(data), TaskFile)
        return _task(_checked(found), hashlib.sha256(content.encode()).hexdigest()[:16])
    except MalformedRequest as error:
        raise _mistake(file, content, data, error) from None


def _task(file: TaskFile, version: str) -> WrittenTask:
    said = {
        "file": file,
        "name": file.name,
        "version": version,
        "title": _both(file.title, file.name),
        "summary": _both(file.summary, file.prompt),
        "media": MediaRule(frozenset(file.media), file.least, file.most),
        "Options": VideoOptions if "video" in file.media else Options,
        **{name: getattr(file, name) for name in ("needs_text", "lane", "timeout_ms", "max_tokens", "temperature", "cached")},
    }
    return cast("type[WrittenTask]", type(file.name, (WrittenTask,), said))()


def _checked(file: TaskFile) -> TaskFile:
    """The file with its schema read. Raises `MalformedRequest` where its parts do not go together."""
    if file.most < file.least:
        raise MalformedRequest("most", Bilingual("小于 least", "it is less than least"), f"{file.least}..200")
    if (file.output == "json") != (file.schema is not None):
        field = "schema" if file.schema is None else "output"
        raise MalformedRequest(field, Bilingual("output=json 与 schema 须同时出现", "output=json and schema need each other"))
    schema = file.schema
    if isinstance(schema, str):
        try:
            schema = msgspec.json.decode(schema, type=dict[str, Any])
        except msgspec.DecodeError:
            raise MalformedRequest("schema", Bilingual("不是 JSON 对象", "it is not an object of JSON")) from None
    if schema is not None:
        check_schema(schema, "schema")
    return msgspec.structs.replace(file, schema=schema)


def _mistake(file: str, content: str, data: dict[str, Any], error: MalformedRequest) -> FileMistake:
    field: str = error.details["field"]
    value: Any = data
    for step in field.split("."):
        value = cast("dict[str, Any]", value).get(step) if isinstance(value, dict) else None
    shown = "" if value is None or isinstance(value, dict) else f" = {str(cast('object', value))[:60]!r}"
    advice = f" {error.advise('en')}" if error.details["allowed"] is not None else ""
    return FileMistake(file, _line_of(field, content), f"{field}{shown}", f"{error.details['reason'].en}.{advice}")


def _line_of(field: str, content: str) -> int:
    """The line that a key stands in, 1 where it is missing; of what lies deeper, the nearest key above."""
    steps = re.sub(r"\[.*?\]", "", field).split(".")
    section: list[str] = []
    best, depth = 1, 0
    for number, line in enumerate(content.splitlines(), start=1):
        if head := re.fullmatch(r"\s*\[+([^\]]+)\]+\s*(?:#.*)?", line):
            path = section = [part.strip().strip("\"'") for part in head[1].split(".")]
        elif key := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            path = [*section, *(part.strip("\"'") for part in key[1].split("."))]
        else:
            continue
        if len(path) > depth and path == steps[: len(path)]:
            best, depth = number, len(path)
    return best


def _both(words: InTwo | str | None, otherwise: InTwo | str) -> Bilingual:
    chosen = otherwise if words is None else words
    return Bilingual(chosen, chosen) if isinstance(chosen, str) else chosen.both()


def _parsed(text: str) -> Any:
    """The answer as JSON; None where it was cut before its end."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
