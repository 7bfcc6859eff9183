"""The two clients against a scripted service: what is sent, and what comes back. Every test runs for both."""

from __future__ import annotations

import ast
import asyncio
import base64
import inspect
import io
import threading
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

import sightline
from sightline import AsyncQwenVLClient, MediaObject, QwenVLClient, errors
from sightline.client import _options, _times, failures
from sightline.protocol.errors import TABLE, Error
from sightline.protocol.events import Accepted, Progress, Token
from sightline.protocol.requests import InferRequest, Options
from sightline.tasks.base import tasks
from tests.scripted import ACCEPTED, ENVELOPE, FINAL, METADATA, RESULT, Reply, ScriptedService, as_json, as_stream, event, failure, tokens

PNG = base64.b64decode(b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")
DATA_URI = "data:image/png;base64," + base64.b64encode(PNG).decode()


def ask_sync(base_url: str, *args: Any, setup: dict[str, Any] | None = None, **asked: Any) -> Any:
    with QwenVLClient(base_url=base_url, **(setup or {})) as client:
        if asked.get("stream"):
            with client.ask(*args, **asked) as stream:
                return list(stream), stream.finish()
        return client.ask(*args, **asked)


def ask_async(base_url: str, *args: Any, setup: dict[str, Any] | None = None, **asked: Any) -> Any:
    async def run() -> Any:
        async with AsyncQwenVLClient(base_url=base_url, **(setup or {})) as client:
            if asked.get("stream"):
                async with await client.ask(*args, **asked) as stream:
                    return [text async for text in stream], await stream.finish()
            return await client.ask(*args, **asked)

    return asyncio.run(run())


@pytest.fixture(params=[ask_sync, ask_async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param


def test_an_answer_is_typed_and_prints_as_its_text(ask: Callable[..., Any]) -> None:
    with ScriptedService(as_json(ENVELOPE)) as service:
        answer = ask(service.url, DATA_URI, "What is this?")
    assert isinstance(answer, sightline.Answer)
    assert str(answer) == answer.answer == "a red circle"
    assert (answer.confidence, answer.code, answer.request_id) == (0.94, 0, "req_1")
    assert answer.metadata.activated_experts == 2
    assert answer.metadata.receipts[0].changes == ("resized",)


def test_the_request_is_the_wire(ask: Callable[..., Any]) -> None:
    with ScriptedService(as_json(ENVELOPE)) as service:
        ask(
            service.url + "/qwen-vl/",
            ["https://example.com/a.png", DATA_URI, MediaObject(file_id="file_1")],
            "这是什么？",
            task="captioning",
            max_tokens=7,
            style="detailed",
            seed=None,
            messages=[{"role": "user", "text": "hello", "images": PNG}, {"role": "assistant", "text": "hi"}],
            setup={"api_key": "secret", "language": "zh"},
        )
        (request,) = service.requests
    assert (request.method, request.path) == ("POST", "/qwen-vl/infer")
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-language"] == "zh"
    assert int(request.headers["content-length"]) == len(request.raw)
    assert request.body == {
        "task": "captioning",
        "images": ["https://example.com/a.png", DATA_URI, {"file_id": "file_1"}],
        "text": "这是什么？",
        "options": {"max_tokens": 7, "style": "detailed", "timeout_ms": 30_000},
        "messages": [{"role": "user", "text": "hello", "images": [DATA_URI]}, {"role": "assistant", "text": "hi"}],
    }
    msgspec.json.decode(request.raw, type=InferRequest)


@pytest.mark.parametrize("shape", ["path", "string", "bytes", "file", "pillow", "list", "generator"])
def test_what_counts_as_an_image(ask: Callable[..., Any], shape: str, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    image: Any = {
        "path": path,
        "string": str(path),
        "bytes": bytearray(PNG),
        "file": io.BytesIO(PNG),
        "pillow": Image.new("CMYK", (3, 2), (0, 255, 255, 0)),
        "list": [path],
        "generator": (image for image in [path]),
    }[shape]
    with ScriptedService(as_json(ENVELOPE)) as service:
        ask(service.url, image, "?")
        (sent,) = service.requests[0].body["images"]
    assert sent.startswith("data:image/png;base64,")
    content = base64.b64decode(sent.partition(",")[2], validate=True)
    if shape == "pillow":
        shown = Image.open(io.BytesIO(content))
        assert shown.size == (3, 2)
        assert shown.getpixel((0, 0)) == (255, 0, 0)
    else:
        assert content == PNG


def test_large_content_arrives_whole(ask: Callable[..., Any]) -> None:
    content = b"\xff\xd8\xff" + bytes(range(256)) * 4001  # several pieces, and no multiple of three
    with ScriptedService(as_json(ENVELOPE)) as service:
        ask(service.url, [content, content[:-1]], "?")
        sent = service.requests[0].body["images"]
    assert [base64.b64decode(uri.removeprefix("data:image/jpeg;base64,")) for uri in sent] == [content, content[:-1]]


@pytest.mark.parametrize(
    ("image", "asked", "milliseconds"),
    [
        (PNG, {}, 30_000),
        (PNG, {"task": "video_qa"}, 120_000),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(16), {}, 120_000),
        ("https://example.com/clip.MP4?x=1", {}, 120_000),
        ("https://example.com/clip.mp4", {"timeout": 3}, 3_000),
        (PNG, {"timeout_ms": 1234}, 1_234),
        (PNG, {"task": "chart_parse"}, 60_000),
        ([PNG, PNG, PNG], {"task": "doc_analyze"}, 90_000),
    ],
)
def test_the_time_depends_on_what_is_shown(ask: Callable[..., Any], image: Any, asked: Any, milliseconds: int) -> None:
    with ScriptedService(as_json(ENVELOPE)) as service:
        ask(service.url, image, "?", **asked)
        assert service.requests[0].body["options"]["timeout_ms"] == milliseconds


@pytest.mark.parametrize("image", [b"%PDF-1.7 ...", b"II*\x00 pages", "https://example.com/contract.pdf"])
def test_of_a_document_the_service_counts_the_pages_and_so_the_time(ask: Callable[..., Any], image: Any) -> None:
    with ScriptedService(as_json(ENVELOPE)) as service:
        ask(service.url, image, "?", task="doc_analyze")
        assert "timeout_ms" not in service.requests[0].body.get("options", {})
        ask(service.url, image, "?", task="doc_analyze", timeout=5)
        assert service.requests[1].body["options"]["timeout_ms"] == 5_000


def test_a_task_of_the_services_own_has_the_time_that_the_service_gives_it(ask: Callable[..., Any]) -> None:
    with ScriptedService(as_json(ENVELOPE)) as service:
        ask(service.url, PNG, "?", task="count_bars")
        assert "timeout_ms" not in service.requests[0].body.get("options", {})


def test_the_sdk_knows_the_times_of_the_tasks() -> None:
    for name, task in tasks().items():
        known = _times.TASKS[name]
        assert (known.base * 1000, known.page * 1000) == (task.timeout_ms, task.timeout_ms_per_look), name


def test_the_clients_own_time_holds_for_all_its_calls(ask: Callable[..., Any]) -> None:
    with ScriptedService(as_json(ENVELOPE)) as service:
        ask(service.url, PNG, "?", task="video_qa", setup={"timeout": 7.5})
        assert service.requests[0].body["options"]["timeout_ms"] == 7_500


def test_streaming_gives_text_and_then_the_result(ask: Callable[..., Any]) -> None:
    with ScriptedService(as_stream()) as service:
        texts, final = ask(service.url, PNG, "?", stream=True)
        assert service.requests[0].path == "/infer_stream"
    assert texts == ["a ", "red ", "circle"]
    assert isinstance(final, sightline.Answer)
    assert final.answer == "".join(texts)
    assert final.metadata.model == "sight-nano"


def test_events_cut_anywhere_are_put_together(ask: Callable[..., Any]) -> None:
    whole = b"".join([b": keep-alive\n\n", ACCEPTED, event("later", {"new": 1}), *tokens("第", "一"), FINAL])
    with ScriptedService(as_stream([whole[start : start + 5] for start in range(0, len(whole), 5)])) as service:
        texts, _ = ask(service.url, PNG, "?", stream=True)
    assert texts == ["第", "一"]


def test_all_events_of_a_stream() -> None:
    told = [ACCEPTED, event("progress", {"stage": "pages", "done": 1, "total": 2}), *tokens("a"), FINAL]
    with ScriptedService(as_stream(told)) as service, QwenVLClient(base_url=service.url) as client:
        stream = client.ask(PNG, "?", stream=True)
        assert stream.accepted == Accepted(request_id="req_1", lane="A", model="sight-nano", predicted_wait_ms=5)
        with pytest.raises(RuntimeError, match="finish"):
            _ = stream.final
        kinds = [type(event) for event in stream.events()]
    assert kinds == [Accepted, Progress, Token, sightline.Answer]
    assert stream.final.answer == "a red circle"
    assert stream.text == "a"
    assert list(stream) == []


async def test_all_events_of_an_asynchronous_stream() -> None:
    with ScriptedService(as_stream()) as service:
        async with AsyncQwenVLClient(base_url=service.url) as client:
            stream = await client.ask(PNG, "?", stream=True)
            kinds = [type(event) async for event in stream.events()]
    assert kinds == [Accepted, Token, Token, Token, sightline.Answer]


def test_leaving_early_closes_the_connection() -> None:
    endless = (chunk for index in range(2000) for chunk in (event("token", {"token": "x", "index": index}), 0.005))
    with ScriptedService(as_stream([ACCEPTED, *endless])) as service, QwenVLClient(base_url=service.url) as client:
        with client.ask(PNG, "?", stream=True) as stream:
            assert next(stream) == "x"
        assert service.left.wait(5)


async def test_leaving_early_closes_the_asynchronous_connection() -> None:
    endless = (chunk for index in range(2000) for chunk in (event("token", {"token": "x", "index": index}), 0.005))
    with ScriptedService(as_stream([ACCEPTED, *endless])) as service:
        async with AsyncQwenVLClient(base_url=service.url) as client:
            async with await client.ask(PNG, "?", stream=True) as stream:
                assert await anext(stream) == "x"
            assert await asyncio.to_thread(service.left.wait, 5)


async def test_cancelling_an_asynchronous_ask_closes_the_connection() -> None:
    slow = [b" ", *[part for _ in range(1000) for part in (b" ", 0.01)]]
    with ScriptedService(Reply(slow, 200, {"Content-Type": "application/json"})) as service:
        async with AsyncQwenVLClient(base_url=service.url) as client:
            asked = asyncio.create_task(client.ask(PNG, "?"))
            assert await asyncio.to_thread(service.asked.wait, 5)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            assert await asyncio.to_thread(service.left.wait, 5)


def test_a_result_is_a_result_whatever_the_code(ask: Callable[..., Any]) -> None:
    degraded = {**METADATA, "degraded": {"requested": "big", "served": "sight-nano", "reason": "overloaded"}}
    body = {**ENVELOPE, "code": 2001, "msg": "degraded", "result": {**RESULT, "metadata": degraded}}
    with ScriptedService(as_json(body)) as service:
        answer = ask(service.url, PNG, "?")
    assert answer.code == 2001
    assert answer.metadata.degraded.served == "sight-nano"


def test_max_connections_bounds_what_runs_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def reply(_: Any) -> Reply:
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

    async def run(url: str) -> None:
        async with AsyncQwenVLClient(base_url=url, max_connections=3) as client:
            await asyncio.gather(*(client.ask(PNG, "?") for _ in range(20)))

    with ScriptedService(reply) as service:
        asyncio.run(run(service.url))
        assert len(service.requests) == 20
    assert most == 3


def test_both_clients_have_the_same_signatures() -> None:
    def public(kind: type) -> dict[str, Any]:
        named = {name: thing for name, thing in vars(kind).items() if not name.startswith("_") or name == "__init__"}
        return {name: inspect.signature(thing) if callable(thing) else None for name, thing in named.items()}

    def plain(signatures: dict[str, Any]) -> dict[str, str]:
        return {name: str(signature).replace("Async", "").replace("Iterator", "Generator") for name, signature in signatures.items()}

    assert plain(public(QwenVLClient)) == plain(public(AsyncQwenVLClient))
    assert plain(public(sightline.AnswerStream)).keys() == plain(public(sightline.AsyncAnswerStream)).keys()
    for sync, other in zip(typing.get_overloads(QwenVLClient.ask), typing.get_overloads(AsyncQwenVLClient.ask), strict=True):
        assert str(inspect.signature(sync)) == str(inspect.signature(other)).replace("Async", "")


def test_the_editor_knows_every_common_option() -> None:
    tree = ast.parse(Path(_options.__file__).read_text())
    (options,) = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == "CommonOptions"]
    named = {node.target.id for node in options.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    assert named == set(Options.__struct_fields__) - {"stream"}


def test_every_error_has_its_name_in_sightline_errors() -> None:
    own = {name for name, thing in vars(failures).items() if isinstance(thing, type) and issubclass(thing, Error)}
    assert {*own, *(kind.__name__ for kind in TABLE.values())} == set(errors.__all__)
    assert {sightline.errors.Overloaded, errors.Error} == {TABLE[2001], Error}


def test_the_key_is_never_shown() -> None:
    assert "hunter2" not in repr(QwenVLClient("hunter2"))
    assert "hunter2" not in repr(vars(QwenVLClient("hunter2"))["_setup"])


def test_the_key_of_the_environment(ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_API_KEY", "from-there")
    with ScriptedService(as_json(ENVELOPE)) as service:
        ask(service.url, PNG, "?")
        assert service.requests[0].headers["authorization"] == "Bearer from-there"


def test_proxies_of_the_environment_are_not_asked_about_this_machine(ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with ScriptedService(as_json(ENVELOPE)) as service:
        assert str(ask(service.url, PNG, "?")) == "a red circle"


def test_an_error_event_before_the_first_token_is_tried_again(ask: Callable[..., Any]) -> None:
    away = event("error", failure(5001, "backend_unavailable", retryable=True, retry_after_ms=1))
    with ScriptedService(as_stream([ACCEPTED, away]), as_stream()) as service:
        texts, _ = ask(service.url, PNG, "?", stream=True)
        assert len(service.requests) == 2
    assert texts == ["a ", "red ", "circle"]
