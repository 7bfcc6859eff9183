"""`sightline audit`: what was refused, and whether the record of it is whole."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from sightline.cli.base import Command, UsageError, add_settings_argument, operating, settings_of_file
from sightline.cli.terminal import Terminal

_ACTIONS = ("verify", "list", "show")
_NOT_WHOLE = 65


class Audit(Command):
    name = "audit"
    summary = "read the record of refusals, and check that it is whole"
    description = (
        "verify: find changed, dropped, reordered and missing entries; list: the refusals; show: all that is known of one\n"
        "What was refused is never in the record. Whoever could replace the whole record can only be found by heads that were noted\n"
        "elsewhere before: keep those that `verify --heads FILE` writes, and verify against them."
    )
    examples = (
        "sightline audit verify",
        "sightline audit verify --heads /mnt/elsewhere/heads.json",
        "sightline audit show aud_0123456789abcdef",
    )

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("action", choices=_ACTIONS, help="what to do")
        parser.add_argument("id", metavar="ID", nargs="?", help="show: the audit id that the caller was told")
        parser.add_argument(
            "--heads", metavar="FILE", type=Path, help="verify: compare with the heads in this file, then note the present ones there"
        )
        add_settings_argument(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        from sightline.assembly.trust import audit_log

        with operating(terminal):
            folder, secret = audit_log(settings_of_file(arguments))
            if not folder.exists():
                raise UsageError(f"no service has kept a record in {folder} yet.")
            if arguments.action == "verify":
                return _verify(folder, secret, arguments.heads, terminal)
            from sightline.moderation.verify import entries

            found = [entry for entry in entries(folder, secret) if arguments.action == "list" or entry.id == arguments.id]
        if arguments.action == "show" and not found:
            raise UsageError(f"there is no entry {arguments.id}." if arguments.id else "which entry? Give its audit id.")
        if terminal.as_json:
            for entry in found:
                terminal.json(entry)
        elif arguments.action == "show":
            for entry in found:
                terminal.table([(name, str(value)) for name, value in msgspec.to_builtins(entry).items()])
        else:
            rows = [(entry.time, entry.id, entry.where, entry.category, entry.rule, entry.key_id or entry.tenant) for entry in found]
            terminal.table(rows, ("TIME", "ID", "WHERE", "CATEGORY", "RULE", "CALLER"))
        return 0


def _verify(folder: Path, secret: bytes, heads: Path | None, terminal: Terminal) -> int:
    from sightline.moderation.verify import Heads, verify

    expected: Heads | None = None
    if heads and heads.exists():
        try:
            expected = msgspec.json.decode(heads.read_bytes(), type=dict[str, tuple[int, str]])
        except (OSError, msgspec.MsgspecError):
            raise UsageError(f"{heads} does not hold heads that were noted before.") from None
    report = verify(folder, secret, expected=expected)
    if heads and not report.findings:
        try:
            heads.write_bytes(msgspec.json.encode(report.heads))
        except OSError as error:
            raise UsageError(f"{heads} cannot be written: {error.strerror}.") from None
    if terminal.as_json:
        findings = [
            {"file": finding.file, "line": finding.line, "kind": finding.kind, "msg": finding.message.pick(terminal.language)}
            for finding in report.findings
        ]
        terminal.json({"whole": not findings, "entries": report.entries, "chains": report.chains, "findings": findings})
    else:
        for finding in report.findings:
            terminal.fail(f"{finding.file}:{finding.line}: {finding.kind}: {finding.message.pick(terminal.language)}")
        terminal.line(f"{report.entries} entries in {report.chains} chains: {'NOT whole' if report.findings else 'whole'}")
        if report.unacknowledged:
            terminal.note(f"{report.unacknowledged} lines were being written when a service ended; nobody was told of them.")
    return _NOT_WHOLE if report.findings else 0
