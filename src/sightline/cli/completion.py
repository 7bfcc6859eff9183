"""`sightline completion`: what a shell needs to complete commands, options and their values; everything else completes to files."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sightline.cli.base import Command
from sightline.cli.terminal import Terminal
from sightline.tasks.base import tasks

_INSTALL = {
    "bash": 'eval "$(sightline completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(sightline completion zsh)"    # in ~/.zshrc, after compinit',
    "fish": "sightline completion fish > ~/.config/fish/completions/sightline.fish",
}


class Completion(Command):
    name = "completion"
    summary = "complete commands and options in your shell"
    description = "Print what makes a shell complete the commands of sightline, their options and values."
    examples = tuple(_INSTALL.values())

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("shell", choices=sorted(_INSTALL), help="the shell")

    def run(self, arguments: Any, terminal: Terminal) -> int:
        from sightline.cli import build_parsers

        _, parsers = build_parsers()
        write = {"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell]
        terminal.write("\n".join(write(list(_commands(parsers)))) + "\n")
        return 0


@dataclass(frozen=True)
class _Option:
    """One option: its spellings, what it is for in a line, and its values; no values where it takes none or any."""

    names: tuple[str, ...]
    help: str
    takes: bool
    values: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    """One command with its options, and the values of its first word where those are known."""

    name: str
    summary: str
    options: tuple[_Option, ...]
    words: tuple[str, ...]


def _commands(parsers: dict[Command, argparse.ArgumentParser]) -> Iterator[_Known]:
    for command, parser in parsers.items():
        options: list[_Option] = []
        words: tuple[str, ...] = ()
        for action in parser._actions:  # pyright: ignore[reportPrivateUsage] - argparse has no public way to look into a parser
            values = tuple(tasks()) if action.dest == "task" else tuple(str(value) for value in action.choices or ())
            if action.option_strings:
                help = (action.help or "").split(";")[0]
                options.append(_Option(tuple(action.option_strings), help, action.nargs != 0, values))
            elif values:
                words = values
        yield _Known(command.name, command.summary, tuple(options), words)


def _bash(commands: list[_Known]) -> Iterator[str]:
    yield "_sightline() {"
    yield '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" known="" values=""'
    yield "    COMPREPLY=()"
    yield f'    if (( COMP_CWORD == 1 )); then COMPREPLY=($(compgen -W "{_names(commands)}" -- "$word")); return; fi'
    yield '    case "${COMP_WORDS[1]}" in'
    for command in commands:
        yield f"        {command.name})"
        yield f'            known="{" ".join(name for option in command.options for name in option.names)}"'
        if command.words:
            yield f'            (( COMP_CWORD == 2 )) && values="{" ".join(command.words)}"'
        chosen = [option for option in command.options if option.values]
        if chosen:
            yield '            case "$before" in'
            for option in chosen:
                yield f'                {"|".join(option.names)}) values="{" ".join(option.values)}" ;;'
            yield "            esac"
        yield "            ;;"
    yield "    esac"
    yield '    if [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$known" -- "$word"))'
    yield '    elif [[ -n "$values" ]]; then COMPREPLY=($(compgen -W "$values" -- "$word")); fi'
    yield "}"
    yield "complete -o default -F _sightline sightline"


def _zsh(commands: list[_Known]) -> Iterator[str]:
    yield "_sightline() {"
    yield "    if (( CURRENT == 2 )); then"
    yield f"        local -a known=({' '.join(shlex.quote(f'{_escaped(each.name)}:{each.summary}') for each in commands)})"
    yield "        _describe command known; return"
    yield "    fi"
    yield '    case "$words[2]" in'
    for command in commands:
        entries: list[str] = []
        for option in command.options:
            value = f":value:({' '.join(option.values)})" if option.values else ":value:_files" if option.takes else ""
            entries += [shlex.quote(f"{name}[{_escaped(option.help)}]{value}") for name in option.names]
        words = f"1:word:({' '.join(command.words)})" if command.words else "*:file:_files"
        yield f"        {command.name}) shift words; (( CURRENT-- )); _arguments {' '.join(entries)} {shlex.quote(words)} ;;"
    yield "    esac"
    yield "}"
    yield "compdef _sightline sightline"


def _fish(commands: list[_Known]) -> Iterator[str]:
    for command in commands:
        yield f"complete -c sightline -f -n __fish_use_subcommand -a {command.name} -d {shlex.quote(command.summary)}"
        here = f"-n '__fish_seen_subcommand_from {command.name}'"
        if command.words:
            yield f"complete -c sightline -f {here} -a {shlex.quote(' '.join(command.words))}"
        for option in command.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            values = f" -x -a {shlex.quote(' '.join(option.values))}" if option.values else " -r" if option.takes else ""
            yield f"complete -c sightline {here} {names}{values} -d {shlex.quote(option.help)}"


def _names(commands: list[_Known]) -> str:
    return " ".join(command.name for command in commands)


def _escaped(text: str) -> str:
    """Without what zsh's own little language would read."""
    return text.replace("[", "(").replace("]", ")").replace(":", " -")
