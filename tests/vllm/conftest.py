"""A real vLLM on this machine, for `make test-vllm`: SIGHTLINE_VLLM names its command; without it nothing here is collected.

Started once: the bundled model in its published layout, few slots and a short queue, so that a full one can be seen.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from sightline.backends.dialects import VLLM
from sightline.backends.remote import RemoteBackend

HERE = Path(__file__).parent
COMMAND = os.environ.get("SIGHTLINE_VLLM")
if COMMAND is None:
    collect_ignore_glob = ["test_*.py"]
START_S = 900.0
OPTIONS = ("--max-model-len", "4096", "--max-num-seqs", "4", "--max-num-queued-reqs", "8", "--dtype", "float32")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    from tests.vllm.export import export

    assert COMMAND
    model, port = tmp_path_factory.mktemp("model"), free_port()
    export(model)
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE / "site"),
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, sorted(os.sched_getaffinity(0)))),
        "VLLM_USE_V2_MODEL_RUNNER": "0",  # the new one needs Triton
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    log = model / "vllm.log"
    arguments = ["serve", str(model), "--host", "127.0.0.1", "--port", str(port), "--served-model-name", "sight-nano", *OPTIONS]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen([COMMAND, *arguments], env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            until = time.monotonic() + START_S
            while not answers(url):
                if process.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"vLLM did not start:\n{log.read_text('utf-8', 'replace')[-4000:]}")
                time.sleep(1)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
async def engine(vllm: str) -> AsyncGenerator[RemoteBackend]:
    backend = RemoteBackend("vllm", vllm, dialect=VLLM, experts=8, active_experts=2)
    await backend.start()
    yield backend
    await backend.close()
