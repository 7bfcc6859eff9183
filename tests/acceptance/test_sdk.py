"""The SDK against the real service, over real HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image

import sightline
from sightline import AsyncQwenVLClient, QwenVLClient, errors
from sightline.protocol.events import Accepted, Token
from tests.acceptance.services import FAKE, serving, surroundings


def test_an_answer_with_its_receipt(simulated: str, picture: Path) -> None:
    with QwenVLClient(base_url=simulated) as client:
        answer = client.ask(picture, "What shapes are there?", seed=1)
    assert answer.answer.startswith("Simulated: ")
    assert 0 < (answer.confidence or 0) <= 1
    assert answer.request_id.startswith("req_")
    (receipt,) = answer.metadata.receipts
    assert (receipt.format, receipt.original_width, receipt.original_height) == ("png", 256, 192)
    assert receipt.sha256 == hashlib.sha256(picture.read_bytes()).hexdigest()
    assert [warning.type for warning in answer.warnings] == ["simulated"]


async def test_the_asynchronous_client_streams_the_same(simulated: str, picture: Path) -> None:
    async with AsyncQwenVLClient(base_url=simulated) as client:
        whole = await client.ask(picture, "What shapes are there?", seed=1)
        async with await client.ask(picture, "What shapes are there?", stream=True, seed=1) as stream:
            events = [event async for event in stream.events()]
    assert isinstance(events[0], Accepted)
    assert "".join(event.token for event in events if isinstance(event, Token)) == stream.text == stream.final.answer == whole.answer
    assert isinstance(events[-1], sightline.Answer)


def test_every_shape_of_image(simulated: str, picture: Path) -> None:
    content = picture.read_bytes()
    shown = Image.open(io.BytesIO(content)).convert("RGBA")
    with QwenVLClient(base_url=simulated) as client:
        answer = client.ask([str(picture), content, io.BytesIO(content), shown], "Are these the same?")
    assert [receipt.original_width for receipt in answer.metadata.receipts] == [256] * 4


def test_a_conversation(simulated: str, picture: Path) -> None:
    with QwenVLClient(base_url=simulated) as client:
        first = client.ask(picture, "What shapes are there?")
        turns = [{"role": "user", "text": "What shapes are there?", "images": picture}, {"role": "assistant", "text": str(first)}]
        second = client.ask([], "And their colours?", messages=turns)  # type: ignore[arg-type]  # a list of plain dicts
    assert len(second.metadata.receipts) == 1


def test_the_services_own_errors(simulated: str, picture: Path) -> None:
    with QwenVLClient(base_url=simulated, language="zh") as client:
        with pytest.raises(errors.UnknownTask) as unknown:
            client.ask(picture, "?", task="nope")
        with pytest.raises(errors.MalformedRequest) as malformed:
            client.ask(picture, "?", stream=True, temperature=9.0)
        with pytest.raises(errors.UnsupportedMedia):
            client.ask(b"not a picture at all", "?")
        with pytest.raises(errors.DamagedMedia):
            client.ask(picture.read_bytes()[:200], "?")
        with pytest.raises(errors.MediaUnreachable):
            client.ask("http://127.0.0.1/a.png", "?")
    assert "vqa" in unknown.value.details["tasks"]
    assert unknown.value.say("en") == "没有名为“nope”的任务。"
    assert malformed.value.details["field"] == "options.temperature"
    assert malformed.value.request_id is not None


def test_a_wrong_address_is_told(simulated: str, picture: Path) -> None:
    with QwenVLClient(base_url=simulated + "elsewhere") as client, pytest.raises(errors.Error) as caught:
        client.ask(picture, "?")
    assert caught.value.exit_status != 0


def test_tasks_and_readiness(simulated: str) -> None:
    with QwenVLClient(base_url=simulated) as client:
        assert {"vqa", "captioning"} <= {task.name for task in client.tasks()}
        ready = client.ready()
    assert ready.ready
    assert [(model.name, model.fake) for model in ready.models] == [("fake", True)]


def test_leaving_early_stops_the_engine(tmp_path: Path, picture: Path) -> None:
    """A slow, long answer; after the client has left, the lane is soon empty."""
    path = tmp_path / "slow.toml"
    path.write_text(FAKE.format(decode=20, tokens=2000))
    with serving("--config", str(path)) as address, QwenVLClient(base_url=address) as client:
        with client.ask(picture, "Tell me everything.", stream=True, max_tokens=2000) as stream:
            assert next(stream)
            assert _running(address) == 1
        _wait_until(lambda: _running(address) == 0)


def _running(address: str) -> int:
    text = httpx.get(address + "metrics", trust_env=False).text
    (line,) = [line for line in text.splitlines() if line.startswith('sightline_lane_running{lane="A"}')]
    return int(float(line.rpartition(" ")[2]))


def test_many_at_once(simulated: str, picture: Path) -> None:
    async def run() -> list[sightline.Answer]:
        async with AsyncQwenVLClient(base_url=simulated, max_connections=20) as client:
            return await asyncio.gather(*(client.ask(picture, f"Question {number}?") for number in range(60)))

    answers = asyncio.run(run())
    assert len({answer.request_id for answer in answers}) == 60


def test_ctrl_c_ends_many_questions(tmp_path: Path, picture: Path) -> None:
    """The bridge from ordinary code to the event loop lets go as well."""
    path = tmp_path / "slow.toml"
    path.write_text(FAKE.format(decode=20, tokens=2000))
    program = (
        "import sys\n"
        "from sightline import Ask, QwenVLClient\n"
        "with QwenVLClient(base_url=sys.argv[1]) as client:\n"
        "    print('asking', flush=True)\n"
        "    for done in client.ask_many([Ask(sys.argv[2], '?', options={'max_tokens': 2000})] * 4):\n"
        "        print(done)\n"
    )
    with serving("--config", str(path)) as address:
        asking = subprocess.Popen(
            [sys.executable, "-c", program, address, str(picture)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings()
        )
        assert asking.stdout is not None
        asking.stdout.readline()
        _wait_until(lambda: _running(address) > 0)
        asking.send_signal(signal.SIGINT)
        _, told = asking.communicate(timeout=20)
        assert asking.returncode != 0
        assert told.rstrip().endswith(b"KeyboardInterrupt")
        _wait_until(lambda: _running(address) == 0)


def _wait_until(true: Callable[[], bool]) -> None:
    ended = time.monotonic() + 10
    while not true():
        assert time.monotonic() < ended
        time.sleep(0.05)
