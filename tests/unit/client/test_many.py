"""Many questions at once, uploads, and the bar."""

from __future__ import annotations

import asyncio
import io
import itertools
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from sightline import Ask, AsyncQwenVLClient, Done, QwenVLClient, Upload, errors
from sightline.client.many import Bar
from tests.scripted import ENVELOPE, Received, Reply, ScriptedService, as_json, as_stream, event, failure
from tests.unit.client.test_asking import PNG


def many_sync(url: str, asks: Iterable[Ask], **asked: Any) -> list[Done]:
    with QwenVLClient(base_url=url) as client:
        return list(client.ask_many(asks, **asked))


def many_async(url: str, asks: Iterable[Ask], **asked: Any) -> list[Done]:
    async def run() -> list[Done]:
        async with AsyncQwenVLClient(base_url=url) as client:
            return [done async for done in client.ask_many(asks, **asked)]

    return asyncio.run(run())


@pytest.fixture(params=[many_sync, many_async], ids=["sync", "async"])
def ask_many(request: pytest.FixtureRequest) -> Callable[..., list[Done]]:
    return request.param


def echo(request: Received) -> Reply:
    return as_json({**ENVELOPE, "result": {**ENVELOPE["result"], "answer": request.body["text"]}})  # type: ignore[dict-item]


def test_every_question_gets_its_own_answer(ask_many: Callable[..., list[Done]]) -> None:
    asks = [Ask(PNG, f"question {number}") for number in range(30)]
    with ScriptedService(echo) as service:
        done = ask_many(service.url, asks, concurrency=4)
    assert sorted(one.index for one in done) == list(range(30))
    assert all(str(one.result()) == one.ask.question == f"question {one.index}" for one in done)


def test_no_more_at_once_than_asked_for(ask_many: Callable[..., list[Done]]) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def reply(_: Received) -> Reply:
        def chunks() -> Any:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            yield 0.02
            with lock:
                running -= 1
            yield from as_json(ENVELOPE).chunks

        return Reply(chunks(), 200, {"Content-Type": "application/json"})

    with ScriptedService(reply) as service:
        ask_many(service.url, [Ask(PNG, "?")] * 12, concurrency=3)
    assert most == 3


def test_an_error_of_one_does_not_stop_the_others(ask_many: Callable[..., list[Done]]) -> None:
    def reply(request: Received) -> Reply:
        return as_json(failure(1005, "damaged"), 422) if request.body["text"] == "bad" else as_json(ENVELOPE)

    with ScriptedService(reply) as service:
        done = ask_many(service.url, [Ask(PNG, "good"), Ask(PNG, "bad"), Ask("nope.png", "?")])
    told = {one.index: type(one.error) for one in done}
    assert told == {0: type(None), 1: errors.DamagedMedia, 2: errors.InputUnreadable}
    with pytest.raises(errors.DamagedMedia):
        next(one for one in done if one.index == 1).result()


def test_what_is_asked_is_read_as_it_is_needed_and_leaving_early_stops() -> None:
    taken = 0

    def endless() -> Iterable[Ask]:
        nonlocal taken
        for number in itertools.count():
            taken = number + 1
            yield Ask(PNG, str(number))

    with ScriptedService(echo) as service, QwenVLClient(base_url=service.url) as client:
        for one in client.ask_many(endless(), concurrency=2):
            if one.index >= 3:
                break
        assert taken <= 3 + 1 + 2 * 2


def test_leaving_early_closes_what_is_under_way() -> None:
    under_way = threading.Event()

    def reply(request: Received) -> Reply:
        if request.body["text"] == "fast":
            under_way.wait(5)
            return as_json(ENVELOPE)
        under_way.set()
        return Reply([part for _ in range(500) for part in (b" ", 0.01)], 200, {"Content-Type": "application/json"})

    with ScriptedService(reply) as service, QwenVLClient(base_url=service.url) as client:
        done = client.ask_many([Ask(PNG, "slow"), Ask(PNG, "fast")])
        assert next(iter(done)).index == 1
        done.close()  # type: ignore[attr-defined]  # it is a generator
        assert service.left.wait(5)


def test_a_mistake_in_the_program_is_not_hidden(ask_many: Callable[..., list[Done]]) -> None:
    with ScriptedService(echo) as service, pytest.raises(TypeError, match="an image is"):
        ask_many(service.url, [Ask(7, "?")])  # type: ignore[arg-type]  # the mistake


UPLOADED = {"request_id": "r", "code": 0, "msg": "success", "result": {"file_id": "file_7", "bytes": 3, "expires_at": 1}}
DELETED = {"request_id": "r", "code": 0, "msg": "success", "result": {"file_id": "file_7", "deleted": True}}


def test_a_file_is_sent_once_and_shown_by_its_id(tmp_path: Path) -> None:
    content = PNG * 20_000
    path = tmp_path / "large.png"
    path.write_bytes(content)
    told: list[tuple[int, int]] = []
    with ScriptedService(as_json(UPLOADED, 201), as_json(ENVELOPE), as_json(DELETED)) as service:
        with QwenVLClient(base_url=service.url) as client:
            upload = client.upload(path, on_progress=lambda sent, total: told.append((sent, total)))
            client.ask(upload, "?")
            client.delete(upload)
        sent, asked, deleted = service.requests
    assert upload == Upload("file_7", 3, 1)
    assert (sent.path, sent.raw == content, sent.headers["content-type"]) == ("/files", True, "application/octet-stream")
    assert asked.body["images"] == [{"file_id": "file_7"}]
    assert (deleted.method, deleted.path) == ("DELETE", "/files/file_7")
    assert told[-1] == (len(content), len(content))
    assert told == sorted(told)
    assert len(told) > 2


async def test_uploading_from_asynchronous_code() -> None:
    with ScriptedService(as_json(UPLOADED, 201), as_json(DELETED)) as service:
        async with AsyncQwenVLClient(base_url=service.url) as client:
            upload = await client.upload(io.BytesIO(b"abc"))
            await client.delete("a/../b")
        assert service.requests[0].raw == b"abc"
        assert service.requests[1].path == "/files/a%2F..%2Fb"
    assert upload.file_id == "file_7"


def test_what_cannot_be_uploaded(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with QwenVLClient(base_url="http://127.0.0.1:1") as client:
        for file in (tmp_path / "nope", tmp_path, tmp_path / "empty", b"", "https://example.com/a.png"):
            with pytest.raises(errors.InputUnreadable):
                client.upload(file)
        with pytest.raises(TypeError):
            client.upload(7)  # type: ignore[arg-type]  # the mistake


def test_an_ask_tells_how_much_is_on_its_way() -> None:
    told: list[tuple[int, int]] = []
    with ScriptedService(as_stream()) as service, QwenVLClient(base_url=service.url) as client:
        client.ask(PNG * 9000, "?", stream=True, on_upload=lambda sent, total: told.append((sent, total))).finish()
        assert told[-1] == (len(service.requests[0].raw),) * 2


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar() -> None:
    out, time = Tty(), itertools.count(0, 1)
    with Bar(4, out=out, now=lambda: float(next(time)), done=1) as bar:
        bar.add()
        bar.add(failed=True)
    assert "[##################------] 3 of 4" in out.getvalue()
    assert "1 failed" in out.getvalue()
    assert out.getvalue().endswith("\n")


def test_nobody_looks_at_the_bar() -> None:
    for out, shown in ((io.StringIO(), True), (Tty(), False)):
        with Bar(4, out=out, shown=shown) as bar:
            bar.add()
        assert out.getvalue() == ""


def test_a_bar_without_an_end() -> None:
    bar = Bar(None, out=Tty())
    bar.add()
    assert bar.text().startswith("1 done")


def test_an_event_of_progress_is_no_text() -> None:
    told = [event("progress", {"stage": "frames", "done": 1, "total": 2}), *as_stream().chunks]
    with ScriptedService(as_stream(told)) as service, QwenVLClient(base_url=service.url) as client:  # type: ignore[arg-type]
        assert "".join(client.ask(PNG, "?", stream=True)) == "a red circle"
