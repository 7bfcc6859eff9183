"""Writes the reference pages from the code: `python docs/generate.py`. A test fails when they are not current."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from sightline.protocol.errors import TABLE
from sightline.protocol.language import Language
from sightline.tasks.base import Task, tasks

FOLDER = Path(__file__).parent / "reference"
_NOTE: dict[Language, str] = {
    "en": "<!-- Made by docs/generate.py from the code; do not edit. -->",
    "zh": "<!-- 由 docs/generate.py 从代码生成，请勿手工修改。 -->",
}


def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {
        "errors.md": errors("en"),
        "errors.zh-CN.md": errors("zh"),
        "tasks.md": described_tasks("en"),
        "tasks.zh-CN.md": described_tasks("zh"),
    }


def errors(language: Language) -> str:
    """The error table."""
    zh = language == "zh"
    head = (
        "# 错误码\n\n所有错误都以同样的形状返回："
        "`{request_id, code, msg, error: {type, hint, retryable, retry_after_ms?, details}}`，没有 `result`。"
        "凡有 `result` 的都是结果，无论 `code` 是什么。"
        if zh
        else "# Errors\n\nEvery error has the same shape: "
        "`{request_id, code, msg, error: {type, hint, retryable, retry_after_ms?, details}}`, without a `result`. "
        "Whatever has a `result` is a result, whatever its `code`."
    )
    titles = "| code | HTTP | 可重试 | 说明 | 怎么办 |" if zh else "| code | HTTP | retry | message | what to do |"
    rows = [
        f"| {kind.code} | {kind.status} | {('是' if zh else 'yes') if kind.retryable else ''} | {_cell(kind.message.pick(language))} "
        f"| {_cell(kind.hint.pick(language))} |"
        for kind in TABLE.values()
    ]
    tail = (
        "`code` 0 表示成功。1002 与 2001 也可能与结果一同返回：视频只用了开头 30 秒（警告 1002），或由较轻的模型作答（`code` 2001，"
        "`metadata.degraded`）。"
        if zh
        else "`code` 0 is success. 1002 and 2001 may also stand beside a result: "
        "only the first 30 s of a video were used (a warning 1002), or a lighter model answered (`code` 2001 and `metadata.degraded`)."
    )
    return "\n".join([_NOTE[language], head, "", titles, "|---|---|---|---|---|", *rows, "", tail, ""])


def described_tasks(language: Language) -> str:
    """The tasks with their options."""
    title = "# 任务\n\n同样的内容可由 `GET /tasks` 读取。" if language == "zh" else "# Tasks\n\nPrograms read the same from `GET /tasks`."
    return "\n".join([_NOTE[language], title, *(_task(task, language) for task in tasks().values())])


def _task(task: Task, language: Language) -> str:
    zh = language == "zh"
    schema = msgspec.json.schema(task.Options)
    properties: dict[str, Any] = schema["$defs"][task.Options.__name__]["properties"]
    kinds = ", ".join(sorted(task.media.kinds))
    facts = (
        f"输入：{kinds}，{task.media.least} 到 {task.media.most} 个。通道 {task.lane}。默认时限 {task.timeout_ms} 毫秒。"
        if zh
        else f"Takes {task.media.least} to {task.media.most} of: {kinds}. Lane {task.lane}. {task.timeout_ms} ms by default."
    )
    options = sorted(properties.items())
    rows = [f"| `{name}` | {_kind(field)} | {_default(field)} | {_cell(_meaning(field))} |" for name, field in options]
    titles = "| 选项 | 取值 | 默认 | 含义 |" if zh else "| option | values | default | meaning |"
    return "\n".join(
        [
            f"\n## `{task.name}`: {task.title.pick(language)}\n",
            task.summary.pick(language),
            "",
            facts,
            "",
            titles,
            "|---|---|---|---|",
            *rows,
        ]
    )


def _alternatives(field: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in field.get("anyOf", [field]) if part.get("type") != "null"]


def _kind(field: dict[str, Any]) -> str:
    said: list[str] = []
    for part in _alternatives(field):
        if "enum" in part:
            said.append(", ".join(f"`{value}`" for value in part["enum"] if value is not None))
            continue
        low, high = part.get("minimum", part.get("exclusiveMinimum")), part.get("maximum")
        bounds = f" {'> ' if 'exclusiveMinimum' in part else ''}{low}..{high}" if low is not None and high is not None else ""
        said.append(f"{part.get('type', '')}{bounds}")
    return _cell(" or ".join(said))


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "" if default is None or default == [] else f"`{msgspec.json.encode(default).decode()}`"


def _meaning(field: dict[str, Any]) -> str:
    return field.get("description") or next((part["description"] for part in _alternatives(field) if "description" in part), "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
