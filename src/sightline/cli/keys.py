"""`sightline keys`: who may call a service, how much, and what each has used."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sightline.cli.base import Command, UsageError, add_settings_argument, operating, settings_of_file, whole
from sightline.cli.terminal import Terminal
from sightline.protocol.errors import UnknownTask
from sightline.service.ports import Allowance, Scopes

if TYPE_CHECKING:
    from sightline.assembly.trust import KeyDesk
    from sightline.stores.keys import KeyRecord

_ACTIONS = ("create", "list", "revoke", "usage")


class Keys(Command):
    name = "keys"
    summary = "make and revoke keys, and see what they were used for"
    description = (
        "create: make a key, which is shown this once; revoke: end one; list: all of them; usage: what each was used for\n"
        "A service on an address that others can reach asks for keys; one for this machine alone does not."
    )
    examples = (
        "sightline keys create 'the web shop' --requests-per-minute 60 --tasks vqa,captioning",
        "sightline keys list",
        "sightline keys revoke key_0123456789abcdef",
        "sightline keys usage --since 2026-11-01 --csv > usage.csv",
    )

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "sightline keys create NAME [limits] | revoke KEY | list | usage"
        parser.add_argument("action", choices=_ACTIONS, help="what to do")
        parser.add_argument("key", metavar="NAME or KEY", nargs="?", help="a name for people; or the id or shown beginning of a key")
        made = parser.add_argument_group("create")
        made.add_argument("--tenant", help="who it belongs to: keys of one tenant share files and remembered answers (default: its own)")
        made.add_argument("--tasks", metavar="TASK,...", type=names, help="only these tasks")
        made.add_argument("--lanes", metavar="LANE,...", type=names, help="only these lanes")
        made.add_argument("--models", metavar="MODEL,...", type=names, help="only these models")
        made.add_argument("--admin", action="store_true", help="it also opens the console of the service")
        made.add_argument("--days", metavar="N", type=whole, help="it ends after so many days (default: never)")
        for field in fields(Allowance):
            words = field.name.replace("_", " ").replace("concurrent", "calls at a time")
            made.add_argument(f"--{field.name.replace('_', '-')}", metavar="N", type=whole, help=f"at most so many {words}")
        used = parser.add_argument_group("usage")
        used.add_argument("--since", metavar="DAY", type=day, default="1970-01-01", help="the first day, as 2026-11-01 (UTC)")
        used.add_argument("--until", metavar="DAY", type=day, default="9999-12-31", help="the last day")
        used.add_argument("--csv", action="store_true", help="as a table for a spreadsheet")
        add_settings_argument(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        from sightline.assembly import open_catalog
        from sightline.assembly.trust import open_keys

        act: Callable[[KeyDesk, Any, Terminal], None] = {"create": _create, "list": _list, "revoke": _revoke, "usage": _usage}[
            arguments.action
        ]
        if arguments.action in {"create", "revoke"} and not arguments.key:
            create = arguments.action == "create"
            raise UsageError("a new key needs a name for people." if create else "which key? See `sightline keys list`.")
        settings = settings_of_file(arguments)
        with operating(terminal), open_keys(settings) as desk:
            if arguments.tasks:
                known = open_catalog(settings).tasks
                if unknown := sorted(arguments.tasks - set(known)):
                    raise UnknownTask(unknown[0], sorted(known))
            act(desk, arguments, terminal)
        return 0


def day(text: str) -> str:
    """An argument that is a day of the calendar."""
    return datetime.strptime(text, "%Y-%m-%d").strftime("%Y-%m-%d")


def names(text: str) -> frozenset[str]:
    """An argument that is a list of names."""
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def _create(desk: KeyDesk, arguments: Any, terminal: Terminal) -> None:
    scopes = Scopes(tasks=arguments.tasks, lanes=arguments.lanes, models=arguments.models, admin=arguments.admin)
    allowance = Allowance(**{field.name: getattr(arguments, field.name) for field in fields(Allowance)})
    expires_at = int(time.time()) + arguments.days * 86_400 if arguments.days else None
    record, key = desk.keys.create(arguments.key, tenant=arguments.tenant, scopes=scopes, allowance=allowance, expires_at=expires_at)
    if terminal.as_json:
        terminal.json({"id": record.id, "key": key, "name": record.name, "tenant": record.tenant})
    else:
        terminal.line(key)
        terminal.warn(f"This is {record.id}, '{record.name}'. The key is not shown again: keep it now.")


def _list(desk: KeyDesk, arguments: Any, terminal: Terminal) -> None:
    records = desk.keys.all()
    now = time.time()
    if terminal.as_json:
        for record in records:
            terminal.json({**asdict(record), "valid": record.valid(now)})
        return
    rows = [(record.id, f"{record.prefix}...", record.name, _state(record, now), _bounds(record)) for record in records]
    terminal.table(rows, ("ID", "KEY", "NAME", "STATE", "MAY"))


def _revoke(desk: KeyDesk, arguments: Any, terminal: Terminal) -> None:
    record = desk.keys.revoke(arguments.key)
    if record is None:
        raise UsageError(f"there is no one key '{arguments.key}'; see `sightline keys list`.")
    if terminal.as_json:
        terminal.json({"id": record.id, "revoked": True})
    else:
        terminal.line(f"{record.id}, '{record.name}', no longer opens anything; running services know within seconds.")


def _usage(desk: KeyDesk, arguments: Any, terminal: Terminal) -> None:
    rows = desk.usage.rows(arguments.since, arguments.until)
    if arguments.csv:
        from sightline.stores.usage import write_csv

        write_csv(rows, sys.stdout)
    elif terminal.as_json:
        for row in rows:
            terminal.json(asdict(row))
    else:
        numbers = [[f"{each:,}" for each in (row.requests, row.failed, row.input_tokens, row.output_tokens)] for row in rows]
        shown = [(row.day, row.name or row.key_id, row.task, *counts) for row, counts in zip(rows, numbers, strict=True)]
        terminal.table(shown, ("DAY", "KEY", "TASK", "CALLS", "FAILED", "TOKENS IN", "TOKENS OUT"))


def _state(record: KeyRecord, now: float) -> str:
    if record.revoked_at is not None:
        return f"revoked {_date(record.revoked_at)}"
    if record.expires_at is None:
        return "valid"
    return f"valid until {_date(record.expires_at)}" if record.valid(now) else f"ended {_date(record.expires_at)}"


def _bounds(record: KeyRecord) -> str:
    only = [sorted(values) for values in (record.scopes.tasks, record.scopes.lanes, record.scopes.models) if values is not None]
    limits = [f"{value:,} {name.replace('_', ' ')}" for name, value in asdict(record.allowance).items() if value is not None]
    admin = ["console"] if record.scopes.admin else []
    return "; ".join([*(", ".join(values) for values in only), *limits, *admin]) or "everything"


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
