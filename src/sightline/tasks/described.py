"""Everything that can be asked, as data: what GET /tasks tells, and what pages and the command line are made of."""

from __future__ import annotations

from typing import Any

import msgspec

from sightline.tasks.base import Task
from sightline.tasks.catalog import Catalog
from sightline.tasks.documents.pages import MOST_PAGES
from sightline.tasks.personas import Persona

_MOST_SECONDS = 30


def describe(catalog: Catalog) -> dict[str, Any]:
    """The catalog as JSON: `tasks`, each with its options as JSON Schema, and `personas`. Words for people are `{zh, en}`."""
    return {
        "tasks": [describe_task(task, catalog) for task in catalog.tasks.values()],
        "personas": [_persona(persona) for persona in sorted(catalog.personas.values(), key=lambda persona: persona.name)],
    }


def describe_task(task: Task, catalog: Catalog) -> dict[str, Any]:
    """One task. An option's description is in English, `x-description-zh` beside it in Chinese."""
    media: dict[str, Any] = {"kinds": sorted(task.media.kinds), "least": task.media.least, "most": task.media.most}
    if "document" in task.media.kinds:
        media["most_pages"] = MOST_PAGES
    if "video" in task.media.kinds:
        media["most_seconds"] = _MOST_SECONDS
    return {
        "name": task.name,
        "version": task.version,
        "title": task.title._asdict(),
        "summary": task.summary._asdict(),
        "needs_text": task.needs_text,
        "media": media,
        "options": msgspec.json.schema(task.Options),
        "lane": task.lane,
        "timeout_ms": task.timeout_ms,
        "timeout_ms_per_page": task.timeout_ms_per_look,
        "personas": catalog.suiting(task.name),
        "examples": [{"text": example.text._asdict(), "options": dict(example.options)} for example in task.examples],
    }


def _persona(persona: Persona) -> dict[str, Any]:
    caveat = persona.notice.msg._asdict() if persona.notice else None
    return {"name": persona.name, "title": persona.title._asdict(), "caveat": caveat, "tasks": sorted(persona.tasks)}
