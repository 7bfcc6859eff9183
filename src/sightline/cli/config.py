"""`sightline config`: what a service would run with, and whether a file of settings can be used."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from sightline.cli.base import Command, UsageError
from sightline.cli.terminal import Terminal


class Config(Command):
    name = "config"
    summary = "show the settings of a service, or check a file of them"
    description = (
        "Show all settings that a service would run with, those of a file or the defaults, as TOML to begin a file with.\n"
        "With --check, say whether the file can be used, and show nothing; a mistake is told with its line, and ends with status 2.\n"
        "What the environment says (SIGHTLINE_SERVER__PORT=9000) comes before the file."
    )
    examples = (
        "sightline config > sightline.toml",
        "sightline config sightline.toml",
        "sightline config --profile cluster",
        "sightline config sightline.toml --check",
    )

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", nargs="?", type=Path, help="settings in TOML (default: those of a service without a file)"
        )
        parser.add_argument("--profile", metavar="NAME", help="in place of a file: edge, laptop, single-gpu or cluster")
        parser.add_argument("--show", action="store_true", help="show all settings (what it does without --check)")
        parser.add_argument("--check", action="store_true", help="only say whether they can be used")

    def run(self, arguments: Any, terminal: Terminal) -> int:
        from sightline.config import load, profile

        if arguments.file and arguments.profile:
            raise UsageError("a file and --profile are two kinds of settings; name one of them.")
        settings = load(arguments.file) if arguments.file else profile(arguments.profile or "laptop")
        values = cast("dict[str, Any]", msgspec.to_builtins(settings))
        if arguments.check:
            engines, name = ", ".join(settings.backends), arguments.file or f"The profile {arguments.profile or 'laptop'}"
            terminal.json({"valid": True}) if terminal.as_json else terminal.line(f"{name} can be used; engines: {engines}.")
        elif terminal.as_json:
            terminal.json(values)
        else:
            terminal.write("\n".join(as_toml(values)).strip() + "\n")
        return 0


def as_toml(values: Mapping[str, Any], name: str = "") -> Iterator[str]:
    """Settings as TOML: a table for every group; what is not set is shown as a comment."""
    groups = {key: cast("dict[str, Any]", value) for key, value in values.items() if isinstance(value, dict)}
    plain = {key: value for key, value in values.items() if key not in groups}
    if name and plain:
        yield f"\n[{name}]"
    for key, value in plain.items():
        yield f"# {key} =" if value is None else f"{key} = {_value(value)}"
    for key, group in groups.items():
        yield from as_toml(group, f"{name}.{key}".lstrip("."))


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(each) for each in cast('list[Any]', value))}]"
    # JSON's strings, numbers and booleans are TOML's too, but for one character that TOML wants escaped.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
