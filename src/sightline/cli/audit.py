"""`sightline audit`: what was refused, and whether the record of it is whole."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sightline.cli.base import Command, UsageError, add_settings_argument, operating, settings_of_file
from sightline.cli.terminal import Terminal

if TYPE_CHECKING:
    from sightline.config import Settings
    from sightline.moderation.chain import Entry
    from sightline.moderation.evidence import Content

_ACTIONS = ("verify", "list", "show", "keygen")
_NOT_WHOLE = 65


class Audit(Command):
    name = "audit"
    summary = "read the record of refusals, and check that it is whole"
    description = (
        "verify: find changed, dropped, reordered and missing entries; list: the refusals; show: all that is known of one\n"
        "keygen: make the reviewers' keys; with the public one in the settings, what is refused is kept for them, sealed, for a while\n"
        "What was refused is never in the record itself. Whoever could replace the whole record can only be found by heads that were\n"
        "noted elsewhere before: keep those that `verify --heads FILE` writes, and verify against them."
    )
    examples = (
        "sightline audit verify",
        "sightline audit verify --heads /mnt/elsewhere/heads.json",
        "sightline audit show aud_0123456789abcdef",
        "sightline audit keygen --private-key reviewers.key",
        "sightline audit show aud_0123456789abcdef --private-key reviewers.key",
    )

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("action", choices=_ACTIONS, help="what to do")
        parser.add_argument("id", metavar="ID", nargs="?", help="show: the audit id that the caller was told")
        parser.add_argument(
            "--heads", metavar="FILE", type=Path, help="verify: compare with the heads in this file, then note the present ones there"
        )
        parser.add_argument(
            "--private-key",
            metavar="FILE",
            type=Path,
            help="keygen: where to write the reviewers' private key; show: it, to see the content",
        )
        parser.add_argument("--pictures", metavar="FOLDER", type=Path, help="show: where to write pictures that were refused")
        add_settings_argument(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        from sightline.assembly.trust import audit_log

        with operating(terminal):
            if arguments.action == "keygen":
                return _keygen(arguments.private_key, terminal)
            settings = settings_of_file(arguments)
            folder, secret = audit_log(settings)
            if not folder.exists():
                raise UsageError(f"no service has kept a record in {folder} yet.")
            if arguments.action == "verify":
                return _verify(folder, secret, arguments.heads, terminal)
            from sightline.moderation.verify import entries

            found = [entry for entry in entries(folder, secret) if arguments.action == "list" or entry.id == arguments.id]
        if arguments.action == "show" and not found:
            raise UsageError(f"there is no entry {arguments.id}." if arguments.id else "which entry? Give its audit id.")
        if arguments.action == "show" and arguments.private_key:
            with operating(terminal):
                content = _content(found[0], arguments.private_key, settings)
            _show_content(found[0], content, arguments.pictures, terminal)
            return 0
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


def _keygen(path: Path | None, terminal: Terminal) -> int:
    from sightline.moderation.evidence import new_keys

    if path is None:
        raise UsageError("where shall the private key be written? For example: --private-key reviewers.key")
    private, public = new_keys()
    _write(path, private.encode("ascii") + b"\n")
    if terminal.as_json:
        terminal.json({"public_key": public})
    else:
        terminal.line(public)
        terminal.warn(
            f"This public key goes into the settings as trust.evidence_key. Keep {path} with the reviewers, away from the service."
        )
    return 0


def _content(entry: Entry, private_key: Path, settings: Settings) -> Content:
    """What was refused. Raises `AuditFault`, `UsageError`."""
    from sightline.assembly.trust import evidence_folder
    from sightline.moderation.evidence import open_evidence

    if entry.evidence is None:
        raise UsageError(f"no evidence was kept of {entry.id}; trust.evidence_key in the settings keeps it from then on.")
    try:
        key = private_key.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"the private key {private_key} cannot be read.") from None
    return open_evidence(evidence_folder(settings), entry.id, entry.evidence, key)


def _show_content(entry: Entry, content: Content, folder: Path | None, terminal: Terminal) -> None:
    names: list[str] = []
    if folder:
        paths = [folder / f"{entry.id}.{number}.{kind.rpartition('/')[2]}" for number, (kind, _) in enumerate(content.pictures, start=1)]
        for path, (_, picture) in zip(paths, content.pictures, strict=True):
            _write(path, picture)
        names = [str(path) for path in paths]
    if terminal.as_json:
        terminal.json({**msgspec.to_builtins(entry), "text": content.text, "pictures": names or len(content.pictures)})
        return
    terminal.table([(name, str(value)) for name, value in msgspec.to_builtins(entry).items()])
    terminal.line()
    terminal.line(
        content.text or f"{len(content.pictures)} pictures{': ' + ', '.join(names) if names else '; --pictures FOLDER writes them'}"
    )


def _write(path: Path, content: bytes) -> None:
    """A new file that its owner alone reads. Raises `UsageError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
