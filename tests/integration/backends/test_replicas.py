"""Several servers of one model, in processes of their own, that are killed, hang or die of a question, behind a service over HTTP."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import Running, lanes, serving
from tests.pictures import data_uri, png
from tests.replica import Started, replicas

FAST = ("--speed", "8")


def config(started: Started) -> str:
    urls = ", ".join(f'"{url}"' for _, url in started)
    return (
        '[trust]\nshipped_rules = false\n[backends.x]\nkind = "openai"\ndialect = "vllm"\n'
        f"replicas = [{urls}]\nprobe_s = 0.3\nconnect_s = 1.0\nstall_s = 3.0\nslow_start_s = 0\naffinity = false\n{lanes(slots=12)}"
    )


def ask(running: Running, text: str, shade: int = 0) -> dict[str, Any]:
    body = {"task": "vqa", "text": text, "images": [data_uri(png(colour=(shade, 0, 0)))], "options": {"max_tokens": 64}}
    return httpx.post(f"{running.url}/infer", json=body, timeout=60).json()


def asked(url: str) -> int:
    return httpx.get(f"{url}/asked", timeout=20).json()["asked"]


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


def test_a_request_that_takes_two_servers_down_is_kept_away_from_the_third(tmp_path: Path) -> None:
    with replicas(FAST, FAST, FAST) as started, serving(tmp_path, config(started)) as running:
        with ThreadPoolExecutor(6) as people:
            neighbours = [people.submit(ask, running, f"What is in picture {number}?", number) for number in range(5)]
            culprit = people.submit(ask, running, "POISON", 200)
            codes = [each.result()["code"] for each in neighbours]
        # A neighbour whose words had begun when its server died is told so; nobody else notices.
        assert all(code in (0, 5001) for code in codes)
        assert culprit.result()["code"] == 5001
        assert sum(process.poll() is not None for process, _ in started) == 2
        alive = next(url for process, url in started if process.poll() is None)
        before = asked(alive)
        again = ask(running, "POISON", 200)
        assert (again["code"], asked(alive)) == (1005, before)
        assert ask(running, "What is it?", 1)["code"] == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_calls_without_a_token_survive_a_server(tmp_path: Path, number: signal.Signals) -> None:
    slow = ("--speed", "0.5", "--slots", "1")
    with replicas(slow, slow) as started, serving(tmp_path, config(started)) as running:
        with ThreadPoolExecutor(4) as people:
            # Each has one at work, which says its first words at once, and one that waits without a token.
            calls = [people.submit(ask, running, f"What is it, for the {each}th time?", each) for each in range(4)]
            assert eventually(lambda: sum(asked(url) for _, url in started) == 4)
            count = asked(started[0][1])
            time.sleep(0.2)
            started[0][0].send_signal(number)
            answers = [call.result() for call in calls]
        started[0][0].send_signal(signal.SIGCONT)
    lost = [answer for answer in answers if answer["code"]]
    assert [answer["code"] for answer in lost] == [5001] * len(lost)
    assert count == 2
    assert len(lost) <= 1
