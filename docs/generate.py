"""Writes the reference pages from the code: `python docs/generate.py`. A test fails when they are not current."""

from __future__ import annotations

import argparse
import ast
import inspect
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from sightline import config
from sightline.cli import build_parsers
from sightline.cli.models import card_facts
from sightline.media import settings as media_settings
from sightline.protocol.errors import TABLE
from sightline.protocol.language import Language
from sightline.server.metrics import Metrics
from sightline.tasks.base import Example, Task
from sightline.tasks.catalog import Catalog, shipped

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
        "settings.md": settings(),
        "metrics.md": metrics(),
        "cli.md": command_line(),
        "sight-nano.md": bundled_model("sight-nano"),
        "sight-pico.md": bundled_model("sight-pico"),
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
    titles = "| code | HTTP | 退出码 | 可重试 | 说明 | 怎么办 |" if zh else "| code | HTTP | exit | retry | message | what to do |"
    yes = "是" if zh else "yes"
    rows = [
        f"| {kind.code} | {kind.status} | {kind.exit_status} | {yes if kind.retryable else ''} "
        f"| {_cell(kind.message.pick(language))} | {_cell(kind.hint.pick(language))} |"
        for kind in TABLE.values()
    ]
    tail = (
        "`code` 0 表示成功。1002 与 2001 也可能与结果一同返回：视频只用了开头 30 秒（警告 1002），或由较轻的模型作答（`code` 2001，"
        "`metadata.degraded`）。"
        if zh
        else "`code` 0 is success. 1002 and 2001 may also stand beside a result: "
        "only the first 30 s of a video were used (a warning 1002), or a lighter model answered (`code` 2001 and `metadata.degraded`)."
    )
    return "\n".join([_NOTE[language], head, "", titles, "|---|---|---|---|---|---|", *rows, "", tail, ""])


def described_tasks(language: Language) -> str:
    """The tasks with their options and examples, and the personas."""
    title = "# 任务\n\n同样的内容可由 `GET /tasks` 读取。" if language == "zh" else "# Tasks\n\nPrograms read the same from `GET /tasks`."
    catalog = shipped()
    return "\n".join([_NOTE[language], title, *(_task(task, language) for task in catalog.tasks.values()), _personas(catalog, language)])


def _personas(catalog: Catalog, language: Language) -> str:
    """The values of `options.persona`."""
    zh = language == "zh"
    head = (
        "\n## 角色\n\n`options.persona` 的取值：模型以谁的身份作答，以及答案附带的提示。"
        if zh
        else "\n## Personas\n\nThe values of `options.persona`: in whose shoes the model answers, and what its answers say beside."
    )
    titles = "| 角色 | 称谓 | 适用任务 | 提示 |" if zh else "| persona | is | for | notice |"
    rows = [
        f"| `{name}` | {each.title.pick(language)} | {', '.join(sorted(each.tasks))} | "
        f"{_cell(each.notice.msg.pick(language)) if each.notice else ''} |"
        for name, each in sorted(catalog.personas.items())
    ]
    return "\n".join([head, "", titles, "|---|---|---|---|", *rows, ""])


def _example(example: Example, language: Language) -> str:
    said = [f"“{example.text.pick(language)}”"] if example.text.pick(language) else []
    given = [f"`{msgspec.json.encode(dict(example.options)).decode()}`"] if example.options else []
    return "- " + " ".join([*said, *given])


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
    if task.timeout_ms_per_look:
        facts += f"每页另加 {task.timeout_ms_per_look} 毫秒。" if zh else f" {task.timeout_ms_per_look} ms more a page."
    if task.examples:
        facts += "\n\n例如：\n\n" if zh else "\n\nSuch as:\n\n"
        facts += "\n".join(_example(example, language) for example in task.examples)
    options = sorted(properties.items())
    rows = [f"| `{name}` | {_kind(field)} | {_default(field)} | {_cell(_meaning(field, language))} |" for name, field in options]
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


def settings() -> str:
    """Every setting of the TOML file, by its table."""
    _, components = msgspec.json.schema_components((config.Settings,), ref_template="{name}")
    said = {**_said(config), **{("InputSettings", name): text for (_, name), text in _said(media_settings).items()}, **_said(config)}
    tables = [
        ("the top of the file", config.Settings, ""),
        ("[server]", config.ServerSettings, ""),
        ("[lanes.A], [lanes.B], [lanes.C]", config.LaneSettings, ""),
        *((f'[backends.NAME] with kind = "{kind.__struct_config__.tag}"', kind, "") for kind in config.Engine.__args__),
        ("[media]", config.InputSettings, ""),
        ("[trust]", config.TrustSettings, "What each is for stands in [Security](../guide/security.md)."),
        ("[tasks]", config.TaskSettings, "What may lie in the folder stands in [Writing a task](../guide/writing-a-task.md)."),
    ]
    parts = [
        _NOTE["en"],
        "# Settings",
        "",
        "One TOML file, given to `sightline serve --config FILE`. `sightline config > sightline.toml` writes one with every default",
        "to begin with, and `sightline config FILE --check` says whether one can be used. An unknown name or a value out of range is",
        "refused at the start, with one sentence that names it. What has no default here may be left out, unless it is what makes an",
        "engine or a lane.",
    ]
    for title, kind, remark in tables:
        schema = components[kind.__name__]
        meaning = inspect.cleandoc(kind.__doc__ or "").replace("\n", " ")
        parts += [
            "",
            f"## {title}",
            "",
            *([meaning] if meaning != "All of it." else ["What is in no table."]),
            *(["", remark] if remark else []),
        ]
        parts += ["", "| setting | values | default | meaning |", "|---|---|---|---|"]
        for name, field in schema["properties"].items():
            if name == "kind" or (kind is config.Settings and _is_table(field)):
                continue
            values = _kind(field) or "a list"
            parts.append(f"| `{name}` | {values} | {_shown(field)} | {_cell(said.get((kind.__name__, name), ''))} |")
    return "\n".join([*parts, ""])


def _said(module: ModuleType) -> dict[tuple[str, str], str]:
    """The docstrings below fields, by class and field: Python keeps none of them."""
    found: dict[tuple[str, str], str] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, text in zip(node.body, node.body[1:], strict=False):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                    found[node.name, name] = inspect.cleandoc(meaning).replace("\n", " ")
    return found


def _is_table(field: dict[str, Any]) -> bool:
    return "$ref" in str(field)


def _shown(field: dict[str, Any]) -> str:
    """A default; larger numbers with their thousands apart."""
    default = field.get("default")
    return f"`{default:_}`" if isinstance(default, int) and default >= 10_000 and not isinstance(default, bool) else _default(field)


def metrics() -> str:
    """Every metric that a service exposes."""
    rows: list[str] = []
    for collector in Metrics({})._registry._collector_to_names:  # the registry has no public way to look into it
        families = [collector] if hasattr(collector, "_labelnames") else collector.collect()
        for family in families:
            name = getattr(family, "_name", None) or family.name
            kind = getattr(family, "_type", None) or family.type
            name = f"{name}_total" if kind == "counter" else name
            labels = ", ".join(f"`{label}`" for label in family._labelnames)
            rows.append(f"| `{name}` | {kind} | {labels} | {_cell(getattr(family, '_documentation', None) or family.documentation)} |")
    head = [
        _NOTE["en"],
        "# Metrics",
        "",
        "`GET /metrics`, in the text format of Prometheus. Where calls need a key, so does this, unless `trust.open_paths` names it.",
        "Times are seconds; a histogram also has `_bucket`, `_sum` and `_count`. `deploy/prometheus` has rules over these, and",
        "`deploy/grafana` a dashboard.",
        "",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *sorted(rows), ""])


def command_line() -> str:
    """Every command with its options."""
    parser, parsers = build_parsers()
    statuses = " ".join((parser.epilog or "").partition("exit status")[2].split())
    parts = [
        _NOTE["en"],
        "# Command line",
        "",
        "`sightline COMMAND --help` shows the same. What is for a program goes to standard output, what is for a person only to standard",
        "error; with `--json` every command answers in JSON, one document a line.",
        "",
        *(f"- [`{command.name}`](#sightline-{command.name}): {command.summary}" for command in parsers),
        "",
        f"Exit status{statuses}. The [error table](errors.md) has them one by one.",
    ]
    for command, own in parsers.items():
        usage = " ".join(own.format_usage().removeprefix("usage: ").split())
        parts += ["", f"## sightline {command.name}", "", command.description.replace("\n", "<br>\n"), "", "```text", usage, "```"]
        for group in own._action_groups:  # argparse has no public way to look into a parser
            rows = [_argument(action) for action in group._group_actions if action.dest not in {"help", "json", "debug"}]
            if rows:
                title = "" if group.title in {"options", "positional arguments"} else f" ({group.title})"
                parts += ["", f"| argument{title} | |", "|---|---|", *rows]
        parts += ["", "```text", *command.examples, "```"]
    shared = "`--json`: answer in JSON, one document a line; `--debug`: log everything, and show where an error arose; `-h`, `--help`."
    return "\n".join([*parts, "", "## Always", "", shared, ""])


def bundled_model(name: str) -> str:
    """What a bundled model knows, by its card."""
    card = msgspec.json.decode(resources.files("sightline.models").joinpath(f"{name}.json").read_bytes())
    settings = [("right", card["skills"]), ("held out", card.get("skills_held_out")), ("matplotlib", card.get("skills_matplotlib"))]
    measured = [(title, skills) for title, skills in settings if skills]
    rows = [
        f"| `{skill}` | " + " | ".join(_share(skills.get(skill)) for _, skills in measured) + " |"
        for skill in sorted({skill for _, skills in measured for skill in skills})
        if ":" not in skill
    ]
    facts = [
        f"`{card['name']}`, version {card['version']}: {card['architecture']}, {card['parameters'] / 1e6:.1f} million parameters, of which "
        f"{card['active_parameters'] / 1e6:.1f} million are active for a token ({card['active_experts']} of {card['experts']} experts).",
        f"It reads pictures of {card['min_pixels']:,} to {card['max_view_pixels']:,} pixels (others are resized) in a context of "
        f"{card['context_length']:,} tokens, in {' and '.join(card['languages'])}.",
    ]
    head = [
        _NOTE["en"],
        f"# {name}",
        "",
        *facts,
        "",
        card["limits"]["en"],
        "",
        "How often it is right, by skill, on pictures that it had not seen. They were drawn by the program that drew those that it learned",
        "from: on any other picture it is worth nothing. Held out: fonts, colours, layouts and numbers that training never has;",
        "matplotlib: charts drawn by it. Right is what matches exactly, of boxes what overlaps by half, of charts as data (`chart_parse`)",
        "the whole table. In brackets the 95 % interval.",
        "How it was made stands in [training](../../training/README.md).",
        "",
        "| skill | " + " | ".join(title for title, _ in measured) + " |",
        "|---|" + "---|" * len(measured),
    ]
    return "\n".join([*head, *rows, "", *(f"- {fact}" for fact in card_facts(card)), ""])


def _share(skill: dict[str, Any] | None) -> str:
    """A share with its interval, and of how many questions; nothing where it was not measured."""
    if skill is None:
        return ""
    between = f" ({100 * skill['low']:.0f} to {100 * skill['high']:.0f})" if "low" in skill else ""
    return f"{100 * skill['share']:.0f} %{between} of {skill['of']}"


def _argument(action: argparse.Action) -> str:
    choices = "{" + ",".join(str(choice) for choice in action.choices) + "}" if action.choices else ""
    value = "" if action.nargs == 0 else str(action.metavar or choices or action.dest.upper())
    names = ", ".join(f"`{name} {value}`".replace(" `", "`") for name in action.option_strings) or f"`{value}`"
    return f"| {_cell(names)} | {_cell(action.help or '')} |"


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


def _meaning(field: dict[str, Any], language: Language = "en") -> str:
    names = ("x-description-zh", "description") if language == "zh" else ("description",)
    return next((part[name] for name in names for part in (field, *_alternatives(field)) if name in part), "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
