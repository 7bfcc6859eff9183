"""The face to the network is bounded: heads, silence, numbers of connections; and a stop cuts nobody off without a word."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness import FAKE, Running, lanes, serving
from tests.pictures import RED

ASK = {"task": "vqa", "images": [RED], "text": "What is shown?"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("service"), FAKE + lanes()) as running:
        yield running


def exchange(service: Running, sent: bytes) -> bytes:
    """What comes back until the service closes the connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as raw:
        with contextlib.suppress(ConnectionError):
            raw.sendall(sent)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while piece := raw.recv(65536):
                answer += piece
    return answer


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST /infer HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_nonsense_gets_the_envelope_too(service: Running, sent: bytes) -> None:
    answer = exchange(service, sent)
    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"] == 1000


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    ],
)
def test_a_head_over_its_bound_is_cut(service: Running, head: bytes) -> None:
    answer = exchange(service, head)
    assert not answer or (answer.startswith(b"HTTP/1.1 431") and b'"code":1004' in answer)
    assert httpx.get(f"{service.url}/health", trust_env=False).status_code == 200


def test_a_large_body_behind_a_small_head_in_one_piece_is_no_large_head(service: Running) -> None:
    body = json.dumps({**ASK, "text": "x" * 100_000}).encode()
    head = b"POST /infer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert exchange(service, head + body).startswith(b"HTTP/1.1 200")


def test_clients_that_say_nothing_are_closed_and_hold_nobody_up(service: Running) -> None:
    silent = [socket.create_connection(("127.0.0.1", service.port), timeout=20) for _ in range(200)]
    for each in silent[:100]:
        each.sendall(b"GET / HT")
    assert httpx.post(f"{service.url}/infer", json=ASK, trust_env=False).status_code == 200
    started = time.monotonic()
    for each in silent:
        with contextlib.suppress(ConnectionError):
            assert each.recv(10) == b""
        each.close()
    assert time.monotonic() - started < 15


def test_a_stop_ends_every_open_stream_with_a_word(tmp_path: Path) -> None:
    slow = FAKE.replace("decode = 400.0", "decode = 1.0").replace("slots = 4", "slots = 64")
    endings: list[str] = []
    begun = threading.Barrier(21)

    def read(url: str) -> None:
        with httpx.stream("POST", f"{url}/infer_stream", json=ASK, timeout=60, trust_env=False) as response:
            lines = response.iter_lines()
            assert next(lines) == "event: accepted"
            begun.wait(30)
            endings.append([line for line in lines if line.startswith("event: ")][-1])

    with serving(tmp_path, slow + lanes(slots=64), "drain_seconds = 1") as running:
        readers = [threading.Thread(target=read, args=(running.url,)) for _ in range(20)]
        for reader in readers:
            reader.start()
        begun.wait(30)
        running.process.send_signal(signal.SIGTERM)
        for reader in readers:
            reader.join(20)
        assert running.process.wait(10) == 0
    assert endings == ["event: error"] * 20
