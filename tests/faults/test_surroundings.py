"""What a whole service stands on goes away: its cache, and the process itself. What callers see, over HTTP, and that it is as before."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.stores.conftest import RedisServer, redis_server
from tests.harness import FAKE, lanes, serving
from tests.pictures import RED, png

__all__ = ["redis_server"]  # a fixture of the stores' own tests

TALKATIVE = '[backends.x]\nkind = "fake"\nprefill = 100000.0\ndecode = 50.0\nslots = 4\nanswer_tokens = 200\n'


def question(**changes: Any) -> dict[str, Any]:
    return {"task": "vqa", "images": [RED], "text": "What is it?", "options": {"temperature": 0}, **changes}


def test_while_the_shared_cache_is_away_everybody_is_answered_and_afterwards_from_it_again(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    config = f'cache_shared = "{redis_server.address}"\n' + FAKE + lanes()
    with serving(tmp_path, config) as running, httpx.Client(base_url=running.url, timeout=20, trust_env=False) as http:

        def ask() -> tuple[int, str]:
            told = http.post("/infer", json=question()).json()
            return told["code"], told["result"]["metadata"]["cache"]

        assert [ask(), ask()] == [(0, "miss"), (0, "hit")]
        redis_server.stop()
        assert [ask(), ask(), ask()] == [(0, "miss")] * 3
        redis_server.start()
        until = time.monotonic() + 20
        while (told := ask()) == (0, "miss") and time.monotonic() < until:
            time.sleep(0.05)
        assert told == (0, "hit")


def test_a_gateway_that_is_killed_cuts_its_streams_at_once_and_started_again_has_kept_what_was_uploaded(tmp_path: Path) -> None:
    with serving(tmp_path, TALKATIVE + lanes()) as running:
        with httpx.Client(base_url=running.url, timeout=20, trust_env=False) as http:
            file = http.post("/files", files={"file": ("a.png", png(64, 64, (1, 2, 3)))}).json()["result"]["file_id"]
            with http.stream("POST", "/infer_stream", json=question()) as response:
                lines = response.iter_lines()
                assert next(line for line in lines if line == "event: token")
                running.process.kill()
                with pytest.raises(httpx.TransportError):
                    list(lines)
        running.process.wait(10)
    with serving(tmp_path, FAKE + lanes()) as again, httpx.Client(base_url=again.url, timeout=20, trust_env=False) as http:
        told = http.post("/infer", json=question(images=[{"file_id": file}])).json()
        assert told["code"] == 0
