"""A secret of this installation, kept in a file that only its owner reads; made on first use."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from sightline.protocol.language import Bilingual
from sightline.stores.faults import StoreFault

_BYTES = 32


def secret_in(path: Path) -> bytes:
    """The 32 bytes (hex in the file) at `path`; drawn and stored when there is no such file yet.

    Two processes that start together agree on one. Raises `StoreFault` when the file holds something else, can be read
    by others, or cannot be written.
    """
    try:
        if not path.exists():
            _draw(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o007:
            raise StoreFault(
                Bilingual(
                    f"密钥文件 {path.name} 可被他人读取：请执行 chmod 600。", f"Others can read the secret {path.name}: chmod 600 it."
                )
            )
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise StoreFault(Bilingual(f"无法使用密钥文件 {path.name}。", f"The secret file {path.name} cannot be used.")) from error
    if len(secret) < _BYTES:
        raise StoreFault(Bilingual(f"密钥文件 {path.name} 过短。", f"The secret in {path.name} is too short."))
    return secret


def _draw(path: Path) -> None:
    """Writes beside the place and links it in: whoever comes second finds the first one's file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
