"""What comes back for an upload."""

from __future__ import annotations

import msgspec


class Upload(msgspec.Struct, frozen=True):
    """A kept file. `expires_at` is seconds since the epoch; `file_id` stands wherever an image does: `{"file_id": ...}`."""

    file_id: str
    bytes: int
    expires_at: int


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `POST /files`."""

    request_id: str
    code: int = 0
    msg: str = "success"
    result: Upload


class Deletion(msgspec.Struct, frozen=True):
    """A file that was forgotten."""

    file_id: str
    deleted: bool = True


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `DELETE /files/{file_id}`."""

    request_id: str
    code: int = 0
    msg: str = "success"
    result: Deletion
