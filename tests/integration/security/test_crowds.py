"""Clients that begin and do not go on, and a stop under many open answers: others are served, nobody is left without a word."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.harness import FAKE, lanes, serving
from tests.integration.security.conftest import ASK

BODY = json.dumps(ASK).encode()
HALVES = [
    b"",
    b"POST /inf",
    b"POST /infer HTTP/1.1\r\nHost: localhost\r\n",
    b"POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY[:20]),
    b"POST /files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"POST /infer_stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
]
"""Silent, half a line, half a head, half a body, half a chunk; and one that asks and never reads its answer."""


@pytest.mark.parametrize("crowd", [100, pytest.param(2000, marks=pytest.mark.full)])
def test_clients_that_stop_half_way_leave_service_to_others(tmp_path: Path, crowd: int) -> None:
    """Slowloris and its kin; vllm#40856."""
    with (
        serving(tmp_path, FAKE.replace("answer_tokens = 40", "answer_tokens = 4") + lanes(waiting=2000)) as running,
        contextlib.ExitStack() as stack,
    ):
        for number in range(crowd):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=20))
            half.sendall(HALVES[number % len(HALVES)])
        with httpx.Client(base_url=running.url, trust_env=False, timeout=30) as client:
            for _ in range(5):
                assert client.post("/infer", json=ASK).status_code == 200
                assert client.get("/health").status_code == 200


async def _read(client: httpx.AsyncClient, begun: asyncio.Queue[None], tokens: int) -> str:
    """Reads a stream to its end; returns the name of its last event."""
    async with client.stream("POST", "/infer_stream", json={**ASK, "options": {"max_tokens": tokens}}) as response:
        last = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                if not last:
                    begun.put_nowait(None)
                last = line.removeprefix("event: ")
        return last


@pytest.mark.full
async def test_a_stop_under_200_open_answers_ends_each_with_a_word(tmp_path: Path) -> None:
    """20 of them are stopped by tests/integration/server/test_bounds.py in every run. Here some can finish in time, and some cannot."""
    slow = FAKE.replace("slots = 4", "slots = 200").replace("decode = 400.0", "decode = 1.0")
    with serving(tmp_path, slow + lanes(slots=200), "drain_seconds = 4") as running:
        begun: asyncio.Queue[None] = asyncio.Queue()
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=60, limits=limits) as client:
            readers = [asyncio.create_task(_read(client, begun, 3 if number % 2 else 40)) for number in range(200)]
            for _ in readers:
                await asyncio.wait_for(begun.get(), 30)
            running.process.send_signal(signal.SIGTERM)
            endings = await asyncio.gather(*readers)
        assert running.process.wait(20) == 0
    assert len(endings) == 200
    assert set(endings) == {"final", "error"}
