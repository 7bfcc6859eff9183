"""The command line: `sightline COMMAND`. One file a command; this one finds the command and turns its end into an exit status.

Exit status: 0 when it worked, 2 for arguments or a configuration that cannot be used, 130 after Ctrl-C, and for everything
that the table of errors knows, the number that stands there (those of sysexits.h: 65 bad input, 75 try later, ...).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from sightline import __version__
from sightline.cli.ask import Ask
from sightline.cli.audit import Audit
from sightline.cli.base import Command, UsageError
from sightline.cli.bench import Bench
from sightline.cli.calibrate import Calibrate
from sightline.cli.completion import Completion
from sightline.cli.config import Config
from sightline.cli.doctor import Doctor
from sightline.cli.keys import Keys
from sightline.cli.models import Models
from sightline.cli.plan import PlanCommand
from sightline.cli.run import Run
from sightline.cli.serve import Serve
from sightline.cli.tasks import Tasks
from sightline.cli.terminal import Terminal
from sightline.protocol.errors import Error

COMMANDS: tuple[Command, ...] = (
    Serve(),
    Ask(),
    Run(),
    Doctor(),
    Tasks(),
    Models(),
    Keys(),
    Audit(),
    Config(),
    PlanCommand(),
    Bench(),
    Calibrate(),
    Completion(),
)
_EPILOG = """\
`sightline COMMAND --help` explains a command. To begin:
  sightline ask photo.jpg 'What is this?'

exit status: 0 it worked; 2 arguments or settings that cannot be used; 65, 66 the input cannot be used; 69 nobody there;
  70 a mistake of ours; 75 try again later; 76 something else answered; 77 not allowed; 130 after Ctrl-C"""
UNUSABLE = 2
MISSING = 69
INTERNAL = 70
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    parser, _ = build_parsers()
    arguments = parser.parse_args(argv)
    command: Command | None = arguments.command
    if command is None:
        parser.print_help()
        return 0
    terminal = Terminal(as_json=arguments.json)
    logging.basicConfig(level=logging.DEBUG if arguments.debug else logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if not arguments.debug:
        # libvips tells of every damaged picture; the refusal itself is in our own log.
        logging.getLogger("pyvips").setLevel(logging.ERROR)
    try:
        return command.run(arguments, terminal)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # `sightline ask ... | head`: nobody reads on, and Python shall not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if arguments.debug:
            raise
        return explain(error, command, terminal)


def explain(error: Exception, command: Command, terminal: Terminal) -> int:
    """Tells a person (or with `--json` a program) why it did not work; returns the exit status."""
    match error:
        case Error():
            if terminal.as_json:
                terminal.json(error.received or error.body("", terminal.language))
            else:
                name = f" [{error.code}, {error.request_id}]" if error.request_id else ""
                terminal.fail(f"sightline {command.name}: {error.say(terminal.language)}{name}")
                terminal.warn(error.advise(terminal.language))
            return error.exit_status
        case UsageError():
            terminal.fail(f"sightline {command.name}: {error}")
            return UNUSABLE
        case ModuleNotFoundError() if error.name and error.name.split(".")[0] != "sightline":
            package = error.name.split(".")[0]
            terminal.fail(
                f"sightline {command.name}: this needs what runs a model ('{package}' is missing): pip install 'sightline[serve]'"
            )
            return MISSING
        case _:
            # StartupError is known by name: its module need not be loaded by commands that start nothing.
            if type(error).__name__ == "StartupError":
                terminal.fail(f"sightline {command.name}: {error}")
                return UNUSABLE
            terminal.fail(f"sightline {command.name}: an error of Sightline itself ({type(error).__name__}); --debug shows where.")
            return INTERNAL


def build_parsers() -> tuple[argparse.ArgumentParser, dict[Command, argparse.ArgumentParser]]:
    """The parser of the whole command line, and those of its commands."""
    shared = argparse.ArgumentParser(add_help=False)
    group = shared.add_argument_group("always")
    group.add_argument("--json", action="store_true", help="answer in JSON, one document a line")
    group.add_argument("--debug", action="store_true", help="log everything, and show where an error arose")
    group.add_argument("-h", "--help", action="help", help="show this and leave")
    parser = argparse.ArgumentParser(
        prog="sightline",
        description="Ask questions about pictures, documents and videos: on this machine, or as a service for others.",
        epilog=_EPILOG,
        formatter_class=_Formatter,
    )
    parser.add_argument("--version", action="version", version=f"sightline {__version__}")
    parser.set_defaults(command=None, json=False, debug=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parsers: dict[Command, argparse.ArgumentParser] = {}
    for command in COMMANDS:
        examples = "\n".join(f"  {example}" for example in command.examples)
        own = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            epilog=f"examples:\n{examples}",
            formatter_class=_Formatter,
            parents=[shared],
            add_help=False,
            allow_abbrev=False,
        )
        own.set_defaults(command=command)
        command.arguments(own)
        parsers[command] = own
    return parser, parsers


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of descriptions and examples."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)
        # argparse forgets the indentation of commands when it looks for the longest, which then has its summary on a line of its own.
        self._action_max_length = max(len(command.name) for command in COMMANDS) + 4
