"""The gate's side of the decoder processes: started when first needed, kept while busy, killed at their time, replaced.

A few processes a share, never more than it has threads, since each is spoken to by one thread: those that read documents and videos,
and, apart from them, those that decode still pictures and encode. An input that takes a process down is tried once more in a fresh one;
then its hash is kept out for a while.
"""

from __future__ import annotations

import fcntl
import math
import os
import socket
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, cast

import msgspec

from sightline.media.orders import (
    Drawings,
    EncodeDrawings,
    EncodeStill,
    Finish,
    Order,
    RenderPages,
    Reply,
    SampleClip,
    WasBroken,
    WasOver,
    Writings,
)
from sightline.media.picture import Encoded
from sightline.media.refusals import Broken, Over, Reason
from sightline.media.settings import MediaSettings
from sightline.media.shares import Share, nice
from sightline.service.ports import Clock

_MOST_REPLY_BYTES = 256_000
_MOST_REMEMBERED = 1024
_STRIKES = 2
_ENCODED = 2
_ENCODED_HEAD = 4096
"""Room for one encoded picture: so many times its pixels, and so many bytes. Only what is written takes memory."""
_KEPT_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG")
"""What a decoder process inherits: enough to start, and no secret."""


Role = Literal["read", "encode"]
"""What a process is for. None of those that read documents and videos ever encodes: see orders.py."""


@dataclass(slots=True)
class Errand:
    """One order's way through a process, which another thread may call off."""

    seconds: float
    called_off: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def call_off(self) -> None:
        """Kills the process that is at it."""
        self.called_off = True
        if self.process:
            self.process.kill()


class _Worker:
    """One process and the socket to it."""

    def __init__(self, settings: MediaSettings, share: Share, role: Role) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        numbers = (theirs.fileno(), settings.worker_bytes, math.ceil(settings.worker_idle_seconds), nice(share))
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "sightline.media.worker", *map(str, numbers), role],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
                | {"PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        self._socket = ours

    def ask(self, message: bytes, descriptors: tuple[int, int], seconds: float) -> bytes:
        """The reply, empty when the process died. Raises `TimeoutError`."""
        self._socket.settimeout(seconds)
        try:
            socket.send_fds(self._socket, [message], descriptors)
            return self._socket.recv(_MOST_REPLY_BYTES)
        except TimeoutError:
            raise
        except OSError:
            return b""

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        self._socket.close()
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)


class Workers:
    """All decoder processes of one gate. Thread-safe; its methods block their thread.

    They raise `Broken` and `Over`, of the decoder or for its process: `slow`, `crash`.
    """

    def __init__(self, settings: MediaSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: dict[tuple[Share, Role], list[_Worker]] = {}
        self._strikes: OrderedDict[str, tuple[int, float, Reason]] = OrderedDict()
        self._closed = False
        self._replies = msgspec.json.Decoder(cast("type[Reply]", Reply))

    def survey(self, share: Share, order: Order, data: bytes, sha256: str, errand: Errand) -> Reply:
        """Has a header read: nothing but the reply comes back."""
        with _file_of(data) as source, _file_of_size(1) as target:
            return self._carry_out((share, "read"), order, (source, target), sha256, errand, self._clock.now() + errand.seconds)

    def encode(self, share: Share, order: EncodeStill, data: bytes, sha256: str, errand: Errand) -> Encoded:
        """Has a still picture decoded and encoded."""
        room = _room(order.size)
        with _file_of(data) as source, _file_of_size(room) as target:
            deadline = self._clock.now() + errand.seconds
            reply = self._carry_out((share, "encode"), order, (source, target), sha256, errand, deadline)
            return _written(reply, target, room, 1)[0]

    def draw(
        self, share: Share, order: RenderPages | SampleClip, finish: Finish, data: bytes, sha256: str, room: int, errand: Errand
    ) -> list[Encoded]:
        """Has pages or frames drawn, at most `room` bytes of pixels, and encoded by another process."""
        deadline = self._clock.now() + errand.seconds
        encoders: tuple[Share, Role] = (share, "encode")
        self._return(encoders, self._obtain(encoders))  # a new one starts beside the one that reads
        with _file_of_size(max(room, 1)) as pixels:
            with _file_of(data) as source:
                reply = self._carry_out((share, "read"), order, (source, pixels), sha256, errand, deadline)
            if not isinstance(reply, Drawings):
                raise Broken("pixels", "a decoder process answered another question")
            sizes = [(drawn.width, drawn.height) for drawn in reply.pictures]
            if any(width < 1 or height < 1 for width, height in sizes) or sum(3 * width * height for width, height in sizes) > room:
                raise Broken("pixels", "a decoder process told sizes that cannot be")
            if not sizes:
                return []
            space = sum(map(_room, sizes))
            with _file_of_size(space) as target:
                encode = EncodeDrawings(reply.pictures, finish, order.limits)
                reply = self._carry_out(encoders, encode, (pixels, target), sha256, errand, deadline)
                return _written(reply, target, space, len(sizes))

    def _carry_out(
        self, pool: tuple[Share, Role], order: Order, files: tuple[int, int], sha256: str, errand: Errand, deadline: float
    ) -> Reply:
        while True:
            self._refuse_known(sha256)
            reply = self._try(pool, order, files, sha256, errand, deadline - self._clock.now())
            if reply is not None:
                return reply

    def _try(
        self, pool: tuple[Share, Role], order: Order, files: tuple[int, int], sha256: str, errand: Errand, seconds: float
    ) -> Reply | None:
        worker = self._obtain(pool)
        errand.process = worker.process
        try:
            if errand.called_off or seconds <= 0:
                raise Broken("slow")
            answer = worker.ask(msgspec.json.encode(order), files, seconds)
        except TimeoutError:
            self._strike(sha256, "slow")
            raise Broken("slow") from None
        else:
            reply = self._read(answer)
            if reply is None:
                if errand.called_off:
                    raise Broken("slow")
                self._strike(sha256, "crash")
                return None
            self._forgive(sha256)
            self._return(pool, worker)
            worker = None
        finally:
            errand.process = None
            if worker:
                worker.end()
        if isinstance(reply, WasBroken):
            raise Broken(reply.reason, reply.cause)
        if isinstance(reply, WasOver):
            raise Over(reply.bound, reply.actual, reply.limit)
        return reply

    def _read(self, answer: bytes) -> Reply | None:
        """None for no answer, and for one that no process of ours would give."""
        try:
            return self._replies.decode(answer) if answer else None
        except msgspec.DecodeError:
            return None

    def close(self) -> None:
        """Ends every process that is not at work; one at work ends when its order does."""
        with self._lock:
            self._closed = True
            idle = [worker for workers in self._idle.values() for worker in workers]
            self._idle.clear()
        for worker in idle:
            worker.end()

    def _obtain(self, pool: tuple[Share, Role]) -> _Worker:
        with self._lock:
            waiting = self._idle.get(pool, [])
            while waiting:
                worker = waiting.pop()
                if worker.alive:
                    return worker
                worker.end()
        return _Worker(self._settings, *pool)

    def _return(self, pool: tuple[Share, Role], worker: _Worker) -> None:
        with self._lock:
            if not self._closed:
                self._idle.setdefault(pool, []).append(worker)
                return
        worker.end()

    def _refuse_known(self, sha256: str) -> None:
        with self._lock:
            count, until, reason = self._strikes.get(sha256, (0, 0.0, "crash"))
            if count >= _STRIKES and self._clock.now() < until:
                raise Broken(reason)

    def _strike(self, sha256: str, reason: Reason) -> None:
        with self._lock:
            count, until, _ = self._strikes.pop(sha256, (0, 0.0, reason))
            count = count + 1 if self._clock.now() < until else 1
            self._strikes[sha256] = (count, self._clock.now() + self._settings.quarantine_seconds, reason)
            while len(self._strikes) > _MOST_REMEMBERED:
                self._strikes.popitem(last=False)

    def _forgive(self, sha256: str) -> None:
        with self._lock:
            self._strikes.pop(sha256, None)


def _room(size: tuple[int, int]) -> int:
    return _ENCODED * 3 * size[0] * size[1] + _ENCODED_HEAD


def _written(reply: Reply, target: int, room: int, count: int) -> list[Encoded]:
    if not isinstance(reply, Writings) or len(reply.pictures) != count:
        raise Broken("pixels", "a decoder process answered another question")
    pictures: list[Encoded] = []
    at = 0
    for each in reply.pictures:
        if not 0 < each.size <= room - at:
            raise Broken("pixels", "a decoder process told sizes that cannot be")
        # Read and not mapped: copying then holds nobody up.
        data = os.pread(target, each.size, at)
        at += each.size
        pictures.append(Encoded(data, each.width, each.height, each.found, each.changes, each.page, each.timestamp))
    return pictures


@contextmanager
def _file_of_size(size: int) -> Generator[int]:
    descriptor = os.memfd_create("sightline", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)  # a mapping must never lose its ground
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _file_of(data: bytes) -> Generator[int]:
    with _file_of_size(len(data)) as descriptor:
        view = memoryview(data)
        written = 0
        while written < len(data):
            written += os.pwrite(descriptor, view[written:], written)
        yield descriptor
