"""The form of the audit log: lines that hold on to each other, and a head that says where they end.

Every writer (one start of one gateway) has a chain of its own, in segments:

    <writer>.000001.jsonl, .000002.jsonl, ...   {"mac": "<hex>", "entry": {"seq": 1, "prev": "<mac before>", ...}}
    <writer>.head                               two slots, written in turn: how many entries were acknowledged, and the last mac

A mac is HMAC-SHA-256 over the entry's bytes, with a key that is not in the log: someone without it can neither change a
line nor write a chain anew. `prev` fixes the order, `seq` shows gaps, the head shows a tail that was cut off, and each
chain begins by naming the heads of those before it, so that a whole chain cannot vanish either.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Literal

import msgspec

from sightline.protocol.language import Bilingual, Language

SLOT = 256
START = "0" * 64
"""What the first entry of a chain holds on to."""


class AuditFault(Exception):
    """The log cannot be written or read: a sentence for the operator."""

    def __init__(self, message: Bilingual) -> None:
        self.message = message
        super().__init__(message.en)

    def say(self, language: Language) -> str:
        return self.message.pick(language)


class Kept(msgspec.Struct, frozen=True):
    """Evidence that was kept for a review: the hash (hex SHA-256) of its sealed form, and when it is deleted (ISO 8601)."""

    sha256: str
    until: str


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the log. Content itself is never in it.

    `kind` is `refused`, or `opened` for the first line of a chain. `where` is `input`, `output` or `image`; `span` is where
    the match stood in the text (code points); `content` a keyed hash of the content, equal for equal content; `heads` what
    the chains before this one had come to.
    """

    seq: int
    prev: str
    writer: str
    time: str
    id: str
    kind: Literal["opened", "refused"] = "refused"
    where: str = ""
    category: str = ""
    rule: str = ""
    span: tuple[int, int] | None = None
    content: str = ""
    tenant: str = ""
    key_id: str | None = None
    evidence: Kept | None = None
    heads: dict[str, tuple[int, str]] = {}


class Line(msgspec.Struct, frozen=True):
    """A line as it stands in the file; the entry's bytes are what the mac is over."""

    mac: str
    entry: msgspec.Raw


class _Head(msgspec.Struct, frozen=True):
    seq: int
    mac: str
    turn: int
    proof: str = ""


class Keyring(msgspec.Struct, frozen=True):
    """The keys of a log, each for one use, from one secret."""

    chain: bytes
    content: bytes

    @classmethod
    def of(cls, secret: bytes) -> Keyring:
        return cls(*(hmac.new(secret, f"sightline audit {use}".encode(), hashlib.sha256).digest() for use in ("chain", "content")))

    def seal(self, entry: Entry) -> tuple[bytes, str]:
        """The entry as a line, and its mac."""
        raw = msgspec.json.encode(entry)
        mac = self.mac(raw)
        return msgspec.json.encode(Line(mac, msgspec.Raw(raw))) + b"\n", mac

    def mac(self, raw: bytes) -> str:
        return hmac.new(self.chain, raw, hashlib.sha256).hexdigest()

    def fingerprint(self, content: bytes) -> str:
        """Names content without giving it away: short texts cannot be found by trying without the key."""
        return hmac.new(self.content, content, hashlib.sha256).hexdigest()

    def open(self, line: bytes) -> tuple[Entry, str] | None:
        """The entry of a line and its mac; None when it is damaged or was changed."""
        try:
            parted = msgspec.json.decode(line, type=Line)
            entry = msgspec.json.decode(parted.entry, type=Entry)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        mac = self.mac(bytes(parted.entry))
        return (entry, mac) if hmac.compare_digest(mac, parted.mac) else None

    def slot(self, seq: int, mac: str, turn: int) -> bytes:
        """The content of one slot of a head file: `turn` counts the writings, and chooses the slot."""
        bare = _Head(seq, mac, turn)
        whole = msgspec.json.encode(msgspec.structs.replace(bare, proof=self.mac(msgspec.json.encode(bare))))
        return whole.ljust(SLOT - 1) + b"\n"

    def head(self, data: bytes) -> tuple[int, str, bool] | None:
        """What a head file says: entries, last mac, and whether both slots are whole; None when neither is."""
        found: list[_Head] = []
        for begin in (0, SLOT):
            try:
                slot = msgspec.json.decode(data[begin : begin + SLOT], type=_Head)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            bare: Any = msgspec.structs.replace(slot, proof="")
            if hmac.compare_digest(self.mac(msgspec.json.encode(bare)), slot.proof):
                found.append(slot)
        if not found:
            return None
        newest = max(found, key=lambda slot: slot.turn)
        return newest.seq, newest.mac, len(found) == 2 and abs(found[0].turn - found[1].turn) == 1
