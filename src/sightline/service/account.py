"""What is noted of every call, once: counts and times for the meter, usage for the ledger, and one line in the log without content."""

from __future__ import annotations

import logging

from sightline.prompt import Usage
from sightline.protocol.errors import Error
from sightline.protocol.events import Final
from sightline.service.calls import Call
from sightline.service.ports import Clock, Ledger, Meter
from sightline.tasks.base import Lane

_log = logging.getLogger("sightline.calls")
LEFT = 499
"""Stands in the log for the code of a call whose caller went away."""


class Account:
    """One call's. Its `lane` is set as soon as it is known."""

    def __init__(self, call: Call, clock: Clock, meter: Meter, ledger: Ledger | None) -> None:
        self.lane: Lane | None = None
        self._call = call
        self._clock = clock
        self._meter = meter
        self._ledger = ledger
        self._noted = False

    def answered(self, final: Final) -> None:
        """The call has its final event, which is about to leave."""
        self._noted = True
        self._meter.answered(final, self._seconds())
        self._record(usage_of(final), final.code)
        told = final.metadata
        self._line(
            final.code,
            model=told.model,
            queue_ms=told.queue_ms,
            first_token_ms=told.first_token_ms,
            input_tokens=told.input_tokens,
            output_tokens=told.output_tokens,
            cache=told.cache if isinstance(told.cache, str) else None,
            finish=told.finish_reason,
        )

    def failed(self, error: Error) -> None:
        """The call ends with an error, before or after it was accepted."""
        self._noted = True
        self._meter.refused(self._call.task.name, self.lane, error.code)
        self._record(None, error.code)
        self._line(error.code, cause=error.cause)

    def close(self) -> None:
        """The stream is over. Where nothing else was noted, its caller went away."""
        if not self._noted:
            self._meter.left(self._call.task.name, self.lane)
            self._line(LEFT)

    def _record(self, usage: Usage | None, code: int) -> None:
        if self._ledger:
            self._ledger.record(self._call.caller, self._call.task.name, usage=usage, code=code)

    def _seconds(self) -> float:
        return self._clock.now() - self._call.arrived

    def _line(self, code: int, **more: object) -> None:
        if not _log.isEnabledFor(logging.INFO):
            return
        call = self._call
        fields = {
            "request_id": call.request_id,
            "tenant": call.caller.tenant,
            "key_id": call.caller.key_id,
            "task": call.task.name,
            "lane": self.lane,
            "code": code,
            "ms": round(1000 * self._seconds(), 1),
            **more,
        }
        # Made here and not by `_log.info`, which would look for the line that it is called from, for every call anew.
        record = logging.LogRecord(_log.name, logging.INFO, __file__, 0, "call", None, None)
        vars(record)["fields"] = {name: value for name, value in fields.items() if value is not None}
        _log.handle(record)


def usage_of(final: Final) -> Usage | None:
    """Tokens that this answer cost; None where the engine does not tell, and for an answer that somebody else paid for."""
    told = final.metadata
    if told.input_tokens is None or told.output_tokens is None or told.cache in ("hit", "shared"):
        return None
    return Usage(told.input_tokens, told.output_tokens)
