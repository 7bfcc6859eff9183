"""The engines that keep the contract: the fake one, the client over HTTP, llama.cpp in its child process, and recorded servers."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import pytest

from sightline.backends.dialects import DIALECTS, VLLM
from sightline.backends.fake import FakeBackend
from sightline.backends.local import LocalBackend
from sightline.backends.remote import RemoteBackend
from sightline.backends.weights import BUNDLED
from tests.contract.backends.servers import fake_server, serving
from tests.contract.exchanges import Replay, load_case, load_server, replaying, servers

Engine = FakeBackend | RemoteBackend | LocalBackend
SLOTS = 2


def model() -> str:
    """The bundled model, or the GGUF file that SIGHTLINE_TEST_MODEL names; skips where there is none."""
    if named := os.environ.get("SIGHTLINE_TEST_MODEL"):
        return named
    if not Path(str(resources.files("sightline.models"))).joinpath(f"{BUNDLED}.gguf").exists():
        pytest.skip("the bundled model is not part of this checkout")
    return BUNDLED


@asynccontextmanager
async def fake() -> AsyncGenerator[Engine]:
    yield FakeBackend(decode_tokens_per_s=400, slots=SLOTS)


@asynccontextmanager
async def remote() -> AsyncGenerator[Engine]:
    async with serving(**fake_server(FakeBackend(decode_tokens_per_s=400, slots=SLOTS))) as url:
        backend = RemoteBackend("remote", url, dialect=VLLM, experts=8, active_experts=2)
        await backend.start()
        yield backend
        await backend.close()


@asynccontextmanager
async def local() -> AsyncGenerator[Engine]:
    backend = LocalBackend("local", model(), slots=SLOTS, threads=1)
    await backend.start()
    yield backend
    await backend.close()


@asynccontextmanager
async def recorded(folder: str, case: str) -> AsyncGenerator[Engine]:
    server = load_server(folder)
    async with replaying(Replay(folder, load_case(folder, case))) as url:
        backend = RemoteBackend("recorded", url, dialect=DIALECTS[server.dialect], probe_s=600.0)
        await backend.start()
        yield backend
        await backend.close()


OPENED = {"fake": fake, "remote": remote, "local": local}
RECORDED = [folder for folder in servers() if load_server(folder).name in DIALECTS]


@pytest.fixture(params=[*OPENED, *RECORDED])
async def engine(request: pytest.FixtureRequest) -> AsyncGenerator[Engine]:
    kind: str = request.param
    case: str = request.function.__name__
    async with OPENED[kind]() if kind in OPENED else recorded(kind, case) as backend:
        yield backend
