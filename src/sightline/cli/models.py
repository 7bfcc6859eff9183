"""`sightline models`: the models on this machine, or those of a service."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightline.cli.base import Command, add_server_arguments
from sightline.cli.terminal import Terminal, bytes_of

if TYPE_CHECKING:
    from sightline.cli.machine import FoundModel


class Models(Command):
    name = "models"
    summary = "list the models on this machine, or those of a service"
    description = (
        "List the models that are on this machine: the built-in one, and those fetched from a hub.\n"
        "With --server, the models of that service."
    )
    examples = ("sightline models", "sightline models --server http://127.0.0.1:8000")

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        add_server_arguments(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        if arguments.server:
            _of_service(arguments, terminal)
        else:
            _of_machine(terminal)
        return 0


def _of_service(arguments: Any, terminal: Terminal) -> None:
    from sightline.client import QwenVLClient

    with QwenVLClient(arguments.key, arguments.server, arguments.timeout, language=terminal.language) as client:
        models = client.ready().models
    if terminal.as_json:
        for model in models:
            terminal.json(model)
    else:
        rows = [(model.name, _number(model.context_tokens), "simulated, for tests" if model.fake else "") for model in models]
        terminal.table(rows, ("MODEL", "CONTEXT", ""))


def _of_machine(terminal: Terminal) -> None:
    from sightline.cli.machine import find_models

    models = find_models()
    if terminal.as_json:
        for model in models:
            terminal.json(model)
    else:
        show_models(models, terminal)


def show_models(models: Sequence[FoundModel], terminal: Terminal) -> None:
    """The models of a machine, as a table."""
    rows = [
        (
            model.name,
            bytes_of(model.bytes),
            f"{model.active_experts} of {model.experts}" if model.experts else "-",
            _number(model.context_tokens),
            model.problem,
        )
        for model in models
    ]
    terminal.table(rows, ("MODEL", "SIZE", "EXPERTS", "CONTEXT", ""))


def _number(number: int | None) -> str:
    return f"{number:,}" if number else "-"
