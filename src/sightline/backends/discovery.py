"""Where the replicas of a model are: a list that the operator wrote, or every address that a name stands for (a headless service)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Place:
    """One replica: the server's URL and, where its name stands for several, the IP address of this one."""

    url: str
    at: str | None = None

    @property
    def label(self) -> str:
        """For logs and metrics."""
        return self.at or urlsplit(self.url).netloc.rpartition("@")[2]


Discover = Callable[[], Awaitable[Sequence[Place]]]
"""The replicas there are now. Raises `OSError` when that cannot be said."""


def static(urls: Sequence[str]) -> Discover:
    """Replicas that are always the same."""
    places = [Place(url) for url in urls]

    async def discover() -> Sequence[Place]:
        return places

    return discover


def dns(url: str) -> Discover:
    """A replica for every address of the URL's host; asked of the system's resolver each time."""
    parts = urlsplit(url)

    async def discover() -> Sequence[Place]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname or "", parts.port or 80, type=socket.SOCK_STREAM)
        return [Place(url, address) for address in sorted({str(each[4][0]) for each in found})]

    return discover
