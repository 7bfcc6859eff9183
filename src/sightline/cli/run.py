"""`sightline run`: one question about many pictures, or many questions, to lines of JSON; broken off, it goes on where it was."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, closing
from typing import Any

from sightline.cli.ask import add_answer_arguments, options_of
from sightline.cli.base import Command, add_engine_arguments, add_server_arguments, server_of, settings_of, whole
from sightline.cli.inputs import Item, read_items
from sightline.cli.results import Results
from sightline.cli.terminal import Terminal
from sightline.protocol.errors import Error, NotAllowed, QuotaExceeded, Unauthenticated
from sightline.protocol.events import Envelope

Answering = Callable[[Item], Awaitable[Envelope]]


class Run(Command):
    name = "run"
    summary = "ask about a folder of pictures, or a file of questions"
    description = (
        "Ask the same about every picture, PDF and video of a folder, or whatever the lines of a JSONL file say:\n"
        '  {"images": ["a.png"], "text": "What is this?", "id": "a", "task": "vqa", "options": {"max_tokens": 64}}\n'
        "Every answer is a line of the results. Broken off, the same command goes on where it was; failures are tried again."
    )
    examples = (
        "sightline run photos/ -q 'Is there a person in the picture?' -o people.jsonl",
        "sightline run questions.jsonl -o answers.jsonl --server http://127.0.0.1:8000 -j 16",
        "sightline run photos/ -t captioning -o - | jq -r .result.answer",
    )

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "sightline run INPUT... [-q QUESTION] [-o RESULTS] [options]"
        parser.add_argument(
            "inputs", metavar="INPUT", nargs="+", help="folders, files, addresses, or JSONL ('-' reads it from standard input)"
        )
        parser.add_argument("-q", "--question", default="", help="the question for all that bring none of their own")
        parser.add_argument("-t", "--task", default="vqa", help="what to do: see `sightline tasks` (default: vqa, a question in words)")
        parser.add_argument(
            "-o",
            "--output",
            metavar="RESULTS",
            default="results.jsonl",
            help="file of results; '-' is standard output (default: results.jsonl)",
        )
        parser.add_argument("-j", "--jobs", metavar="N", type=whole, default=4, help="questions at a time (default: 4)")
        parser.add_argument("--restart", action="store_true", help="forget the results that are there")
        add_answer_arguments(parser)
        add_engine_arguments(parser, or_service=True)
        add_server_arguments(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        arguments.server = server_of(arguments)
        options = options_of(arguments)
        if arguments.server and arguments.model:
            options["model"] = arguments.model
        if arguments.timeout:
            options["timeout_ms"] = round(arguments.timeout * 1000)
        items = read_items(arguments.inputs, arguments.question, arguments.task, options)
        with closing(Results(arguments.output, items, restart=arguments.restart)) as results:
            work = _Work(items, results, terminal)
            try:
                asyncio.run(work.do(arguments))
            except (KeyboardInterrupt, Error):
                if arguments.output != "-":
                    terminal.warn(f"{work.answered} answered, {len(work.waiting)} left; the same command goes on from here.")
                raise
            work.report(arguments.output)
        return work.status


class _Work:
    """One run: what waits, and what has come of the rest."""

    def __init__(self, items: list[Item], results: Results, terminal: Terminal) -> None:
        self._total = len(items)
        self._results = results
        self._terminal = terminal
        self._before = len(results.done)
        self.waiting = {item.id: item for item in items if item.id not in results.done}
        self.answered = 0
        self._failed = 0
        self.status = 0
        """Exit status: that of the first failure, 0 where there was none."""

    async def do(self, arguments: Any) -> None:
        """Asks what is left. Raises the `Error` that every other question would meet too."""
        if not self.waiting:
            return
        from sightline.client import Bar, at_once

        answering = _by_service(arguments, self._terminal) if arguments.server else _by_own(arguments, self._terminal)
        with Bar(self._total, done=self._before, shown=not self._terminal.as_json) as bar:
            async with answering as answer, aclosing(at_once(list(self.waiting.values()), _tried(answer), arguments.jobs)) as finished:
                async for item, came in finished:
                    bar.add(failed=isinstance(came, Error))
                    self._note(item, came)

    def _note(self, item: Item, came: Envelope | Error) -> None:
        if isinstance(came, Error):
            if _is_for_all(came):
                raise came
            self._results.add_error(item, came, self._terminal.language)
            self._failed += 1
            self.status = self.status or came.exit_status
        else:
            self._results.add(item, came)
            self.answered += 1
        del self.waiting[item.id]

    def report(self, output: str) -> None:
        told = {"answered": self.answered, "failed": self._failed, "answered_before": self._before, "output": output}
        if self._terminal.as_json and output != "-":
            self._terminal.json(told)
        else:
            before = f", {self._before} before" if self._before else ""
            failed = f", {self._failed} failed" if self._failed else ""
            self._terminal.note(f"{self.answered} answered{before}{failed}")
            if self._failed:
                self._terminal.warn("The results say why; the same command asks those again.")


def _is_for_all(error: Error) -> bool:
    """Whether the next question would meet the same: nobody there, a wrong address, no key, nothing left of the quota."""
    from sightline.client.failures import ConnectionFailed, UnexpectedAnswer

    return isinstance(error, (ConnectionFailed, UnexpectedAnswer, Unauthenticated, NotAllowed, QuotaExceeded))


def _tried(answer: Answering) -> Callable[[Item], Awaitable[tuple[Item, Envelope | Error]]]:
    async def attempt(item: Item) -> tuple[Item, Envelope | Error]:
        try:
            return item, await answer(item)
        except Error as error:
            return item, error

    return attempt


@asynccontextmanager
async def _by_service(arguments: Any, terminal: Terminal) -> AsyncGenerator[Answering]:
    from sightline.client import AsyncQwenVLClient

    async with AsyncQwenVLClient(
        arguments.key, arguments.server, arguments.timeout, max_connections=arguments.jobs, language=terminal.language
    ) as client:

        async def answer(item: Item) -> Envelope:
            return (await client.ask(item.images, item.text, item.task, False, **item.options)).envelope()

        yield answer


@asynccontextmanager
async def _by_own(arguments: Any, terminal: Terminal) -> AsyncGenerator[Answering]:
    from sightline.cli.own import one_engine, open_own, read_request

    async with open_own(settings_of(arguments, one_engine), terminal.language) as own:

        async def answer(item: Item) -> Envelope:
            request = await asyncio.to_thread(read_request, item.images, item.text, item.task, item.options)
            return await own.answer(request)

        yield answer
