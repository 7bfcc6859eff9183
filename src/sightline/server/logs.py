"""The service's log: one line an event, with the request's id and never its content. JSON for machines, a short line for a terminal."""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, TextIO, cast

import msgspec

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered; the gate sets it, and everything that is logged on its behalf carries it."""
_MOST_TEXT = 4000
_encoder = msgspec.json.Encoder(enc_hook=str)


class JsonFormatter(logging.Formatter):
    """`{"time": ..., "level": ..., "logger": ..., "message": ..., "request_id": ..., ...}`; the record's own fields come last."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _stamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_MOST_TEXT],
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        line.update(fields_of(record))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)[-_MOST_TEXT:]
        return _encoder.encode(line).decode()


class TextFormatter(logging.Formatter):
    """`12:34:56 warning sightline.engine: it ended`; a finished call as `12:34:56 vqa on A: 0 in 412 ms, ... (req_...)`."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = dict(fields_of(record))
        request_id = fields.pop("request_id", None) or REQUEST_ID.get()
        if record.name == "sightline.calls":
            head = f"{fields.pop('task', '?')} on {fields.pop('lane', '-')}: {fields.pop('code', '?')} in {fields.pop('ms', '?')} ms"
        else:
            head = f"{record.levelname.lower()} {record.name}: {record.getMessage()[:_MOST_TEXT]}"
        more = "".join(f", {name} {value}" for name, value in fields.items())
        named = f" ({request_id})" if request_id else ""
        traceback = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        # A record is one line, whatever stands in it.
        return f"{clock} " + f"{head}{more}{named}".replace("\r", " ").replace("\n", " ") + traceback


def fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """What a record carries besides its message: the mapping that was given as `extra={"fields": ...}`."""
    found = getattr(record, "fields", None)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def configure(stream: TextIO | None = None, *, debug: bool = False, as_json: bool | None = None) -> None:
    """Sends this process's log to `stream` (stderr), in place of where it went before: a line for every call, and warnings.

    Without `as_json` a terminal gets text.
    """
    to: TextIO = sys.stderr if stream is None else stream
    # Neither form tells them, and to find them out is half of what a record costs.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(to)
    handler.setFormatter(JsonFormatter() if (not to.isatty() if as_json is None else as_json) else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("sightline.calls").setLevel(logging.INFO)


def _stamp(seconds: float) -> str:
    return f"{_second(int(seconds))}.{int(seconds % 1 * 1000):03d}Z"


@functools.lru_cache(1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
