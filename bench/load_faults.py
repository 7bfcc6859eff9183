"""Faults, each under four clients who ask again and again: what they saw, and how long until everything was as usual.

The engines are real ones, both struck at once. A clock that jumps is that of the service's process, seen from Python. The gateway that
is killed is started again at once, as a service manager does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from load_client import Child, Outcome, ask, data_uri, percentile, picture, question, service, session
from load_setup import LAPTOP

_CLIENTS = 4
_BEFORE = 3.0
"""Seconds under load before a fault, which tell what is usual."""
_numbers = itertools.count()


@dataclass
class Scene:
    """A service under load that something is about to happen to. Times are of `time.perf_counter`."""

    child: Child
    config: str
    stack: AsyncExitStack
    redis: Redis | None = None
    struck: float = 0.0
    mended: float = 0.0

    def engines(self) -> list[int]:
        """Process ids of the service's engines."""
        return engines_of(self.child.pid)


@dataclass(frozen=True)
class Case:
    """A fault: `strike` does it and returns when it is over; the load goes on for `after` seconds. A `repeated` question is remembered."""

    name: str
    strike: Callable[[Scene], Awaitable[None]]
    after: float
    repeated: bool = False


@dataclass
class Story:
    """What the clients of one case lived through. `mended` counts, as the times of the outcomes do, from the fault."""

    name: str
    outcomes: list[Outcome]
    mended: float
    usual: float = field(init=False)
    """The slowest answer (s) before the fault."""

    def __post_init__(self) -> None:
        self.usual = max((each.total for each in self.outcomes if each.answered and each.sent + each.total < 0), default=float("nan"))

    def _ended(self) -> Iterator[tuple[Outcome, float]]:
        for each in self.outcomes:
            if each.sent + each.total > 0:
                yield each, each.sent + each.total

    @property
    def silence(self) -> float:
        """Seconds of the longest time without any answer, from the fault on."""
        heard = sorted(end for each, end in self._ended() if each.answered)
        return max((later - earlier for earlier, later in itertools.pairwise([0.0, *heard])), default=float("nan"))

    @property
    def normal(self) -> float:
        """Seconds from the fault until the last answer that failed or took more than twice as long as the slowest before."""
        return max((end for each, end in self._ended() if not each.answered or each.total > 2 * self.usual), default=0.0)


def engines_of(pid: int) -> list[int]:
    """The processes of the engines of the service with this process id."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) if entry.name.isdigit() else 0
            if parent == pid and b"sightline.backends.engine" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


async def kill_engines(scene: Scene) -> None:
    for engine in scene.engines():
        os.kill(engine, signal.SIGKILL)


async def hang_engines(scene: Scene) -> None:
    stopped = scene.engines()
    for engine in stopped:
        os.kill(engine, signal.SIGSTOP)

    def end() -> None:
        for engine in stopped:  # one that only stands still would never be waited for
            with contextlib.suppress(ProcessLookupError):
                os.kill(engine, signal.SIGKILL)

    scene.stack.callback(end)


async def slow_engines(scene: Scene) -> None:
    """A tenth of their speed for five seconds: of every tenth of a second they get a hundredth."""
    engines, until = scene.engines(), time.perf_counter() + 5.0
    while time.perf_counter() < until:
        for number, seconds in ((signal.SIGSTOP, 0.09), (signal.SIGCONT, 0.01)):
            for engine in engines:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(engine, number)
            await asyncio.sleep(seconds)


async def take_redis_away(scene: Scene) -> None:
    assert scene.redis
    scene.redis.stop()
    await asyncio.sleep(3.0)
    scene.redis.start()


async def kill_gateway(scene: Scene) -> None:
    engines, port = scene.engines(), int(scene.child.url.rsplit(":", 1)[1])
    scene.child.kill()
    restarting = asyncio.create_task(asyncio.to_thread(lambda: scene.stack.enter_context(service(scene.config, port))))
    while any(_lives(pid) for pid in engines) and time.perf_counter() < scene.struck + 10:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.005)
    left = sum(_lives(pid) for pid in engines)
    gone = f"its engines had ended {time.perf_counter() - scene.struck:.2f} s later" if not left else f"{left} of its engines go on"
    scene.child = await restarting
    print(f"  (the gateway was killed: {gone})")


async def jump_clock(scene: Scene) -> None:
    for seconds in (86_400.0, -86_400.0, 0.0):
        await scene.child.tell(clock=seconds)
        await asyncio.sleep(1.0)


CASES = (
    Case("engines killed (SIGKILL)", kill_engines, 5.0),
    Case("engines hung (SIGSTOP)", hang_engines, 7.0),
    Case("engines at a tenth of their speed for 5 s", slow_engines, 3.0),
    Case("Redis gone for 3 s, back empty", take_redis_away, 4.0, repeated=True),
    Case("gateway killed (SIGKILL) and started again", kill_gateway, 3.0),
    Case("wall clock a day ahead, a day behind, right", jump_clock, 1.0),
)


class Redis:
    """A Valkey or Redis server of this measurement alone, in memory."""

    def __init__(self, program: str) -> None:
        self._program = program
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self.address = f"redis://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [self._program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tempfile.gettempdir())

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


async def faults() -> list[Story]:
    """Every case after the other, as one table."""
    print(f"\nFaults: the bundled model's two processes under {_CLIENTS} clients on lane A; times in seconds, from the fault")
    counted, timed = ("answered", "2001", "5001", "other", "cut"), ("usual", "slowest", "silence", "as usual")
    print(f"{'':<44} {' '.join(f'{name:>8}' for name in (*counted, *timed))}")
    stories: list[Story] = []
    for case in CASES:
        if (story := await _live_through(case)) is None:
            print(f"{case.name:<44} not measured: neither valkey-server nor redis-server is installed")
            continue
        stories.append(story)
        after = [each for each in story.outcomes if each.sent + each.total > 0]
        codes = [each.code if each.status else None for each in after]
        answered = [each.total for each in after if each.answered]
        other = len([code for code in codes if code not in (0, 2001, 5001, None)])
        counts = (codes.count(0), codes.count(2001), codes.count(5001), other, codes.count(None))
        times = (_usual(story), max(answered, default=float("nan")), story.silence, story.normal)
        cells = " ".join([*(f"{count:>8}" for count in counts), *(f"{seconds:>8.3f}" for seconds in times)])
        print(f"{case.name:<44} {cells}", flush=True)
    return stories


def _usual(story: Story) -> float:
    return percentile(sorted(each.total for each in story.outcomes if each.answered and each.sent + each.total < 0), 0.5)


async def _live_through(case: Case) -> Story | None:
    async with _scene(case) as scene:
        if scene is None:
            return None
        http = await scene.stack.enter_async_context(session())
        outcomes: list[Outcome] = []
        running = True

        async def client(number: int) -> None:
            picked = data_uri(picture(256, 256, number))
            while running:
                text = "What is the shape?" if case.repeated else f"What is the shape number {next(_numbers)}?"
                options: dict[str, Any] = {"temperature": 0} if case.repeated else {"cache": "off"}
                body = question([picked], text, timeout_ms=20_000, **options)
                outcomes.append(await _ask(http, scene, body))
                await asyncio.sleep(0.02 if outcomes[-1].status else 0.05)

        clients = [asyncio.create_task(client(number)) for number in range(_CLIENTS)]
        await asyncio.sleep(_BEFORE)
        scene.struck = time.perf_counter()
        await case.strike(scene)
        scene.mended = time.perf_counter()
        await asyncio.sleep(case.after)
        running = False
        await asyncio.gather(*clients)
        for each in outcomes:
            each.sent -= scene.struck
        warm = [each for each in outcomes if each.sent > 1.0 - _BEFORE]  # the first answers of a new service are slower
        return Story(case.name, warm, scene.mended - scene.struck)


async def _ask(http: aiohttp.ClientSession, scene: Scene, body: bytes) -> Outcome:
    return await ask(http, scene.child.url, body, 0.0)


@asynccontextmanager
async def _scene(case: Case) -> AsyncGenerator[Scene | None]:
    async with AsyncExitStack() as stack:
        config, redis = LAPTOP, None
        if case.repeated:
            program = shutil.which("valkey-server") or shutil.which("redis-server")
            if program is None:
                yield None
                return
            redis = Redis(program)
            redis.start()
            stack.callback(redis.stop)
            config = f'cache_shared = "{redis.address}"\n' + LAPTOP
        yield Scene(stack.enter_context(service(config)), config, stack, redis)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
