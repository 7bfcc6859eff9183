"""The outermost layer: every request gets an id, a language, its headers, and for every error the envelope.

On loopback without keys the service trusts whoever reaches it, so it must not be reached through a person's browser by
another site: the Host must be one of ours (DNS rebinding), and a browser must say that it is on our own page.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.protocol.errors import BackendUnavailable, Error, Internal, NoSuchPath, NotAllowed
from sightline.protocol.language import Bilingual, Language, from_accept_language
from sightline.server.connection import ClientLeft
from sightline.server.logs import REQUEST_ID
from sightline.server.response import refuse
from sightline.server.tracing import TRACE_PARENT
from sightline.service.ports import Ids

_log = logging.getLogger(__name__)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SECURITY: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", _CONTENT_SECURITY.encode()),
    (b"cross-origin-resource-policy", b"same-origin"),
]


Fields = Mapping[bytes, bytes]
"""A request's headers by their names in lower case."""


@dataclass(frozen=True, slots=True)
class Visitors:
    """Who may reach the service. With `local_only`, only callers that name a loopback host (or one of `hosts`), from no other site."""

    local_only: bool = True
    hosts: frozenset[str] = frozenset()

    def check(self, fields: Fields) -> None:
        """Raises `NotAllowed`."""
        if not self.local_only:
            return
        told = fields.get(b"host", b"").decode("latin-1")
        host = _host(told)
        if host not in _LOOPBACK and host not in self.hosts:
            raise NotAllowed(Bilingual("未授权的 Host", "this Host is not served here"))
        origin = fields.get(b"origin")
        foreign = origin is not None and urlsplit(origin.decode("latin-1")).netloc != told
        if foreign or fields.get(b"sec-fetch-site") in {b"cross-site", b"same-site"}:
            raise NotAllowed(Bilingual("不接受来自其他网站的请求", "requests from other sites are not served"))


@functools.lru_cache(64)
def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


@functools.lru_cache(256)
def _language(header: bytes) -> Language:
    """Of the few forms that browsers and programs send, each is read once."""
    return from_accept_language(header.decode("latin-1"))


class Gate:
    """ASGI middleware around the whole application. Sets `state.request_id` and `state.language`."""

    def __init__(self, app: ASGIApp, ids: Ids, visitors: Visitors) -> None:
        self._app = app
        self._ids = ids
        self._visitors = visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Of a header that stands there twice, the first counts.
        fields: Fields = dict(reversed(scope["headers"]))
        asked = fields.get(b"x-request-id")
        request_id = asked.decode() if asked and _REQUEST_ID.fullmatch(asked) else self._ids.request_id()
        language = _language(fields.get(b"accept-language", b"")[:500])
        # Where it finds an app, Starlette's router raises for a wrong path or method instead of answering in bare text.
        scope["app"] = self._app
        scope.setdefault("state", {}).update(request_id=request_id, language=language)
        REQUEST_ID.set(request_id)
        parent = fields.get(b"traceparent")
        TRACE_PARENT.set(parent.decode("latin-1") if parent else None)
        started = False

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), *_SECURITY, (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            self._visitors.check(fields)
            await self._app(scope, receive, dressed)
        except ClientLeft:
            return
        except asyncio.CancelledError:
            # Cut by the end of a drain.
            if not started:
                stopping = BackendUnavailable(cause="the service is stopping")
                await refuse(dressed, stopping, msgspec.json.encode(stopping.body(request_id, language)))
            raise
        except Error as error:
            failure = error
        except HTTPException as error:
            failure = _unrouted(scope, error)
        except Exception as error:
            _log.exception("request %s failed", request_id)
            failure = Internal(cause=type(error).__name__)
        else:
            return
        level = logging.WARNING if failure.cause else logging.DEBUG
        _log.log(level, "request %s refused with %d: %s", request_id, failure.code, failure.cause or type(failure).__name__)
        if not started:
            await refuse(dressed, failure, msgspec.json.encode(failure.body(request_id, language)))


def _unrouted(scope: Scope, error: HTTPException) -> Error:
    if error.status_code == 404:
        return NoSuchPath(str(scope["path"]))
    if error.status_code == 405:
        return NoSuchPath(str(scope["path"]), (error.headers or {}).get("Allow", "").split(", "))
    return Internal(cause=f"HTTP {error.status_code}")
