"""Listening: uvicorn around the application, with our own signals, so that the engines are closed in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Generator

import uvicorn
from starlette.types import ASGIApp

from sightline.server.protocol import HeadBounds, bounded_protocol
from sightline.service.ports import StartupError

_LAST_WORDS_SECONDS = 3.0


class _Server(uvicorn.Server):
    """uvicorn raises caught signals again once it is done, which would end the process before the engines are closed."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        # Calls that were cut by the end of the drain still send their last event.
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_LAST_WORDS_SECONDS)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        """The first signal drains, a second one does not wait."""
        self.force_exit = self.should_exit
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises `StartupError` where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StartupError(f"The service cannot listen on {host}:{port}: {reason}. Choose another with --port.") from None
    return bound


async def run(app: ASGIApp, bound: socket.socket, *, drain_seconds: int, started: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM, then lets open calls finish for `drain_seconds`. `started` is called once it listens."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=bounded_protocol(HeadBounds()),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        # Proxies are trusted by name only, never by default.
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=drain_seconds,
        backlog=2048,
    )
    await _Server(config, started).serve(sockets=[bound])
