"""What goes wrong on the way: typed errors, retries, time. Over real sockets where it matters, by the steps of a call where time does."""

from __future__ import annotations

import asyncio
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline import AsyncQwenVLClient, QwenVLClient, errors
from sightline.client import _calls, _replies
from sightline.client._steps import Emit, Head, Read, Send, Service, Wait, Work
from sightline.client.failures import ConnectionFailed
from sightline.protocol.errors import TABLE
from sightline.protocol.language import Bilingual
from tests.scripted import ACCEPTED, ENVELOPE, Reply, ScriptedService, as_json, as_stream, event, failure, tokens
from tests.unit.client.test_asking import PNG, ask_async, ask_sync

HTML = Reply([b"<html>nothing here</html>"], 404, {"Content-Type": "text/html"})


@pytest.fixture(params=[ask_sync, ask_async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param


@pytest.fixture
def nowhere() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("code", sorted(TABLE))
@pytest.mark.parametrize("stream", [False, True])
def test_every_code_is_raised_as_its_class(ask: Callable[..., Any], code: int, stream: bool) -> None:
    kind = TABLE[code]
    said = failure(code, "it", details={"field": "x", "n": 1})
    with ScriptedService(as_json(said, kind.status)) as service, pytest.raises(kind) as caught:
        ask(service.url, PNG, "?", stream=stream, setup={"retries": 0})
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.request_id, error.details) == (code, "req_9", {"field": "x", "n": 1})
    assert (error.say("zh"), error.advise("en")) == ("It is it.", "Do this.")
    assert str(error) == f"It is it. Do this. (code {code}, request req_9)"


def test_errors_can_be_copied_between_processes() -> None:
    said = as_json(failure(1000, "malformed_request", details={"field": "x"}), 400)
    with ScriptedService(said) as service, pytest.raises(errors.MalformedRequest) as caught:
        ask_sync(service.url, PNG)
    for error in (caught.value, errors.StreamCut("half an"), errors.MalformedRequest("a", Bilingual("b", "c"))):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_an_error_without_details_is_understood(ask: Callable[..., Any]) -> None:
    said = as_json({"request_id": "r", "code": 1006, "msg": "no such task"}, 400)
    with ScriptedService(said) as service, pytest.raises(errors.UnknownTask, match="no such task"):
        ask(service.url, PNG, "?", task="nope")


@pytest.mark.parametrize(
    "reply",
    [
        HTML,
        as_json([1, 2], 200),
        as_json({"request_id": "r", "code": 0, "msg": "success"}),
        as_json({"code": 9999, "msg": "of the future"}, 400),
        Reply([b"\xff\xfe"], 200, {"Content-Type": "application/json"}),
        Reply([], 302, {"Location": "https://elsewhere.example/infer"}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_no_service_says_is_one_clear_error(ask: Callable[..., Any], reply: Reply, stream: bool) -> None:
    with ScriptedService(reply) as service, pytest.raises(errors.UnexpectedAnswer, match="not one of a Sightline service"):
        ask(service.url, PNG, "?", stream=stream)
    assert len(service.requests) == 1


@pytest.mark.parametrize("data", [b"event: token\ndata: {\n\n", b"event: final\ndata: {}\n\n", b"data: " + b"x" * (17 * 2**20)])
def test_a_stream_that_is_none(ask: Callable[..., Any], data: bytes) -> None:
    with ScriptedService(as_stream([data])) as service, pytest.raises(errors.UnexpectedAnswer):
        ask(service.url, PNG, "?", stream=True)


def test_a_cut_stream_holds_the_text_that_had_come() -> None:
    with ScriptedService(as_stream([ACCEPTED, *tokens("half ", "an")], cut=True)) as service:
        with QwenVLClient(base_url=service.url) as client:
            stream = client.ask(PNG, "?", stream=True)
            with pytest.raises(errors.StreamCut) as caught:
                list(stream)
        assert caught.value.partial == stream.text == "half an"
        assert len(service.requests) == 1, "never again after the first token"


async def test_a_stream_that_ends_too_soon_is_cut_too() -> None:
    with ScriptedService(as_stream([ACCEPTED, *tokens("half")])) as service:
        async with AsyncQwenVLClient(base_url=service.url) as client, await client.ask(PNG, "?", stream=True) as stream:
            with pytest.raises(errors.StreamCut) as caught:
                await stream.finish()
        assert caught.value.partial == "half"


def test_a_failure_after_the_first_token_is_raised_as_it_is(ask: Callable[..., Any]) -> None:
    away = event("error", failure(5001, "backend_unavailable", retryable=True, retry_after_ms=1))
    with ScriptedService(as_stream([ACCEPTED, *tokens("a"), away])) as service, pytest.raises(errors.BackendUnavailable):
        ask(service.url, PNG, "?", stream=True)
    assert len(service.requests) == 1


def test_nobody_there(ask: Callable[..., Any], nowhere: str) -> None:
    with pytest.raises(errors.ConnectionFailed, match=r"refused.*sightline serve") as caught:
        ask(nowhere, PNG, "?", setup={"retries": 0})
    assert caught.value.details["address"] == nowhere
    assert isinstance(caught.value, errors.Error)


def test_no_such_host(ask: Callable[..., Any]) -> None:
    with pytest.raises(errors.ConnectionFailed, match=r"no host|reached"):
        ask("http://nobody.invalid", PNG, "?", setup={"retries": 0})


def test_what_may_pass_is_tried_again(ask: Callable[..., Any]) -> None:
    busy = as_json(failure(2001, "overloaded", retryable=True, retry_after_ms=1), 503)
    with ScriptedService(busy, Reply(silent=True), as_json(ENVELOPE)) as service:
        assert str(ask(service.url, PNG, "?")) == "a red circle"
        assert len(service.requests) == 3


def test_what_will_not_pass_is_not_tried_again(ask: Callable[..., Any]) -> None:
    with ScriptedService(as_json(failure(1005, "damaged_media"), 422)) as service, pytest.raises(errors.DamagedMedia):
        ask(service.url, PNG, "?")
    assert len(service.requests) == 1


def test_a_silent_service_is_a_deadline_and_is_not_asked_again(ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_calls, "GRACE", 0.05)
    with ScriptedService(Reply([3.0])) as service, pytest.raises(errors.DeadlineExceeded):
        ask(service.url, PNG, "?", timeout=0.1)
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("setup", "named"),
    [
        ({"base_url": "localhost:8000"}, "base_url"),
        ({"base_url": "ftp://localhost"}, "base_url"),
        ({"base_url": "http://a b"}, "base_url"),
        ({"base_url": "http://user:pass@host"}, "base_url"),
        ({"base_url": "http://host:99999"}, "base_url"),
        ({"api_key": "with\nbreak"}, "api_key"),
        ({"api_key": "钥匙"}, "api_key"),
        ({"timeout": 0}, "timeout"),
        ({"retries": -1}, "retries"),
        ({"max_connections": 0}, "max_connections"),
    ],
)
@pytest.mark.parametrize("kind", [QwenVLClient, AsyncQwenVLClient])
def test_settings_that_cannot_be_used_are_named(kind: Any, setup: dict[str, Any], named: str) -> None:
    with pytest.raises(errors.MalformedRequest, match=named) as caught:
        kind(**setup)
    assert caught.value.details["field"] == named


def test_files_that_cannot_be_read_are_named(ask: Callable[..., Any], tmp_path: Path, nowhere: str) -> None:
    (tmp_path / "empty.png").touch()
    for image, words in [
        ("nope.png", "no file nope.png"),
        (tmp_path, "folder"),
        (tmp_path / "empty.png", "empty"),
        ("a\0b", "not a readable file"),
        ("x" * 5000, "not a readable file"),
    ]:
        with pytest.raises(errors.InputUnreadable, match=words) as caught:
            ask(nowhere, [PNG, image], "?")
        assert caught.value.details["input"] == "images[1]"


@pytest.mark.parametrize("image", [7, None, object(), [[PNG]]])
def test_what_is_no_image_is_a_type_error(ask: Callable[..., Any], image: Any, nowhere: str) -> None:
    with pytest.raises(TypeError, match="an image is"):
        ask(nowhere, image, "?")


def test_a_file_opened_as_text_is_a_type_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with (tmp_path / "a.txt").open() as file, pytest.raises(TypeError, match="'rb'"):
        ask_sync("http://127.0.0.1:1", file)


class World:
    """Carries out the steps of a call with a clock that moves only when told."""

    def __init__(self, replies: list[Any], *, retries: int = 2, random: float = 0.0, cost: float = 0.0) -> None:
        self.time = 100.0
        self.replies = replies
        self.cost = cost
        self.waits: list[float] = []
        self.asked_ms: list[int] = []
        self.service = Service("http://service", None, retries, lambda: self.time, lambda: random)

    def run(self, make: Callable[..., Any], **asked: Any) -> list[Any]:
        exchange = make(_calls.Question(PNG, "?", "vqa", asked), self.service)
        emitted: list[Any] = []
        chunks: list[bytes] = []
        reply: Any = None
        thrown: Exception | None = None
        while True:
            try:
                step = exchange.throw(thrown) if thrown else exchange.send(reply)
            except StopIteration:
                return emitted
            reply = thrown = None
            match step:
                case Emit():
                    emitted.append(step.value)
                case Work():
                    reply = step.do()
                case Wait():
                    self.waits.append(step.seconds)
                    self.time += step.seconds
                case Send():
                    self.time += self.cost
                    body = b"".join(step.body or [])
                    self.asked_ms.append(int(body.partition(b'"timeout_ms":')[2].partition(b"}")[0]))
                    said = self.replies.pop(0)
                    if isinstance(said, Exception):
                        thrown = said
                    else:
                        reply, chunks = Head(said.status, {k.lower(): v for k, v in said.headers.items()}), list(said.chunks)
                case Read():
                    reply = chunks.pop(0) if chunks else b""


def busy(**error: Any) -> Reply:
    return as_json(failure(2001, "overloaded", retryable=True, **error), 503)


def away() -> Exception:
    return ConnectionFailed("http://service", Bilingual("无", "none"))


def test_pauses_grow_and_are_spread() -> None:
    low, high = World([busy()] * 5 + [as_json(ENVELOPE)], retries=5), World([busy()] * 5 + [as_json(ENVELOPE)], retries=5, random=1.0)
    assert [str(answer) for answer in low.run(_calls.ask)] == ["a red circle"]
    high.run(_calls.ask)
    assert low.waits == [0.25, 0.5, 1.0, 2.0, 4.0]
    assert high.waits == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_retry_after_is_honoured_from_body_and_header() -> None:
    date = {"Date": "Sun, 22 Nov 2026 10:00:00 GMT", "Retry-After": "Sun, 22 Nov 2026 10:00:04 GMT"}
    said = [
        busy(retry_after_ms=1500),
        as_json(failure(2001, "overloaded", retryable=True), 503, **{"Retry-After": "3"}),
        as_json(failure(2001, "overloaded", retryable=True), 503, **date),
        Reply([b"bad gateway"], 502, {"Retry-After": "2"}),
        as_json(ENVELOPE),
    ]
    world = World(said, retries=9)
    world.run(_calls.ask)
    assert world.waits == [1.5, 3.0, 4.0, 2.0]


def test_what_is_left_of_the_time_goes_along() -> None:
    world = World([busy(retry_after_ms=2000), away(), as_json(ENVELOPE)], cost=1.0)
    world.run(_calls.ask, timeout_ms=10_000)
    assert world.asked_ms == [10_000, 7_000, 5_500]


def test_no_waiting_past_the_time() -> None:
    world = World([busy(retry_after_ms=11_000)])
    with pytest.raises(errors.Overloaded):
        world.run(_calls.ask, timeout_ms=10_000)
    assert world.waits == []


def test_retries_are_bounded() -> None:
    world = World([away(), away(), away(), as_json(ENVELOPE)])
    with pytest.raises(errors.ConnectionFailed):
        world.run(_calls.stream)
    assert len(world.asked_ms) == 3


def test_a_trickle_of_comments_does_not_stretch_the_time() -> None:
    world = World([])
    exchange = _calls.stream(_calls.Question(PNG, "?", "vqa", {"timeout_ms": 5000}), world.service)
    work = next(exchange)
    exchange.send(work.do())
    exchange.send(Head(200, {"content-type": "text/event-stream"}))
    for _ in range(6):
        world.time += 1
        assert isinstance(exchange.send(b": keep-alive\n\n"), Read)
    world.time += 0.01
    with pytest.raises(errors.DeadlineExceeded):
        exchange.send(b": keep-alive\n\n")


@given(st.binary(max_size=200), st.sampled_from([200, 302, 400, 404, 500, 503]), st.text(max_size=30))
def test_any_bytes_are_an_answer_or_an_error(data: bytes, status: int, retry_after: str) -> None:
    head = Head(status, {"retry-after": retry_after, "date": retry_after})
    with pytest.raises(errors.Error):
        _replies.answer(head, data, "http://service")


def test_the_sdk_needs_nothing_of_the_service() -> None:
    """An ask in a fresh interpreter where the service's dependencies cannot be imported at all."""
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'numpy', 'starlette', 'aiohttp', 'uvicorn', 'cv2', 'PIL', 'xllamacpp'}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import sightline\n"
        "assert not {'httpx', 'msgspec', 'asyncio'} & set(sys.modules), 'import sightline is not lazy'\n"
        "with sightline.QwenVLClient(base_url=sys.argv[1]) as client:\n"
        "    print(client.ask('data:,x', '?'))\n"
        "assert not {'sightline.service', 'sightline.server', 'sightline.tasks', 'pydantic'} & set(sys.modules)\n"
    )
    with ScriptedService(as_json(ENVELOPE)) as service:
        ran = subprocess.run([sys.executable, "-c", code, service.url], capture_output=True, text=True, timeout=30, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "a red circle\n", "")


def test_two_event_loops_may_use_two_clients(nowhere: str) -> None:
    for _ in range(2):
        with ScriptedService(as_json(ENVELOPE)) as service:
            assert str(asyncio.run(_once(service.url))) == "a red circle"


async def _once(url: str) -> Any:
    async with AsyncQwenVLClient(base_url=url) as client:
        return await client.ask(PNG, "?")
