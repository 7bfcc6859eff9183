"""The engines that keep the contract: the fake one, the client over HTTP, and llama.cpp in its child process."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import pytest

from sightline.backends.dialects import VLLM
from sightline.backends.fake import FakeBackend
from sightline.backends.local import LocalBackend
from sightline.backends.remote import RemoteBackend
from sightline.backends.weights import BUNDLED
from tests.contract.backends.servers import fake_server, serving

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


@pytest.fixture(params=[fake, remote, local], ids=lambda opened: opened.__name__)
async def engine(request: pytest.FixtureRequest) -> AsyncGenerator[Engine]:
    async with request.param() as backend:
        yield backend
