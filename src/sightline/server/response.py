"""Whole responses, sent at once."""

from __future__ import annotations

from starlette.types import Send

from sightline.protocol.errors import Error

JSON = b"application/json; charset=utf-8"


async def send_json(send: Send, body: bytes, *, status: int = 200) -> None:
    """`body` is encoded JSON."""
    await send_bytes(send, body, JSON, status=status)


async def send_bytes(send: Send, body: bytes, content_type: bytes, *, status: int = 200) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, error: Error, body: bytes, *, status: int | None = None) -> None:
    """Sends an error with its HTTP status and headers; `body` is already in the shape of the door that it came through."""
    headers = [(b"content-type", JSON), (b"content-length", str(len(body)).encode())]
    if error.retry_after_ms is not None:
        headers.append((b"retry-after", str(-(-error.retry_after_ms // 1000)).encode()))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status or error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
