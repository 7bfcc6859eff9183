"""Lanes that follow their pools: a lane has the slots of the replicas there are, shared among the gateways there are.

An autoscaler adds and takes away replicas while the service runs. What waits must wait here, where it is weighed, ordered and told to
the autoscaler, and not in the frontend of an engine that was given too much; and a replica that has come must be used at once. So both
are counted by the addresses of a name, which a headless Service of Kubernetes has for every pod that is ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from sightline.config import Settings
from sightline.service.lanes import Lane
from sightline.tasks.base import Lane as LaneName

_log = logging.getLogger(__name__)

_EVERY_S = 5.0
"""As long as an answer of a cluster's resolver is remembered there."""

Count = Callable[[str], Awaitable[int | None]]
"""The addresses of a host name; None where nobody could tell."""


@asynccontextmanager
async def following(settings: Settings, lanes: Mapping[LaneName, Lane], every_s: float = _EVERY_S) -> AsyncGenerator[None]:
    """Keeps the slots of the lanes that name their replicas as many as these have, from the first moment on."""
    if all(lane.replicas is None for lane in settings.lanes.values()):
        yield
        return
    follower = Follower(settings, lanes, addresses)
    await follower.look()
    watch = asyncio.create_task(follower.watch(every_s), name="count replicas")
    try:
        yield
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


class Follower:
    """Counts, and resizes. What cannot be counted stays as it was."""

    def __init__(self, settings: Settings, lanes: Mapping[LaneName, Lane], count: Count) -> None:
        self._settings = settings
        self._lanes = lanes
        self._count = count
        self._gateways = 1
        self._replicas: dict[LaneName, int] = {}

    async def look(self) -> None:
        """Counts once."""
        peers = self._settings.server.peers
        if peers and (found := await self._count(peers)):
            self._gateways = found
        for name, lane in self._settings.lanes.items():
            if lane.replicas is None:
                continue
            found = await self._count(lane.replicas)
            if found is not None:
                self._replicas[name] = found
            slots = share(lane.slots, self._replicas.get(name, 1), self._gateways)
            if slots != self._lanes[name].limits.slots:
                _log.info("lane %s: %d slots, of %s replica(s) and %d gateway(s)", name, slots, self._replicas.get(name), self._gateways)
                self._lanes[name].resize(slots)

    async def watch(self, every_s: float) -> None:
        """Counts again and again."""
        while True:
            await asyncio.sleep(every_s)
            await self.look()


def share(slots: int, replicas: int, gateways: int) -> int:
    """One gateway's part of the slots. Never none: a lane whose engines are all away says so through its calls."""
    return max(1, math.ceil(slots * replicas / gateways))


async def addresses(name: str) -> int | None:
    """How many addresses a host name has; 0 where there is no such name, None while the resolver is away."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return 0 if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA} else None
    except OSError:
        return None
    return len({address[0] for *_, address in found})
