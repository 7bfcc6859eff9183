"""The composition root: settings become a running service. The only place that knows every adapter."""

from __future__ import annotations

import asyncio
import gc
import secrets
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from sightline.assembly.console import audit_reader, operator_desk
from sightline.assembly.engines import build_pool, state_of
from sightline.assembly.replicas import following
from sightline.assembly.trust import Trust, needs_keys, open_trust
from sightline.backends.pool import FixedPool
from sightline.config import Settings, address, state_folder
from sightline.evaluation.calibration import CalibratorFiles
from sightline.media.gate import Gate as MediaGate
from sightline.protocol.events import Event
from sightline.protocol.requests import InferRequest
from sightline.server.app import Face, create_app
from sightline.server.console import Premises
from sightline.server.entry import Bounds
from sightline.server.gate import Visitors
from sightline.server.metrics import Metrics
from sightline.server.run import listen, run
from sightline.service.calls import Call, understand
from sightline.service.infer import Inference, Ports
from sightline.service.lanes import Lane, LaneLimits
from sightline.service.ports import AnswerCache, Caller, StartupError
from sightline.stores.cache import MemoryCache
from sightline.stores.faults import StoreFault
from sightline.stores.files import DiskFiles
from sightline.stores.shared_cache import SharedCache
from sightline.tasks.base import Lane as LaneName
from sightline.tasks.base import Policy
from sightline.tasks.catalog import Catalog, read_catalog, shipped
from sightline.tasks.personas import FileMistake


class SystemClock:
    """Implements `ports.Clock`."""

    now = staticmethod(time.monotonic)


class RandomIds:
    """Implements `ports.Ids` with 96 random bits."""

    def request_id(self) -> str:
        return f"req_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, without its HTTP face."""

    inference: Inference
    pool: FixedPool
    lanes: Mapping[LaneName, Lane]
    metrics: Metrics
    files: DiskFiles
    media: MediaGate
    trust: Trust
    clock: SystemClock
    ids: RandomIds
    catalog: Catalog

    def call(self, request: InferRequest, caller: Caller | None = None) -> Call:
        """A request made inside this process. Raises what `understand` raises."""
        return understand(request, caller or Caller(), self.ids.request_id(), self.clock.now(), self.catalog)

    def stream(self, call: Call) -> AsyncGenerator[Event]:
        """The events of a call; see `Inference.stream`."""
        return self.inference.stream(call)


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncGenerator[Service]:
    """Starts engines and media, and closes them in order.

    Raises `StartupError` when an engine of our own cannot start as configured. Engines elsewhere may come up later.
    """
    clock = SystemClock()
    catalog = open_catalog(settings)
    for task in settings.routes:
        if task not in catalog.tasks:
            raise StartupError(f"routes.{task} names no task; there are: {', '.join(sorted(catalog.tasks))}.")
    pool = build_pool(settings)
    # Engines load in processes of their own: what else there is to do is done meanwhile.
    async with starting(pool) as engines, AsyncExitStack() as stack:
        trust = await stack.enter_async_context(open_trust(settings))
        # They end before what keeps account of their last calls.
        stack.push_async_callback(pool.close)
        shares: dict[LaneName, int] = {name: lane.cpu for name, lane in settings.lanes.items()}
        files = await stack.enter_async_context(open_files(settings))
        media = await stack.enter_async_context(MediaGate(settings.media.bounds(), clock, shares=shares, files=files))
        lanes: dict[LaneName, Lane] = {
            name: Lane(name, LaneLimits(lane.slots, lane.waiting, lane.waiting_tokens, lane.timeout_ms), clock)
            for name, lane in settings.lanes.items()
        }
        await stack.enter_async_context(following(settings, lanes))
        relief: dict[LaneName, Lane] = {
            name: Lane(name, LaneLimits(lane.lighter_slots, lane.lighter_waiting), clock)
            for name, lane in settings.lanes.items()
            if lane.lighter
        }
        metrics = Metrics(lanes, relief, lambda: [state_of(engine) for engine in pool.backends()])
        cache = await stack.enter_async_context(open_cache(settings))
        calibrators = open_calibrators(settings)
        await engines
        ports = Ports(
            media=media,
            pool=pool,
            clock=clock,
            meter=metrics,
            moderator=trust.moderation,
            cache=cache,
            limits=trust.limits,
            ledger=trust.ledger,
            calibrators=calibrators,
            policy=Policy(arithmetic=settings.tasks.arithmetic),
        )
        yield Service(Inference(ports, lanes, relief), pool, lanes, metrics, files, media, trust, clock, RandomIds(), catalog)


@asynccontextmanager
async def starting(pool: FixedPool) -> AsyncGenerator[asyncio.Task[None]]:
    """A task that starts the engines; whoever awaits it gets their `StartupError`. At the end they are closed, however far they came."""
    task = asyncio.create_task(pool.start(), name="start engines")
    try:
        yield task
    finally:
        task.cancel()
        # Where something else failed as well, that is what is told.
        await asyncio.gather(task, return_exceptions=True)
        await pool.close()


def open_calibrators(settings: Settings) -> CalibratorFiles:
    """What turns scores into shares of right answers. Raises `StartupError` for a folder that cannot be read."""
    folder = Path(settings.tasks.calibration).expanduser() if settings.tasks.calibration else None
    try:
        return CalibratorFiles.load(folder)
    except OSError as error:
        raise StartupError(f"tasks.calibration {folder} cannot be read: {error.strerror}.") from None
    except ValueError as mistake:
        raise StartupError(f"tasks.calibration {folder}: {mistake}.") from None


def open_catalog(settings: Settings) -> Catalog:
    """What can be asked. Raises `StartupError` naming file, line and key of a task or persona that cannot be used."""
    if settings.tasks.folder is None:
        return shipped()
    folder = Path(settings.tasks.folder).expanduser()
    try:
        return read_catalog(folder)
    except OSError as error:
        raise StartupError(f"tasks.folder {folder} cannot be read: {error.strerror}.") from None
    except FileMistake as mistake:
        raise StartupError(f"tasks.folder {folder}: {mistake}") from None


@asynccontextmanager
async def open_cache(settings: Settings) -> AsyncGenerator[AnswerCache | None]:
    """Remembered answers: shared, this process's own, or none. Raises `StartupError` for an address that is none."""
    if not settings.cache_shared:
        yield MemoryCache(settings.cache_bytes) if settings.cache_bytes else None
        return
    try:
        cache = SharedCache(address(settings.cache_shared), seconds=settings.cache_seconds)
    except StoreFault as error:
        raise StartupError(f"cache_shared: {error}") from None
    try:
        yield cache
    finally:
        await cache.close()


@asynccontextmanager
async def open_files(settings: Settings) -> AsyncGenerator[DiskFiles]:
    """The uploads. Raises `StartupError` when their folder cannot be made."""
    folder = state_folder(settings)
    async with AsyncExitStack() as stack:
        try:
            files = await stack.enter_async_context(DiskFiles(folder / "files", most_bytes=settings.media.most_bytes))
        except OSError as error:
            raise StartupError(f"The state folder {folder} cannot be used: {error.strerror}. Choose another as `state`.") from None
        yield files


def build_app(service: Service, settings: Settings) -> ASGIApp:
    """The HTTP face of a running service."""
    server = settings.server
    return create_app(
        inference=service.inference,
        pool=service.pool,
        metrics=service.metrics,
        clock=service.clock,
        ids=service.ids,
        files=service.files,
        media=service.media,
        face=Face(
            server.root_path,
            # Where keys are asked for, they say who may come; a browser on another site has none.
            Visitors(local_only=not needs_keys(settings), hosts=frozenset(server.hosts)),
            Bounds(body_bytes=server.body_bytes),
            frozenset(settings.trust.open_paths),
            settings.trust.most_priority,
        ),
        keys=service.trust.keys,
        moderation=service.trust.state,
        premises=Premises(service.lanes, operator_desk(service.trust), audit_reader(settings, service.trust)),
        catalog=service.catalog,
    )


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Runs the service until SIGINT or SIGTERM. `announce` gets its address once it listens. Raises `StartupError`."""
    import uvloop

    uvloop.run(_serve(settings, announce))


def settle() -> None:
    """Tunes this process for a service that has started; for whoever owns the process, once."""
    # To look through rules, tables and modules for garbage takes 30 ms, in the middle of somebody's answer. They live as long as we do.
    gc.collect()
    gc.freeze()
    gc.enable()
    # A call makes some two thousand objects that are gone with it: to look for cycles among them after every 700 finds nothing.
    gc.set_threshold(20_000, 20, 20)
    # Whoever reads a generator of ours closes it, so the loop need not keep a list of them, for which a call has ten entries made.
    sys.set_asyncgen_hooks(firstiter=None)
    # How long a thread may keep the interpreter from the event loop: not the 5 ms that Python grants. Beside saturated lanes B and C one
    # first token in a hundred came 1.37 times as late with those, 1.17 times with this (bench/load.py).
    sys.setswitchinterval(0.0001)


async def _serve(settings: Settings, announce: Callable[[str], None]) -> None:
    server = settings.server
    # The address is taken before the engines start: a port in use is told at once.
    bound = listen(server.host, server.port)
    with bound:
        host, port = bound.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}{server.root_path.rstrip('/')}/"
        async with open_service(settings) as service:
            settle()
            await run(build_app(service, settings), bound, drain_seconds=server.drain_seconds, started=lambda: announce(address))
