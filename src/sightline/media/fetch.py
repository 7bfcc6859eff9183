"""The one place where the service asks an address that a stranger chose. There is no second path, and engines never fetch.

A name is resolved once; every address it has is judged, and the connection goes to one of those. Redirects are followed
here, at most a few, and each hop is judged like the first. What comes is bounded in bytes, in silence and in time, and
given up as soon as its first bytes show that it is nothing we read.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from sightline.media.addresses import Refused, check_addresses, check_url
from sightline.media.refusals import Over
from sightline.media.settings import MediaSettings

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""A host name to all its addresses; raises `OSError` when it has none."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGENT = "Sightline"


class SystemLookup:
    """The system's resolver, in threads of its own, so that a slow name server holds up nothing but names."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="media-dns")

    async def __call__(self, host: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class _JudgedResolver(AbstractResolver):
    """Gives aiohttp only addresses that were judged; what it returns is what is connected to."""

    def __init__(self, lookup: Lookup, settings: MediaSettings) -> None:
        self._lookup = lookup
        self._settings = settings

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        try:
            addresses = await self._lookup(host)
        except (OSError, UnicodeError):
            raise Refused("dns") from None
        check_addresses(addresses, self._settings)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held here; the lookup belongs to the fetcher."""


class Fetcher:
    """Fetches http(s) addresses within the bounds of `MediaSettings`. Open it in a running loop, close it when done.

    `tls` says which certificates are believed; without it those that the system trusts, for the name that was asked.
    """

    def __init__(self, settings: MediaSettings, lookup: Lookup | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._own_lookup = None if lookup else SystemLookup()
        resolver = _JudgedResolver(lookup or self._own_lookup or SystemLookup(), settings)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=resolver,
                use_dns_cache=False,
                force_close=True,
                limit=settings.most_connections,
                limit_per_host=16,
                ssl=tls or True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": _AGENT, "Accept-Encoding": "identity", "Accept": "image/*, video/*, application/pdf, */*;q=0.1"},
            timeout=aiohttp.ClientTimeout(total=None, connect=settings.connect_seconds, sock_read=settings.idle_seconds),
        )

    async def close(self) -> None:
        await self._session.close()
        if self._own_lookup:
            self._own_lookup.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def fetch(self, address: str, take: Callable[[bytes], None]) -> None:
        """Feeds the body's pieces to `take` as they come; whatever `take` raises ends the transfer.

        Raises `Refused`; `Over` when the declared or the actual size is over the bound.
        """
        try:
            async with asyncio.timeout(self._settings.fetch_seconds):
                async with aclosing(self._pieces(address)) as pieces:
                    async for piece in pieces:
                        take(piece)
        except TimeoutError:
            raise Refused("timeout") from None
        except (aiohttp.ClientSSLError, ssl.SSLError, ssl.CertificateError) as error:
            raise Refused("tls", type(error).__name__) from None
        except (aiohttp.ClientConnectorError, ConnectionRefusedError) as error:
            raise Refused("connect", type(error).__name__) from None
        except (aiohttp.InvalidURL, ValueError) as error:
            raise Refused("address", type(error).__name__) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Refused("broken", type(error).__name__) from None

    async def _pieces(self, address: str) -> AsyncGenerator[bytes]:
        settings = self._settings
        url = check_url(address, settings)
        for _ in range(settings.most_redirects + 1):
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status in _REDIRECTS:
                    url = self._next(url, answer.headers.get("Location"))
                    continue
                if answer.status != 200:
                    raise Refused("status", str(answer.status))
                if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise Refused("encoding")
                declared = answer.content_length
                if declared is not None and declared > settings.most_bytes:
                    raise Over("bytes", declared, settings.most_bytes)
                received = 0
                async for piece in answer.content.iter_any():
                    received += len(piece)
                    if received > settings.most_bytes:
                        raise Over("bytes", received, settings.most_bytes)
                    yield piece
                return
        raise Refused("redirects")

    def _next(self, url: URL, location: str | None) -> URL:
        if not location:
            raise Refused("status")
        try:
            target = url.join(URL(location))
        except ValueError:
            raise Refused("address") from None
        if url.scheme == "https" and target.scheme == "http":
            raise Refused("downgrade")
        return check_url(str(target), self._settings)
