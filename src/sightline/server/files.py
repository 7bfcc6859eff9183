"""Uploads: `POST /files` takes a file raw or as multipart/form-data and keeps it under a `file_id` that stands wherever an image does."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import msgspec
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from sightline.protocol.errors import MalformedRequest
from sightline.protocol.language import Bilingual
from sightline.protocol.uploads import Deleted, Deletion, Upload, Uploaded
from sightline.server.connection import body_chunks, while_connected
from sightline.server.response import send_json
from sightline.service.ports import Caller, FileStore

_FORM = Bilingual("表单有误，需要恰好一个文件", "the form is not valid; it needs exactly one file")


async def receive_file(scope: Scope, receive: Receive, send: Send, store: FileStore, caller: Caller, idle_seconds: float) -> None:
    """Keeps the body, as it comes in. Raises `MalformedRequest`, `TooLarge`, `SlowRequest`."""
    chunks = body_chunks(receive, idle_seconds)
    kind, options = parse_options_header(Headers(scope=scope).get("content-type", ""))
    if kind == b"multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise MalformedRequest("body", _FORM)
        chunks = _file_of_form(chunks, boundary)
    async with aclosing(chunks):
        kept = await store.put(chunks, caller.tenant)
    result = Upload(file_id=kept.file_id, bytes=kept.bytes, expires_at=kept.expires_at)
    await send_json(send, msgspec.json.encode(Uploaded(request_id=scope["state"]["request_id"], result=result)), status=201)


async def delete_file(scope: Scope, receive: Receive, send: Send, store: FileStore, caller: Caller) -> None:
    """Forgets an upload. Raises `MalformedRequest` for one that is not there."""
    file_id: str = scope["path_params"]["file_id"]
    if not await while_connected(receive, store.delete(file_id, caller.tenant)):
        raise MalformedRequest("file_id", Bilingual("没有这个文件，或已过期", "there is no such file, or it has expired"))
    body = Deleted(request_id=scope["state"]["request_id"], result=Deletion(file_id=file_id))
    await send_json(send, msgspec.json.encode(body))


async def _file_of_form(chunks: AsyncIterator[bytes], boundary: bytes) -> AsyncGenerator[bytes]:
    """The content of a form's only part, as it comes."""
    ready: list[bytes] = []
    seen: Counter[str] = Counter()

    def data(buffer: bytes, start: int, end: int) -> None:
        ready.append(buffer[start:end])

    try:
        parser = MultipartParser(
            boundary,
            {"on_part_begin": lambda: seen.update(["part"]), "on_part_data": data, "on_end": lambda: seen.update(["end"])},
        )
        async for chunk in chunks:
            parser.write(chunk)
            if seen["part"] > 1:
                raise MalformedRequest("body", _FORM)
            if ready:
                yield b"".join(ready)
                ready.clear()
    except MultipartParseError:
        raise MalformedRequest("body", _FORM) from None
    if seen["part"] != 1 or not seen["end"]:
        raise MalformedRequest("body", _FORM)
