"""A real vLLM on this machine, for `make test-vllm`: SIGHTLINE_VLLM names its command; without it nothing here is collected.

The bundled model in its published layout, few slots and a short queue, so that a full one can be seen. It is started twice: as it is on
any machine without a GPU, and once more with its new model runner, which alone tells routed experts. That one is written in Triton,
whose interpreter runs it here (see site); it cannot run the kernel of the grammars.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from sightline.backends.asked import Features
from sightline.backends.dialects import VLLM
from sightline.backends.remote import RemoteBackend
from tests.vllm.server import KEY, running

COMMAND = os.environ.get("SIGHTLINE_VLLM", "")
if not COMMAND:
    collect_ignore_glob = ["test_*.py"]
EXPERTS = 8
"""Of a layer of the bundled model."""


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model, as vLLM reads it."""
    from tests.vllm.export import export

    model = tmp_path_factory.mktemp("model") / "sight-nano"
    export(model)
    return model


@pytest.fixture(scope="session")
def vllm(exported: Path) -> Iterator[str]:
    """Its address."""
    with running(COMMAND, exported) as url:
        yield url


@pytest.fixture(scope="session")
def telling_vllm(exported: Path) -> Iterator[str]:
    """The address of one that tells routed experts."""
    runner = {"VLLM_USE_V2_MODEL_RUNNER": "1", "TRITON_INTERPRET": "1"}
    with running(COMMAND, exported, "--enable-return-routed-experts", **runner) as url:
        yield url


def connect(url: str, *, experts: bool = False) -> RemoteBackend:
    features = Features(experts=experts, total_experts=EXPERTS)
    return RemoteBackend("vllm", url, dialect=VLLM, key=KEY, experts=EXPERTS, active_experts=2, features=features)


@pytest.fixture
async def engine(vllm: str) -> AsyncGenerator[RemoteBackend]:
    backend = connect(vllm)
    await backend.start()
    yield backend
    await backend.close()
