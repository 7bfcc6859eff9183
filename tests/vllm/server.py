"""A vLLM on this machine's CPU, started and ended, for the tests and for bench/engines.py."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
START_S = 900.0
KEY = "the-key-of-the-tests"
OPTIONS = (
    *("--max-model-len", "4096", "--max-num-seqs", "4", "--max-num-queued-reqs", "8", "--dtype", "float32"),
    # To compile a model of a few megabytes takes longer than all that it is asked here.
    "--enforce-eager",
)


@contextmanager
def running(command: str, model: Path, *options: str, **environment: str) -> Iterator[str]:
    """The address of a server of this model, which lies in a folder that may be written to. It wants `KEY`.

    Raises `RuntimeError` with the end of its log where it does not start.
    """
    port = _free_port()
    surroundings = {
        **os.environ,
        "PYTHONPATH": str(HERE / "site"),
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, sorted(os.sched_getaffinity(0)))),
        "VLLM_USE_V2_MODEL_RUNNER": "0",  # the new one needs Triton
        "VLLM_API_KEY": KEY,
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        **environment,
    }
    log = model.parent / f"vllm-{port}.log"
    # Started beside its model: what it tells of where its model lies is a name and no path.
    arguments = ["serve", model.name, "--host", "127.0.0.1", "--port", str(port), "--served-model-name", "sight-nano", *OPTIONS, *options]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [command, *arguments], cwd=model.parent, env=surroundings, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            until = time.monotonic() + START_S
            while not _answers(url):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"vLLM did not start:\n{log.read_text('utf-8', 'replace')[-4000:]}")
                time.sleep(1)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
