"""`sightline tasks`: what can be asked."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import msgspec

from sightline.cli.base import Command, add_server_arguments, server_of
from sightline.cli.terminal import Terminal
from sightline.protocol.errors import UnknownTask
from sightline.tasks.catalog import shipped
from sightline.tasks.described import describe_task

if TYPE_CHECKING:
    from sightline.client import TaskInfo


class Tasks(Command):
    name = "tasks"
    summary = "list what can be asked, with its options"
    description = "List the tasks; with a name, the options of that task."
    examples = ("sightline tasks", "sightline tasks captioning", "sightline tasks --server http://127.0.0.1:8000 --json")

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("task", metavar="TASK", nargs="?", help="show the options of this one")
        add_server_arguments(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        from sightline.client import QwenVLClient, TaskInfo

        server = server_of(arguments)
        if server:
            with QwenVLClient(arguments.key, server, arguments.timeout, language=terminal.language) as client:
                found = client.tasks()
        else:
            found = [msgspec.convert(describe_task(task, shipped()), TaskInfo) for task in shipped().tasks.values()]
        if arguments.task:
            found = [task for task in found if task.name == arguments.task] or _unknown(arguments.task, found)
        if terminal.as_json:
            for task in found:
                terminal.json(task)
        elif arguments.task:
            _show(found[0], terminal)
        else:
            rows = [(task.name, ", ".join(task.media.kinds), task.summary[terminal.language]) for task in found]
            terminal.table(rows, ("TASK", "TAKES", "WHAT IT DOES"))
        return 0


def _unknown(name: str, found: list[TaskInfo]) -> list[TaskInfo]:
    raise UnknownTask(name, sorted(task.name for task in found))


def _show(task: TaskInfo, terminal: Terminal) -> None:
    number = str(task.media.least) if task.media.least == task.media.most else f"{task.media.least} to {task.media.most}"
    terminal.line(f"{task.name}: {task.summary[terminal.language]}")
    question = "needs a question" if task.needs_text else "takes a question, needs none"
    terminal.line(f"Takes {number} of: {', '.join(task.media.kinds)}; {question}; {task.timeout_ms / 1000:g} s unless told otherwise.")
    terminal.line()
    rows = [(name, _kind(schema), schema.get("description", "")) for name, schema in _properties(task.options).items()]
    terminal.table(rows, ("OPTION", "VALUES", ""))


def _properties(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of a JSON Schema whose top is a reference to one of its definitions."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return (schema["$defs"][name] if name else schema).get("properties", {})


def _kind(schema: dict[str, Any]) -> str:
    """A property's values in a few words: a choice, a range, or a type."""
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"] if option.get("type") != "null")
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"] if value is not None)
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    kind = schema.get("type", "any")
    if low is not None or high is not None:
        return f"{kind} {'' if low is None else low}..{'' if high is None else high}"
    return f"{kind} of {_kind(schema['items'])}" if "items" in schema else str(kind)
