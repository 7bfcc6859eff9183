"""The results of `sightline run`: a line of JSON for every question, each written whole, so that a run can be broken off anywhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from sightline.cli.base import UsageError
from sightline.cli.inputs import Item
from sightline.protocol.errors import Error, ErrorBody
from sightline.protocol.events import Envelope
from sightline.protocol.language import Language


class _Known(msgspec.Struct):
    """What tells whether a line is the answer to a question."""

    id: str
    key: str
    result: Any = None


class Results:
    """An open file of results; `-` is standard output, which keeps nothing."""

    def __init__(self, name: str, items: list[Item], *, restart: bool = False) -> None:
        """Reads what an earlier run has left and keeps the answers to these very questions.

        Failures, answers to other questions and a half-written last line are dropped. Raises `UsageError` for a file that
        holds something else: it is left as it is.
        """
        self.done: set[str] = set()
        if name == "-":
            self._file: BinaryIO = sys.stdout.buffer
            return
        path = Path(name)
        kept = [] if restart or not path.exists() else self._keep(path, {item.id: item.key for item in items})
        aside = path.with_name(path.name + ".part")
        try:
            aside.write_bytes(b"".join(line + b"\n" for line in kept))
            os.replace(aside, path)
            self._file = path.open("ab")
        except OSError as error:
            raise UsageError(f"{name} cannot be written: {error.strerror}.") from None

    def _keep(self, path: Path, keys: dict[str, str]) -> list[bytes]:
        kept: list[bytes] = []
        whole = path.read_bytes().rpartition(b"\n")[0]
        for number, raw in enumerate(whole.splitlines(), 1):
            try:
                known = msgspec.json.decode(raw, type=_Known)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise UsageError(f"{path} is not a file of results (line {number}); choose another name for -o.") from None
            if known.result is not None and keys.get(known.id) == known.key:
                self.done.add(known.id)
                kept.append(raw)
        return kept

    def add(self, item: Item, envelope: Envelope) -> None:
        """An answer."""
        self._write(item, envelope)

    def add_error(self, item: Item, error: Error, language: Language) -> None:
        """A failure: told, and asked again by the next run."""
        self._write(item, error.received or error.body("", language))

    def _write(self, item: Item, body: Envelope | ErrorBody) -> None:
        line: dict[str, Any] = {"id": item.id, "key": item.key, **msgspec.to_builtins(body)}
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()

    def close(self) -> None:
        if self._file is not sys.stdout.buffer:
            self._file.close()
