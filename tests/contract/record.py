"""Records a server for the contract tests; see recordings/README.md.

python -m tests.contract.record --server vllm --url http://127.0.0.1:8000 --how "vllm serve ..."
python -m tests.contract.record --server llama.cpp --bundled
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata, resources
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sightline.backends.dialects import DIALECTS, GENERIC
from sightline.backends.remote import RemoteBackend
from tests.contract.backends import test_backend
from tests.contract.backends.servers import listening
from tests.contract.cases import Case, Place, a_key_that_it_refuses, cases_of
from tests.contract.exchanges import RECORDINGS, Exchange, Server, normalise, save_case

_KEPT_HEADERS = ("Content-Type", "Retry-After")
_CROWD = 60


class Recorder:
    """Stands between our client and the server, passes everything on, and writes it down."""

    def __init__(self, target: str, metrics: tuple[str, ...]) -> None:
        self._target = target
        self._metrics = metrics
        self.exchanges: list[Exchange] = []

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        exchange = Exchange(request.method, request.path, normalise(json.loads(raw)) if raw else None)
        self.exchanges.append(exchange)
        headers = {name: value for name, value in request.headers.items() if name in ("Content-Type", "Authorization", "Accept")}
        limits = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(timeout=limits, auto_decompress=False) as session,
            session.request(request.method, self._target + request.path, data=raw or None, headers=headers) as reply,
        ):
            exchange.status = reply.status
            exchange.headers = {name: reply.headers[name] for name in _KEPT_HEADERS if name in reply.headers}
            response = web.StreamResponse(status=reply.status, headers=exchange.headers)
            await response.prepare(request)
            body = b""
            async for piece, _ in reply.content.iter_chunks():
                if piece:
                    body += piece
                    exchange.pieces.append(piece.decode())
                    await response.write(piece)
            exchange.whole = True
            if request.path == "/metrics":
                # Hundreds of lines, of which a few are read.
                exchange.pieces = ["".join(f"{line}\n" for line in body.decode().splitlines() if line.startswith(self._metrics))]
        return response


@asynccontextmanager
async def recording(recorder: Recorder) -> AsyncGenerator[str]:
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{path:.*}", recorder.pass_on)
    async with listening(app) as url:
        yield url


def contract() -> dict[str, Callable[[Any], Awaitable[None]]]:
    """The contract's own tests, by name."""
    found = {name: test for name, test in vars(test_backend).items() if name.startswith("test_") and iscoroutinefunction(test)}
    assert found
    return found


async def record(server: Server, url: str, out: Path, key: str | None, only: str) -> list[str]:
    """Writes down every case; the names of those that failed, which are not written."""
    dialect = DIALECTS.get(server.dialect, GENERIC)
    metrics = tuple(name for name in (dialect.decoded, *dialect.under_way) if name)
    failed: list[str] = []

    async def one(name: str, run: Callable[[str], Awaitable[None]]) -> None:
        if only not in name:
            return
        recorder = Recorder(url, metrics)
        try:
            async with recording(recorder) as address:
                await run(address)
        except (Exception, pytest.fail.Exception) as error:  # whatever breaks one case, the others are recorded
            failed.append(f"{name}: {type(error).__name__}: {error}"[:400])
            return
        save_case(out, name, _worth_keeping(name, recorder.exchanges))

    def promise(test: Callable[[Any], Awaitable[None]]) -> Callable[[str], Awaitable[None]]:
        async def run(address: str) -> None:
            engine = RemoteBackend("recorded", address, dialect=dialect, key=key, probe_s=600.0)
            await engine.start()
            try:
                await test(engine)
            finally:
                await engine.close()

        return run

    def refusal(case: Case) -> Callable[[str], Awaitable[None]]:
        async def run(address: str) -> None:
            await case(Place(address, dialect, server.model, key, _CROWD))

        return run

    if server.name in DIALECTS:
        for name, test in contract().items():
            await one(name, promise(test))
    for case in cases_of(server.name):
        if key is not None or case is not a_key_that_it_refuses:
            await one(case.__name__, refusal(case))
        else:
            failed.append(f"{case.__name__}: start the server with a key, and name it with --key-env")
    return failed


def _worth_keeping(name: str, exchanges: list[Exchange]) -> list[Exchange]:
    """Of the crowd that filled a queue, the one that was turned away: vLLM says so in the stream."""
    if name == "a_full_queue":
        return [exchange for exchange in exchanges if exchange.status >= 400 or '"error"' in "".join(exchange.pieces)][:1]
    return exchanges


@contextmanager
def bundled() -> Iterator[tuple[str, str]]:
    """The engine that comes with us, which is llama.cpp's own server, on a loopback port: its address and its key."""
    models = Path(str(resources.files("sightline.models")))
    settings = {
        "model": str(models / "sight-nano.gguf"),
        "mmproj": str(models / "sight-nano-mmproj.gguf"),
        "name": "sight-nano",
        "key": secrets.token_urlsafe(16),
        "slots": 2,
        "context": 4096,
        "threads": 2,
        "least_image_tokens": 4,
    }
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-m", "sightline.backends.engine"], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(settings) + "\n")
        process.stdin.flush()
        ready = json.loads(process.stdout.readline())
        yield f"http://127.0.0.1:{ready['port']}", str(settings["key"])
        process.stdin.close()


async def ask_version(server: str, url: str, key: str | None) -> str:
    """As a server names its own version."""
    if server == "llama.cpp":  # what is compiled into xllamacpp does not know its own number
        return f"xllamacpp-{metadata.version('xllamacpp')}"
    path, member = {"vllm": ("/version", "version")}[server]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url + path) as reply:
        return str((await reply.json())[member])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.contract.record", description=__doc__)
    parser.add_argument("--server", required=True, help="its kind: one of the dialects, or the name of a proxy without a server behind it")
    parser.add_argument("--version", help="where it does not tell by itself")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url")
    where.add_argument("--bundled", action="store_true", help="the engine that comes with us (--server llama.cpp)")
    parser.add_argument("--model", default="sight-nano", help="the name under which it serves its model")
    parser.add_argument("--key-env", help="the variable that holds its key")
    parser.add_argument("--how", default="", help="how it was started, for those who record it again")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--out", type=Path, help="by default recordings/SERVER-VERSION")
    options = parser.parse_args()
    if options.bundled:
        with bundled() as (url, key):
            return write(options, url, key, "the engine that comes with us: --bundled")
    key = os.environ[options.key_env] if options.key_env else None
    return write(options, options.url.rstrip("/"), key, options.how)


def write(options: argparse.Namespace, url: str, key: str | None, how: str) -> int:
    kind: str = options.server
    version: str = options.version or asyncio.run(ask_version(kind, url, key))
    out: Path = options.out or RECORDINGS / f"{kind}-{version}"
    out.mkdir(parents=True, exist_ok=True)
    dialect = kind if kind in DIALECTS else GENERIC.name
    server = Server(kind, version, dialect, options.model, how, datetime.now(UTC).date().isoformat())
    failed = asyncio.run(record(server, url, out, key, options.only))
    (out / "server.json").write_text(json.dumps(asdict(server), indent=1) + "\n", "utf-8")
    size = sum(path.stat().st_size for path in out.glob("*.json"))
    print(f"{len(list(out.glob('*.json'))) - 1} cases, {size / 1000:.0f} kB in {out}")  # noqa: T201 - a command's output
    for line in failed:
        print(f"not recorded: {line}", file=sys.stderr)  # noqa: T201 - a command's output
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
