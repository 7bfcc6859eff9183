"""Refused content kept for a person to review: sealed to a reviewer's public key, and deleted when its time is over.

Off unless the operator names a public key and a time. A gateway can seal and cannot open: the private key stays with the
reviewers. Sealing is HPKE (RFC 9180: X25519, HKDF-SHA-256, ChaCha20-Poly1305) of the `cryptography` package.
"""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from sightline.moderation.chain import AuditFault, Kept
from sightline.protocol.language import Bilingual

_INFO = b"sightline audit evidence"
_FILE = re.compile(r"(\d{1,12})\.(aud_[0-9a-f]{1,32})\.sealed")


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was refused: a text, or pictures as (media type, bytes)."""

    text: str = ""
    pictures: tuple[tuple[str, bytes], ...] = ()

    def encoded(self) -> bytes:
        return msgspec.msgpack.encode(self)


class EvidenceStore:
    """Sealed content in a folder, one file each, its name saying when it ends."""

    def __init__(self, folder: Path, public_key: str, *, keep_days: float) -> None:
        """`public_key` as `new_keys` made it. Raises `AuditFault` for one that is none, or where the extra is missing."""
        _, x25519 = _library()
        try:
            self._key = x25519.X25519PublicKey.from_public_bytes(bytes.fromhex(public_key.strip()))
        except ValueError:
            raise AuditFault(Bilingual("审阅公钥须为 64 位十六进制数。", "The reviewers' public key is 64 hex digits.")) from None
        self._folder = folder
        self._keep_s = round(keep_days * 86_400)

    def keep(self, audit_id: str, content: Content, now: float) -> Kept:
        """Seals and stores. Raises `OSError`."""
        sealed = _suite().encrypt(content.encoded(), self._key, _INFO + audit_id.encode())
        until = int(now) + self._keep_s
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{until}.{audit_id}.sealed"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return Kept(hashlib.sha256(sealed).hexdigest(), datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    def purge(self, now: float) -> int:
        """Deletes what has reached its time; returns how many."""
        return purge(self._folder, now)


def purge(folder: Path, now: float) -> int:
    """Deletes sealed content in a folder whose time is over; needs no key."""
    ended = [path for path in folder.glob("*.sealed") if (named := _FILE.fullmatch(path.name)) and int(named[1]) <= now]
    for path in ended:
        path.unlink(missing_ok=True)
    return len(ended)


def open_evidence(folder: Path, audit_id: str, kept: Kept, private_key: str) -> Content:
    """What was refused under an audit id. Raises `AuditFault` when it is gone, was changed, or is sealed to another key."""
    _, x25519 = _library()
    found = [path for path in folder.glob("*.sealed") if (named := _FILE.fullmatch(path.name)) and named[2] == audit_id]
    if not found:
        raise AuditFault(Bilingual("证据已到期删除，或不在此处。", "The evidence has reached its time and was deleted, or is not here."))
    sealed = found[0].read_bytes()
    if hashlib.sha256(sealed).hexdigest() != kept.sha256:
        raise AuditFault(Bilingual("证据文件已被改动。", "The evidence file was changed."))
    try:
        key = x25519.X25519PrivateKey.from_private_bytes(bytes.fromhex(private_key.strip()))
        plain = _suite().decrypt(sealed, key, _INFO + audit_id.encode())
    except Exception as error:  # the library has several classes for one outcome
        raise AuditFault(Bilingual("此私钥打不开该证据。", "This private key does not open the evidence.")) from error
    return msgspec.msgpack.decode(plain, type=Content)


def new_keys() -> tuple[str, str]:
    """A reviewers' pair of keys in hex: the private one, to be kept away from the service, and the public one for its settings."""
    _, x25519 = _library()
    private = x25519.X25519PrivateKey.generate()
    return private.private_bytes_raw().hex(), private.public_key().public_bytes_raw().hex()


def _library():
    try:
        from cryptography.hazmat.primitives import hpke
        from cryptography.hazmat.primitives.asymmetric import x25519
    except ImportError:
        raise AuditFault(Bilingual("保留证据需要安装 sightline[audit]。", "Keeping evidence needs the extra sightline[audit].")) from None
    return hpke, x25519


def _suite():
    hpke, _ = _library()
    return hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
