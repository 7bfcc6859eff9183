"""Reads the audit log again: is every acknowledged entry there, as it was written, in its order?

What cannot be found from within: whoever holds the secret can write the log anew, and whoever kept old copies of a whole
folder can put them back. Against both, note `Report.heads` somewhere else from time to time and hand them to `verify` again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline.moderation.chain import START, AuditFault, Entry, Keyring
from sightline.protocol.language import Bilingual

_SEGMENT = re.compile(r"(?P<writer>[0-9T]{15}-[0-9a-f]{8})\.(?P<number>\d{6})\.jsonl")

Heads = Mapping[str, tuple[int, str]]
"""How many entries each chain has, and its last mac."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: in which file, at which line (from 1; 0 for the file as a whole), what, and said for a person."""

    file: str
    line: int
    kind: Literal["changed", "dropped", "reordered", "truncated", "missing"]
    message: Bilingual


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome: whole when `findings` is empty. `unacknowledged` are lines after a head, left by a crash: no fault."""

    entries: int
    chains: int
    findings: tuple[Finding, ...]
    unacknowledged: int
    heads: Heads


def verify(folder: Path, secret: bytes, *, expected: Heads | None = None) -> Report:
    """Checks every chain in a folder, and that none is shorter than `expected` (heads noted earlier) says.

    Raises `AuditFault` when the folder cannot be read.
    """
    keys = Keyring.of(secret)
    writers = _writers(folder)
    findings: list[Finding] = []
    known: dict[str, list[str]] = {}
    claims: list[tuple[str, Heads]] = [("", expected or {})]
    unacknowledged = 0
    for writer, segments in writers.items():
        walk = _Walk(keys, writer)
        for number, path in enumerate(segments, start=1):
            if path.name != f"{writer}.{number:06}.jsonl":
                walk.find(f"{writer}.{number:06}.jsonl", 0, "missing", Bilingual("缺少一个分段文件", "a segment is missing"))
                break
            walk.read(path)
        unacknowledged += walk.finish(folder / f"{writer}.head")
        findings += walk.findings
        known[writer] = walk.macs
        claims += [(walk.first, before) for before in walk.claims]
    for head in folder.glob("*.head"):
        if head.stem not in writers:
            findings.append(Finding(head.name, 0, "missing", Bilingual("整条链的条目都不见了", "all entries of this chain are gone")))
    for file, heads_before in claims:
        for writer, (seq, mac) in heads_before.items():
            macs = known.get(writer, [])
            if len(macs) < seq or macs[seq - 1] != mac:
                message = Bilingual(
                    f"链 {writer} 曾有 {seq} 条，现在缺少或不同", f"chain {writer} once had {seq} entries; they are missing or differ"
                )
                findings.append(Finding(file or f"{writer}.head", 0, "missing", message))
    ends = {writer: (len(macs), macs[-1]) for writer, macs in known.items() if macs}
    return Report(sum(map(len, known.values())), len(writers), tuple(findings), unacknowledged, ends)


def entries(folder: Path, secret: bytes) -> Iterator[Entry]:
    """Every refusal that can be trusted, oldest chain first. Raises `AuditFault`."""
    keys = Keyring.of(secret)
    for segments in _writers(folder).values():
        for path in segments:
            with path.open("rb") as lines:
                for line in lines:
                    opened = keys.open(line)
                    if opened and opened[0].kind == "refused":
                        yield opened[0]


def heads(folder: Path, keys: Keyring) -> dict[str, tuple[int, str]]:
    """What the chains in a folder have come to, but for those that a later chain has named in their final state already."""
    writers = _writers(folder)
    found: dict[str, tuple[int, str]] = {}
    for writer in writers:
        path = folder / f"{writer}.head"
        head = keys.head(path.read_bytes()) if path.exists() else None
        if head:
            found[writer] = head[:2]
    for segments in writers.values():
        with segments[0].open("rb") as lines:
            opened = keys.open(lines.readline())
        for writer, head in (opened[0].heads if opened else {}).items():
            if found.get(writer) == head:
                del found[writer]
    return found


def _writers(folder: Path) -> dict[str, list[Path]]:
    """The segments of each chain in order; chains by their names, which begin with their time."""
    found: dict[str, list[Path]] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise AuditFault(Bilingual("无法读取审计日志目录。", "The folder of the audit log cannot be read.")) from error
    for path in paths:
        if named := _SEGMENT.fullmatch(path.name):
            found.setdefault(named["writer"], []).append(path)
    return found


class _Walk:
    """One chain, line by line."""

    def __init__(self, keys: Keyring, writer: str) -> None:
        self._keys = keys
        self._writer = writer
        self._prev: str | None = START
        self._place = 0
        """How many lines have been read: the number that the last of them should have."""
        self._seen: dict[int, str] = {}
        self._unreadable: set[int] = set()
        self._torn = 0
        self.first = f"{writer}.000001.jsonl"
        self.findings: list[Finding] = []
        self.claims: list[Heads] = []

    @property
    def macs(self) -> list[str]:
        """The macs by number, as far as they go without a gap."""
        found: list[str] = []
        while (mac := self._seen.get(len(found) + 1)) is not None:
            found.append(mac)
        return found

    def find(
        self, file: str, line: int, kind: Literal["changed", "dropped", "reordered", "truncated", "missing"], message: Bilingual
    ) -> None:
        self.findings.append(Finding(file, line, kind, message))

    def read(self, path: Path) -> None:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.endswith(b"\n"):
                    self._line(path.name, number, line)
                else:
                    self._torn += 1  # whether it may be is known when the head has been read

    def _line(self, file: str, number: int, line: bytes) -> None:
        self._place += 1
        opened = self._keys.open(line)
        if opened is None or opened[0].writer != self._writer:
            self.find(file, number, "changed", Bilingual("内容被改动", "the line was changed"))
            self._unreadable.add(self._place)
            self._prev = None
            return
        entry, mac = opened
        if entry.heads:
            self.claims.append(entry.heads)
        if entry.seq in self._seen:
            self.find(file, number, "reordered", Bilingual(f"第 {entry.seq} 条重复出现", f"entry {entry.seq} stands here again"))
            self._place -= 1
            return
        if entry.seq < self._place:
            self.find(file, number, "reordered", Bilingual(f"第 {entry.seq} 条的位置不对", f"entry {entry.seq} is out of its place"))
            self._seen[entry.seq] = mac
            self._place -= 1
            return
        if self._prev is not None and entry.seq == self._place and entry.prev != self._prev:
            self.find(file, number, "changed", Bilingual("与前一条不相连", "it does not hold on to the line before"))
        self._seen[entry.seq] = mac
        self._place = entry.seq
        self._prev = mac

    def finish(self, head_file: Path) -> int:
        """Compares with the head; returns how many lines were never acknowledged."""
        last = max([*self._seen, *self._unreadable], default=0)
        gone = [seq for seq in range(1, last + 1) if seq not in self._seen and seq not in self._unreadable]
        if gone:
            named = ", ".join(map(str, gone[:5])) + (" ..." if len(gone) > 5 else "")
            self.find(self.first, 0, "dropped", Bilingual(f"缺少 {len(gone)} 条：{named}", f"{len(gone)} entries are missing: {named}"))
        head = self._keys.head(head_file.read_bytes()) if head_file.exists() else None
        if head is None:
            self.find(head_file.name, 0, "missing", Bilingual("链尾记录缺失或被改动", "the head is missing or was changed"))
            return 0
        seq, mac, whole = head
        if not whole:
            self.find(head_file.name, 0, "changed", Bilingual("链尾记录的一半被改动", "one half of the head was changed"))
        if last < seq:
            self.find(
                self.first,
                0,
                "truncated",
                Bilingual(f"尾部缺少 {seq - last} 条（应有 {seq} 条）", f"the last {seq - last} of {seq} entries are cut off"),
            )
        elif self._seen.get(seq, mac) != mac:
            self.find(head_file.name, 0, "changed", Bilingual("链尾与条目不符", "the head and the entries differ"))
        return max(0, last - seq) + self._torn
