"""What a command is: its words for `--help`, its arguments, and what it does."""

from __future__ import annotations

import argparse
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sightline.cli.terminal import Terminal

if TYPE_CHECKING:
    from sightline.config import Settings

SERVER_VARIABLE = "SIGHTLINE_SERVER"


class Command(ABC):
    """One command, in one file."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """One line, without a full stop, for the list of commands."""
    description: ClassVar[str]
    examples: ClassVar[tuple[str, ...]]

    @abstractmethod
    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the command's arguments."""

    @abstractmethod
    def run(self, arguments: Any, terminal: Terminal) -> int:
        """Does the work and returns the exit status. Raises `Error`, `StartupError` or `UsageError`."""


class UsageError(Exception):
    """Arguments that do not go together; the message is one sentence that says what to do."""


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """Which service to speak to."""
    group = parser.add_argument_group("a service that runs already")
    group.add_argument(
        "--server",
        metavar="URL",
        help=f"its address, such as http://127.0.0.1:8000 (default: ${SERVER_VARIABLE})",
    )
    group.add_argument("--key", metavar="KEY", help="its key (default: $SIGHTLINE_API_KEY, which other users of the machine cannot see)")
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=positive,
        help="time for the whole answer (default: the task's own, see `sightline tasks NAME`)",
    )


def server_of(arguments: Any) -> str | None:
    """The address of the service to ask; None for a model of the command's own.

    What was asked for by name comes before the environment. Raises `UsageError` where both a service and a model here are named.
    """
    own = getattr(arguments, "mmproj", None) or getattr(arguments, "config", None)
    if own and arguments.server:
        raise UsageError("--mmproj and --config are for a model on this machine; leave them out with --server.")
    return arguments.server or (None if own else os.environ.get(SERVER_VARIABLE))


def add_engine_arguments(parser: argparse.ArgumentParser, *, or_service: bool = False) -> None:
    """Which model to run on this machine; `or_service`: the command can ask a service instead."""
    group = parser.add_argument_group("the model")
    of_service = "; with --server, the name of one of the service's models" if or_service else ""
    group.add_argument(
        "--model",
        metavar="MODEL",
        help=f"sight-nano (built in, the default), the path of a GGUF file, or hf:organisation/repository[:file.gguf]{of_service}",
    )
    group.add_argument("--mmproj", metavar="FILE", help="the model's vision part, where it is not found beside the model")
    group.add_argument("--config", metavar="FILE", type=Path, help="settings in TOML instead: engines, lanes, limits")
    group.add_argument("--profile", metavar="NAME", help="settings that ship instead: edge, laptop, single-gpu or cluster")


def settings_of(arguments: Any, build: Callable[[str, str | None], Settings]) -> Settings:
    """The settings of the file that the arguments name, or those that `build` makes of a model and its vision part.

    Raises `UsageError`, `StartupError`.
    """
    from sightline.backends.weights import BUNDLED
    from sightline.config import load, profile

    if arguments.config is None and arguments.profile is None:
        return build(arguments.model or BUNDLED, arguments.mmproj)
    if arguments.model or arguments.mmproj:
        raise UsageError("with --config and --profile the models stand in the settings; leave out --model and --mmproj.")
    if arguments.config and arguments.profile:
        raise UsageError("--config and --profile are two kinds of settings; name one of them.")
    return load(arguments.config) if arguments.config else profile(arguments.profile)


def add_settings_argument(parser: argparse.ArgumentParser) -> None:
    """Whose keys and records: those of the service that these settings describe."""
    parser.add_argument_group("the service").add_argument(
        "--config", metavar="FILE", type=Path, help="its settings, which say where it keeps things (default: those without a file)"
    )


def settings_of_file(arguments: Any) -> Settings:
    """The settings that `add_settings_argument` names. Raises `StartupError`."""
    from sightline.config import laptop, load

    return load(arguments.config) if arguments.config else laptop()


@contextmanager
def operating(terminal: Terminal) -> Generator[None]:
    """Turns what a store or a log says to its operator into the one sentence of a command."""
    from sightline.moderation.chain import AuditFault
    from sightline.stores.faults import StoreFault

    try:
        yield
    except (StoreFault, AuditFault) as fault:
        raise UsageError(fault.say(terminal.language)) from fault


def positive(text: str) -> float:
    """An argument that is a number over zero."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def whole(text: str) -> int:
    """An argument that is a whole number from 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1")
    return number


# argparse names a type in its own sentences: "invalid positive number value: 'x'".
positive.__name__ = "positive number"
whole.__name__ = "whole number"
