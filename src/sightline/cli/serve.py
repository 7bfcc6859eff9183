"""`sightline serve`: a service on this machine."""

from __future__ import annotations

import argparse
import gc
from typing import TYPE_CHECKING, Any

from sightline.cli.base import Command, add_engine_arguments, settings_of
from sightline.cli.terminal import Terminal

if TYPE_CHECKING:
    from sightline.config import Settings


class Serve(Command):
    name = "serve"
    summary = "run a service on this machine"
    description = (
        "Run a service: a page for people at its address, and the same over HTTP for programs.\n"
        "Without options it answers this machine alone, with the built-in model; Ctrl-C lets open answers finish and stops it."
    )
    examples = (
        "sightline serve",
        "sightline serve --port 9000 --root-path /qwen-vl",
        "sightline serve --model hf:Qwen/Qwen3-VL-8B-Instruct-GGUF",
        "sightline serve --config sightline.toml",
    )

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        face = parser.add_argument_group("its address")
        face.add_argument("--host", help="the address to listen on (default: 127.0.0.1, which only this machine can reach)")
        face.add_argument("--port", type=port, help="the port to listen on; 0 takes a free one (default: 8000)")
        face.add_argument("--root-path", metavar="PREFIX", help="the path it is mounted under, such as /qwen-vl")
        add_engine_arguments(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        # Nothing that is loaded while it starts is garbage; a service that has started looks through it once (`assembly.settle`).
        gc.disable()
        try:
            self._serve(arguments, terminal)
        finally:
            gc.enable()
        return 0

    def _serve(self, arguments: Any, terminal: Terminal) -> None:
        from sightline import assembly
        from sightline.server import logs, tracing

        logs.configure(debug=arguments.debug)
        tracing.configure()

        def announce(address: str) -> None:
            if terminal.as_json:
                terminal.json({"address": address})
            else:
                terminal.line(f"Sightline answers at {address}")
                terminal.note("Ctrl-C stops it.")

        assembly.serve(settings(arguments), announce)


def settings(arguments: Any) -> Settings:
    """The settings that the arguments ask for: an address given here comes before that of a file. Raises `UsageError`, `StartupError`."""
    import msgspec

    from sightline.config import laptop

    chosen = settings_of(arguments, laptop)
    prefix = None if arguments.root_path is None else f"/{arguments.root_path.strip('/')}".rstrip("/")
    given = {"host": arguments.host, "port": arguments.port, "root_path": prefix}
    server = msgspec.structs.replace(chosen.server, **{name: value for name, value in given.items() if value is not None})
    return msgspec.structs.replace(chosen, server=server)


def port(text: str) -> int:
    """An argument that is a port."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError
    return number
