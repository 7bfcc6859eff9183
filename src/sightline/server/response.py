"""Whole responses, sent at once."""

from __future__ import annotations

from starlette.types import Send

JSON = b"application/json; charset=utf-8"


async def send_json(send: Send, body: bytes, *, status: int = 200) -> None:
    """`body` is encoded JSON."""
    await send_bytes(send, body, JSON, status=status)


async def send_bytes(send: Send, body: bytes, content_type: bytes, *, status: int = 200) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
