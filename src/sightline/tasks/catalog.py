"""What one service can be asked: the tasks and personas that ship, and those of its operator's folder.

In the folder, a file `*.toml` is a task (see `tasks.written`) and a file `*.en.txt` or `*.zh.txt` a persona (see
`tasks.personas`). Everything is read and checked when the service starts; nothing else about them is written anywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual
from sightline.tasks.base import Task, tasks
from sightline.tasks.personas import ANY_TASK, FileMistake, Persona, read_personas, shipped_personas
from sightline.tasks.written import read_task

_MOST_BYTES = 64_000
"""Of a file."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Tasks and personas by their names."""

    tasks: Mapping[str, Task]
    personas: Mapping[str, Persona]

    def suiting(self, task: str) -> list[str]:
        """The names of the personas for a task, sorted."""
        return sorted(persona.name for persona in self.personas.values() if persona.suits(task))

    def persona(self, name: str | None, task: str) -> Persona | None:
        """The persona of this name. Raises `MalformedRequest` with the names there are for the task."""
        if name is None:
            return None
        suiting = self.suiting(task)
        if name in suiting:
            return self.personas[name]
        if not suiting:
            raise MalformedRequest("options.persona", Bilingual("该任务不使用角色", "this task takes no persona"))
        reason = (
            Bilingual("此角色不适用于该任务", "this persona does not suit the task")
            if name in self.personas
            else Bilingual("没有这个角色", "there is no such persona")
        )
        raise MalformedRequest("options.persona", reason, list(suiting))


@functools.cache
def shipped() -> Catalog:
    """What this package holds."""
    return Catalog(tasks(), shipped_personas())


def read_catalog(folder: Path) -> Catalog:
    """What ships, and what lies in a folder. Raises `FileMistake`, and `OSError` for a folder that cannot be read."""
    found: dict[str, Task] = dict(tasks())
    texts: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in {".toml", ".txt"} or path.name.startswith("."):
            continue
        content = _content(path)
        if path.suffix == ".txt":
            texts[path.name] = content
            continue
        task = read_task(path.name, content)
        if task.name in found:
            raise FileMistake(path.name, 1, f"name = {task.name!r}", "there is a task of this name already")
        found[task.name] = task
    personas = dict(shipped_personas())
    for persona in read_personas(texts).values():
        if unknown := sorted(persona.tasks - found.keys() - {ANY_TASK}):
            raise FileMistake(
                f"{persona.name}.*.txt", 1, "tasks", f"there is no task {unknown[0]!r}; there are: {', '.join(sorted(found))}"
            )
        personas[persona.name] = persona
    return Catalog(found, personas)


def _content(path: Path) -> str:
    data = path.read_bytes()
    if len(data) > _MOST_BYTES:
        raise FileMistake(path.name, 1, "size", f"{len(data)} bytes; it takes at most {_MOST_BYTES}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileMistake(path.name, data[: error.start].count(b"\n") + 1, "encoding", "it is not UTF-8") from None
