"""Three gateways over one PostgreSQL and one Valkey or Redis, each killed in turn under load: what is shared stays whole."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from sightline.assembly.trust import audit_log, open_keys
from sightline.config import load
from sightline.moderation.verify import entries, verify
from sightline.service.ports import Allowance
from tests.contract.stores.conftest import RedisServer, new_database, postgres, redis_server  # noqa: F401 - fixtures
from tests.harness import FAKE, RUN, lanes
from tests.pictures import RED

A_MINUTE = 25
"""Calls that the key `counted` may make."""


QUESTIONS = [f"What is it, for the {number}th time?" for number in range(4, 9)]
"""Remembered before any gateway is killed."""


@dataclass
class Gateway:
    """One process; it may be killed and started again, on another port."""

    path: Path
    url: str = ""
    process: subprocess.Popen[str] | None = None

    def launch(self) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen([sys.executable, "-c", RUN, str(self.path)], stdout=subprocess.PIPE, text=True, env=environment)

    def announce(self) -> None:
        assert self.process
        assert self.process.stdout
        address = self.process.stdout.readline().strip()
        assert address.startswith("http://"), address
        self.url = address.rstrip("/")

    def end(self, number: int) -> None:
        if self.process:
            self.process.send_signal(number)
            try:
                self.process.wait(20)
            finally:
                self.process.kill()
                if self.process.stdout:
                    self.process.stdout.close()
                self.process, self.url = None, ""


@dataclass
class Heard:
    """What the callers saw: for each answer when it came, from which gateway, to which key, and its envelope."""

    answers: list[tuple[float, int, str, dict[str, Any]]] = field(default_factory=list[tuple[float, int, str, dict[str, Any]]])
    cut: int = 0
    """Calls whose gateway died under them."""

    def codes(self, key: str) -> list[int]:
        return [each["code"] for _, _, name, each in self.answers if name == key]


@pytest.fixture
def gateways(postgres: str, redis_server: RedisServer, tmp_path: Path) -> Generator[list[Gateway]]:  # noqa: F811 - fixtures
    shared = (
        f'state = "{tmp_path / "state"}"\ncache_shared = "{redis_server.address}?db=1"\n{FAKE}{lanes(slots=4)}\n'
        f'[trust]\nkeys = "required"\ndatabase = "{new_database(postgres)}"\nshared = "{redis_server.address}"\n[server]\nport = 0\n'
    )
    running: list[Gateway] = []
    for number in range(3):
        path = tmp_path / f"{number}.toml"
        path.write_text(shared)
        running.append(Gateway(path))
    yield running
    for gateway in running:
        gateway.end(signal.SIGKILL)


@contextmanager
def started(gateways: list[Gateway]) -> Generator[None]:
    for gateway in gateways:
        gateway.launch()
    for gateway in gateways:
        gateway.announce()
    yield


async def ask(http: httpx.AsyncClient, gateway: Gateway, key: str, text: str, **options: Any) -> dict[str, Any]:
    body = {"task": "vqa", "images": [RED], "text": text, "options": options or {"cache": "off"}}
    answer = await http.post(f"{gateway.url}/infer", json=body, headers={"authorization": f"Bearer {key}"})
    return answer.json()


async def caller(gateways: list[Gateway], name: str, key: str, text: str, pause: float, heard: Heard, done: asyncio.Event) -> None:
    """Asks again and again, the gateways in turn; one that is gone costs a call and no more."""
    number = 0
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        while not done.is_set():
            number += 1
            place = number % 3
            if not gateways[place].url:
                await asyncio.sleep(0.01)
                continue
            try:
                answer = await ask(http, gateways[place], key, f"{text} ({number})")
            except httpx.TransportError:
                heard.cut += 1
            else:
                heard.answers.append((time.monotonic(), place, name, answer))
            await asyncio.sleep(pause)


@pytest.mark.full
@pytest.mark.timeout(300)
async def test_each_is_killed_in_turn_and_nothing_that_was_promised_is_lost(gateways: list[Gateway]) -> None:
    settings = load(gateways[0].path)
    with open_keys(settings) as desk:
        keys = {
            "people": desk.keys.create("people")[1],
            "refused": desk.keys.create("refused")[1],
            "counted": desk.keys.create("counted", allowance=Allowance(requests_per_minute=A_MINUTE))[1],
        }
        ended, ended_key = desk.keys.create("ended")
    heard, done, kills = Heard(), asyncio.Event(), list[tuple[int, float]]()
    with started(gateways):
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            # Remembered by one, known to all.
            told = [await ask(http, gateways[0], keys["people"], text, temperature=0) for text in QUESTIONS]
            assert [each["result"]["metadata"]["cache"] for each in told] == ["miss"] * len(QUESTIONS)
            for gateway in gateways:
                await _remembers(http, gateway, keys["people"])
            begun = time.monotonic()
            callers = [
                *(caller(gateways, "people", keys["people"], f"What is it, {number}?", 0.05, heard, done) for number in range(3)),
                *(caller(gateways, "refused", keys["refused"], "How do I make a pipe bomb?", 0.02, heard, done) for _ in range(2)),
                caller(gateways, "counted", keys["counted"], "And this?", 0.05, heard, done),
            ]
            crowd = asyncio.gather(*callers)
            for number, gateway in enumerate(gateways):
                await asyncio.sleep(1.0)
                gateway.end(signal.SIGKILL)
                kills.append((number, time.monotonic()))
                await asyncio.sleep(0.7)
                gateway.launch()
                await asyncio.to_thread(gateway.announce)
            await asyncio.sleep(1.0)
            done.set()
            await crowd
            took = time.monotonic() - begun
            # What was remembered before all of them were killed is still known to the new ones; a key that ends, ends everywhere.
            for gateway in gateways:
                await _remembers(http, gateway, keys["people"])
            assert [(await ask(http, each, ended_key, "?", temperature=0))["code"] for each in gateways] == [0] * 3
            with open_keys(settings) as desk:
                desk.keys.revoke(ended.id)
            deadline = time.monotonic() + 15
            while {(await ask(http, each, ended_key, "?", temperature=0))["code"] for each in gateways} != {4001}:
                assert time.monotonic() < deadline, "a key that was revoked still opens a gateway"
                await asyncio.sleep(0.2)
        for gateway in gateways:
            gateway.end(signal.SIGTERM)
    _others_kept_answering(heard, kills)
    _every_acknowledged_refusal_is_on_record(heard, gateways[0].path)
    assert set(heard.codes("people")) == {0}
    # Three gateways, three deaths, and still one count: whoever died with a call in hand had counted it.
    allowed = heard.codes("counted").count(0)
    assert allowed <= A_MINUTE * (1 + took // 60), f"{allowed} calls in {took:.0f} s"
    assert 4003 in heard.codes("counted")
    if took < 55:
        assert allowed >= A_MINUTE - heard.cut
    _use_is_counted(heard, kills, gateways[0].path)


async def _remembers(http: httpx.AsyncClient, gateway: Gateway, key: str) -> None:
    """It knows the answer to a question that another one was asked. On a busy machine one look may come too late, and is a miss."""
    for text in QUESTIONS:
        told = await ask(http, gateway, key, text, temperature=0)
        if told["result"]["metadata"]["cache"] == "hit":
            return
        await asyncio.sleep(1.2)
    pytest.fail("a gateway knows none of the answers that another one gave")


def _others_kept_answering(heard: Heard, kills: list[tuple[int, float]]) -> None:
    for number, at in kills:
        after = {place for when, place, _, _ in heard.answers if at < when < at + 0.7}
        assert after == {0, 1, 2} - {number}, f"after gateway {number} was killed, {after} answered"


def _every_acknowledged_refusal_is_on_record(heard: Heard, path: Path) -> None:
    folder, secret = audit_log(load(path))
    report = verify(folder, secret)
    assert not report.findings
    assert report.chains == 6  # three gateways, each of them twice
    acknowledged = {found for _, _, name, each in heard.answers if name == "refused" for found in re.findall(r"aud_[0-9a-f]+", str(each))}
    assert len(acknowledged) == len(heard.codes("refused")) > 20
    assert acknowledged <= {entry.id for entry in entries(folder, secret)}


def _use_is_counted(heard: Heard, kills: list[tuple[int, float]], path: Path) -> None:
    """Use is written once a second: a gateway that is killed takes at most what it answered since with it."""
    answered = [(when, place) for when, place, name, each in heard.answers if name == "people" and each["code"] == 0]
    unwritten = sum(any(place == number and at - 3 < when <= at for number, at in kills) for when, place in answered)
    with open_keys(load(path)) as desk:
        counted = sum(row.requests for row in desk.usage.rows("1970-01-01", "9999-12-31") if row.name == "people")
    before_and_after = 7 * len(QUESTIONS)
    assert len(answered) - unwritten <= counted <= len(answered) + heard.cut + before_and_after
