"""`sightline ask`: a question about pictures, answered in the terminal as the model writes."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from sightline.cli.base import Command, UsageError, add_engine_arguments, add_server_arguments, server_of, settings_of, whole
from sightline.cli.inputs import ADDRESSES, check_options
from sightline.cli.pictures import show
from sightline.cli.terminal import Terminal, bytes_of
from sightline.protocol.events import Accepted, Event, Failed, Final, Progress, Token
from sightline.protocol.receipts import Receipt
from sightline.tasks.base import tasks

_LARGE = 1_000_000
"""Bytes of a request whose sending a person may have to wait for."""


class Ask(Command):
    name = "ask"
    summary = "ask about one or several pictures, a PDF or a video"
    description = (
        "Ask about one or several pictures, a PDF or a video; the answer appears as it is written.\n"
        "Without --server the model runs on this machine for this one question."
    )
    examples = (
        "sightline ask photo.jpg 'What is in this picture?'",
        "sightline ask before.png after.png 'What has changed?' --json",
        "sightline ask photo.jpg --task captioning -O style=detailed",
        "curl -s https://example.com/a.png | sightline ask - 'What is this?' --server http://127.0.0.1:8000",
    )

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "sightline ask IMAGE... QUESTION [options]"
        parser.add_argument(
            "inputs", metavar="IMAGE... QUESTION", nargs="*", help="files or addresses ('-' reads standard input), and the question last"
        )
        parser.add_argument("-q", "--question", help="the question, where you would rather name it; all other words are then images")
        parser.add_argument("-t", "--task", default="vqa", help="what to do: see `sightline tasks` (default: vqa, a question in words)")
        parser.add_argument("--no-picture", action="store_true", help="do not show the picture in terminals that can")
        add_answer_arguments(parser)
        add_engine_arguments(parser, or_service=True)
        add_server_arguments(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        images, question = split(arguments.inputs, arguments.question, needs_images=needs_images(arguments.task))
        sources = [sys.stdin.buffer.read() if image == "-" else image for image in images]
        options = options_of(arguments)
        if not arguments.no_picture:
            show(sources, terminal)
        shown = Shown(terminal)
        server = server_of(arguments)
        if server:
            self._ask_server(server, arguments, sources, question, options, shown)
        else:
            if arguments.timeout:
                options["timeout_ms"] = round(arguments.timeout * 1000)
            asyncio.run(self._ask_own(arguments, sources, question, options, shown))
        return 0

    def _ask_server(self, server: str, arguments: Any, sources: list[Any], question: str, options: Mapping[str, Any], shown: Shown) -> None:
        from sightline.client import QwenVLClient

        if arguments.model:
            options = {**options, "model": arguments.model}
        with (
            QwenVLClient(arguments.key, server, arguments.timeout, language=shown.terminal.language) as client,
            client.ask(sources, question, arguments.task, stream=True, on_upload=shown.sent, **options) as stream,
        ):
            for event in stream.events():
                shown.show(event)

    async def _ask_own(self, arguments: Any, sources: list[Any], question: str, options: Mapping[str, Any], shown: Shown) -> None:
        from sightline.cli.own import one_engine, open_own, read_request

        settings = settings_of(arguments, one_engine)
        # Read before the engine starts, so that a file that is not there is told at once.
        request = read_request(sources, question, arguments.task, options)
        shown.terminal.passing("the model is starting ...")
        async with (
            open_own(settings, shown.terminal.language) as own,
            aclosing(own.ask(request)) as events,
        ):
            async for event in events:
                shown.show(event)


def add_answer_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of an answer."""
    options = parser.add_argument_group("the answer")
    options.add_argument("--max-tokens", metavar="N", type=whole, help="the longest answer, in tokens")
    options.add_argument("--temperature", metavar="T", type=float, help="0 always takes the likeliest word")
    options.add_argument("--seed", metavar="N", type=int, help="draw the same words again")
    options.add_argument("--system", metavar="TEXT", help="what the model is told before the question")
    options.add_argument("--language", choices=["zh", "en"], help="language of the answer (default: that of the question)")
    options.add_argument("--detail", choices=["low", "auto", "high"], help="how many pixels the model sees")
    options.add_argument(
        "-O", "--option", metavar="NAME=VALUE", action="append", default=[], help="an option of the task, see `sightline tasks NAME`"
    )


def split(inputs: list[str], question: str | None, *, needs_images: bool = True) -> tuple[list[str], str]:
    """Images and question. The last word is the question, unless it is named by `-q` or is itself an image.

    A single word that is no file is an image that is not there, unless the task can do without one.
    """
    if question is not None or not inputs:
        return inputs, question or ""
    *images, last = inputs
    if last == "-" or last.startswith(ADDRESSES) or _is_file(last) or (not images and needs_images):
        return inputs, ""
    return images, last


def needs_images(task: str) -> bool:
    """Whether a task asks about something that is shown; of one that only a service knows, it is assumed."""
    known = tasks().get(task)
    return known is None or known.media.least > 0


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # longer than a name can be, or with a NUL in it: a question
        return False


def options_of(arguments: Any) -> dict[str, Any]:
    """The options that were given, by their names on the wire."""
    names = ("max_tokens", "temperature", "seed", "system", "language", "detail")
    options = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    for entry in arguments.option:
        name, equals, value = entry.partition("=")
        if not equals or not name:
            raise UsageError(f"-O takes NAME=VALUE, not '{entry}'.")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    check_options(options)
    return options


class Shown:
    """An answer on its way to the terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._told = False

    def sent(self, sent: int, total: int) -> None:
        """How much of a large request is on its way."""
        if total > _LARGE:
            self.terminal.passing(f"sending {bytes_of(total)}: {100 * sent // total} %")

    def show(self, event: Event) -> None:
        terminal = self.terminal
        match event:
            case Accepted():
                terminal.passing(f"{event.model} is reading ...")
            case Progress():
                terminal.passing(f"{event.stage}: {event.done} of {event.total}")
            case Token():
                if not terminal.as_json:
                    terminal.write(event.token)
                self._told = True
            case Final() if terminal.as_json:
                terminal.json(event)
            case Final():
                terminal.line("" if self._told else event.answer)
                for warning in event.warnings:
                    terminal.warn(f"{warning.msg} {warning.hint}".rstrip())
                for line in describe(event):
                    terminal.note(line)
            case Failed():  # raised as an error before it comes here
                pass


def describe(final: Final) -> list[str]:
    """How the answer came about, in a line, and a line for every input."""
    told = final.metadata
    parts = [
        "confidence unknown" if final.confidence is None else f"confidence {final.confidence:.0%}",
        told.model if told.activated_experts is None else f"{told.model}, {told.activated_experts} experts active",
        f"{told.processing_time_ms} ms",
    ]
    if told.input_tokens is not None and told.output_tokens is not None:
        parts.append(f"{told.input_tokens} tokens in, {told.output_tokens} out")
    if told.finish_reason == "length":
        parts.append("cut at max_tokens")
    return [" · ".join(parts), *(_receipt(receipt) for receipt in told.receipts)]


def _receipt(receipt: Receipt) -> str:
    parts = [
        f"input {receipt.index}: {receipt.format} {receipt.original_width}x{receipt.original_height}"
        f" seen as {receipt.sent_width}x{receipt.sent_height}, {receipt.visual_tokens} tokens",
        *([", ".join(receipt.changes)] if receipt.changes else []),
        *([f"{len(receipt.pages)} of {receipt.page_count} pages"] if receipt.page_count else []),
        *([f"{len(receipt.timestamps)} frames of {receipt.seconds:.1f} s"] if receipt.seconds else []),
    ]
    return " · ".join(parts)
