"""The bundled engine's own process: llama.cpp behind a loopback port, started and watched by `local.py`.

    python -m sightline.backends.engine
    stdin    one line of JSON, `EngineSettings`; then it stays open, and its end is the end of this process
    stdout   one line of JSON, `Ready` or `Failed`
    stderr   what llama.cpp has to say

The key comes through the pipe, so that neither a list of processes nor an environment shows it. This is the only module that
names `xllamacpp`: a crash in native code ends this process and nothing else.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import Any, NoReturn

import msgspec


class EngineSettings(msgspec.Struct, frozen=True):
    """All that the child needs to know. `context` is the tokens of one slot; `nice` is added to the process's own."""

    model: str
    mmproj: str
    name: str
    key: str
    slots: int
    context: int
    threads: int
    least_image_tokens: int
    """Below it llama.cpp enlarges a picture; ours come as large as they are to be seen."""
    nice: int = 0
    cache_mib: int = 256
    """Memory for prompts that were answered, to begin from when one comes again."""
    verbose: bool = False


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The server listens on this loopback port."""

    port: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The engine refused the model; why stands in its log."""


Report = Ready | Failed


def main() -> NoReturn:
    """The whole life of the process."""
    # Ctrl-C is for the service, which ends this process. It stays in the service's session: Linux weighs sessions against each other
    # first (sched_autogroup_enabled), and a process in one of its own would be as important as the service whatever its priority.
    os.setpgid(0, 0)
    settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=EngineSettings)
    report = _reserve_stdout()
    _end_with_parent()
    os.nice(settings.nice)
    try:
        server = _serve(settings)
    except RuntimeError:
        _tell(report, Failed())
        os._exit(3)
    _tell(report, Ready(int(server.listening_address.rsplit(":", 1)[1])))
    threading.Event().wait()
    os._exit(0)


def _serve(settings: EngineSettings) -> Any:
    """The running server; it stops when the returned object is collected."""
    llama: Any = importlib.import_module("xllamacpp")  # has no types, and loads native code: only here
    params = llama.CommonParams()
    params.model.path = settings.model
    params.mmproj.path = settings.mmproj
    params.model_alias = {settings.name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings.key]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_metrics = True
    params.endpoint_slots = True
    params.n_parallel = settings.slots
    params.n_ctx = settings.slots * settings.context
    params.fit_params = False  # what was asked for, or a clear failure; never quietly less
    params.cache_ram_mib = settings.cache_mib
    params.image_min_tokens = settings.least_image_tokens
    params.warmup = False
    # A connection kept open occupies one of these threads; health checks must always find a free one.
    params.n_threads_http = 4 * settings.slots + 16
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = settings.threads
        cpu.poll = 0  # see threads.py
    params.verbosity = 3 if settings.verbose else 2
    return llama.Server(params)


def _reserve_stdout() -> int:
    """A private copy of stdout for the report; whatever else is printed goes to stderr."""
    report = os.dup(1)
    os.set_inheritable(report, False)
    os.dup2(2, 1)
    return report


def _tell(report: int, message: Report) -> None:
    os.write(report, msgspec.json.encode(message) + b"\n")
    os.close(report)


def _end_with_parent() -> None:
    """Ends this process as soon as its stdin is closed, however the parent came to its end."""
    if sys.platform == "linux":
        import fcntl

        # Loading a model holds the interpreter lock, so that no thread could notice: the kernel can. SIGIO ends a process by default.
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
