"""The HTTP face over a simulated engine: the contract of the wire, and an envelope for everything that is sent wrongly."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import FAKE, Running, lanes, serving
from tests.pictures import RED, data_uri, png

ASK: dict[str, Any] = {"task": "vqa", "images": [RED], "text": "What is shown?"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("service"), FAKE + lanes(), 'body_bytes = 1000000\nroot_path = "/qwen-vl"') as running:
        yield running


@pytest.fixture
def http(service: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=20, trust_env=False) as client:
        yield client


def events(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_an_answer_comes_in_the_envelope_that_clients_know(http: httpx.Client) -> None:
    response = http.post("/infer", json=ASK)
    assert response.status_code == 200
    body = response.json()
    assert (body["code"], body["msg"]) == (0, "success")
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["result"]["answer"]
    assert 0 < body["result"]["confidence"] <= 1
    assert {"processing_time_ms", "activated_experts", "input_tokens", "output_tokens"} <= set(body["result"]["metadata"])
    assert body["result"]["metadata"]["output_tokens"] >= 40


def test_a_simulated_answer_says_that_it_is_one(http: httpx.Client) -> None:
    result = http.post("/infer", json=ASK, headers={"accept-language": "zh"}).json()["result"]
    told = {warning["type"]: warning["msg"] for warning in result["warnings"]}
    assert "模拟" in told["simulated"]


def test_a_stream_is_accepted_told_and_ended_once(http: httpx.Client) -> None:
    response = http.post("/infer_stream", json=ASK)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    told = events(response.text)
    names = [name for name, _ in told]
    assert names[0] == "accepted"
    assert names[-1] == "final"
    assert names.count("final") + names.count("error") == 1
    tokens = [data for name, data in told if name == "token"]
    final = told[-1][1]
    assert "".join(token["token"] for token in tokens) == final["answer"]
    assert [token["index"] for token in tokens] == list(range(len(tokens)))
    assert {"answer", "metadata", "confidence", "request_id", "code", "msg", "structured", "warnings"} == set(final)


def test_a_request_id_is_taken_and_returned_when_it_is_harmless(http: httpx.Client) -> None:
    response = http.post("/infer", json=ASK, headers={"x-request-id": "order-7.a:b_c"})
    assert response.json()["request_id"] == response.headers["x-request-id"] == "order-7.a:b_c"
    for bad in ("x" * 129, "a b", "a\u00e9"):
        assert http.post("/infer", json=ASK, headers={"x-request-id": bad.encode("latin-1")}).json()["request_id"].startswith("req_")


BAD: list[tuple[str, bytes | dict[str, Any], int, int, str]] = [
    ("malformed", b'{"task": "vqa",', 400, 1000, "body"),
    ("not utf-8", b"\xff\xfe\x00", 400, 1000, "body"),
    ("empty", b"", 400, 1000, "body"),
    ("no object", b"[]", 400, 1000, "body"),
    ("wrong type", {**ASK, "text": 5}, 400, 1000, "text"),
    ("unknown field", {**ASK, "picture": "x"}, 400, 1000, "picture"),
    ("unknown option", {**ASK, "options": {"temprature": 1}}, 400, 1000, "options.temprature"),
    ("value out of range", {**ASK, "options": {"temperature": 9}}, 400, 1000, "options.temperature"),
    ("option of another task", {**ASK, "options": {"style": "short"}}, 400, 1000, "options.style"),
    ("a deadline in the past", {**ASK, "options": {"timeout_ms": -1}}, 400, 1000, "options.timeout_ms"),
    ("no time at all", {**ASK, "options": {"timeout_ms": 0}}, 400, 1000, "1..3600000"),
    ("a negative priority", {**ASK, "options": {"priority": -1}}, 400, 1000, "options.priority"),
    ("an absurd priority", {**ASK, "options": {"priority": 10**12}}, 400, 1000, "0..9"),
    ("an unknown way to remember", {**ASK, "options": {"cache": "sometimes"}}, 400, 1000, '["auto", "off", "only", "refresh"]'),
    ("an answer longer than the model's context", {**ASK, "options": {"max_tokens": 8192}}, 400, 1000, "1..8191"),
    ("no image", {**ASK, "images": []}, 400, 1000, "images"),
    ("no question", {**ASK, "text": ""}, 400, 1000, "text"),
    ("unknown task", {**ASK, "task": "paint"}, 400, 1006, "paint"),
    ("unknown model", {**ASK, "options": {"model": "gpt"}}, 400, 1000, "model"),
    ("no image format", {**ASK, "images": [data_uri(b"PK\x03\x04" + b"\0" * 64)]}, 415, 1001, "0"),
    ("an address inside", {**ASK, "images": ["http://127.0.0.1:1/a.png"]}, 422, 1003, "0"),
    ("a file of this machine", {**ASK, "images": ["file:///etc/passwd"]}, 422, 1003, "0"),
    ("too many images", {**ASK, "images": [RED] * 17}, 400, 1000, "1..16"),
    ("too large a body", b'{"text": "' + b"x" * 1_000_000 + b'"}', 413, 1004, "/files"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "code", "names"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
@pytest.mark.parametrize("path", ["/infer", "/infer_stream"])
def test_bad_input_gets_the_envelope_and_names_what_is_wrong(
    http: httpx.Client, path: str, body: bytes | dict[str, Any], status: int, code: int, names: str
) -> None:
    sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    for language in ("en", "zh"):
        response = http.post(path, headers={"accept-language": language}, **sent)
        told = response.json()
        assert (response.status_code, told["code"]) == (status, code)
        assert "result" not in told
        assert told["msg"]
        assert told["error"]["hint"]
        assert any("\u4e00" <= character <= "\u9fff" for character in told["msg"]) == (language == "zh")
        assert names in json.dumps(told, ensure_ascii=False)
        assert "Traceback" not in response.text


def test_damage_that_shows_only_in_decoding_is_the_last_event_of_a_stream(http: httpx.Client) -> None:
    damaged = {**ASK, "images": [data_uri(png()[:60])]}
    refused = http.post("/infer", json=damaged)
    assert (refused.status_code, refused.json()["code"]) == (422, 1005)
    streamed = http.post("/infer_stream", json=damaged)
    told = events(streamed.text)
    assert (streamed.status_code, told[-1][0], told[-1][1]["code"]) == (200, "error", 1005)
    assert {name for name, _ in told} == {"accepted", "error"}
    assert told[-1][1]["error"] == refused.json()["error"]


def test_streaming_is_refused_where_it_cannot_be_had(http: httpx.Client) -> None:
    refused = http.post("/infer", json={**ASK, "options": {"stream": True}}).json()
    assert (refused["code"], refused["error"]["details"]["field"]) == (1000, "options.stream")
    assert "/infer_stream" in refused["error"]["hint"]


@pytest.mark.parametrize("form", [False, True])
def test_an_upload_stands_wherever_an_image_does(http: httpx.Client, form: bool) -> None:
    response = http.post("/files", files={"file": ("a.png", png())}) if form else http.post("/files", content=png())
    assert response.status_code == 201
    told = response.json()["result"]
    assert told["bytes"] == len(png())
    image = {"file_id": told["file_id"]}
    assert http.post("/infer", json={**ASK, "images": [image]}).json()["code"] == 0
    assert http.delete(f"/files/{told['file_id']}").json()["result"] == {"file_id": told["file_id"], "deleted": True}
    gone = http.post("/infer", json={**ASK, "images": [image]})
    assert (gone.status_code, gone.json()["code"]) == (400, 1000)
    assert http.delete(f"/files/{told['file_id']}").json()["code"] == 1000


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"nonsense"),
        ("multipart/form-data; boundary=b", b"--b--\r\n"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\ncut'),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: a\r\n\r\n1\r\n--b\r\nContent-Disposition: b\r\n\r\n2\r\n--b--\r\n",
        ),
    ],
)
def test_forms_without_exactly_one_file_are_refused(http: httpx.Client, kind: str, body: bytes) -> None:
    response = http.post("/files", content=body, headers={"content-type": kind})
    assert (response.status_code, response.json()["code"]) == (400, 1000)


def test_paths_and_methods_that_are_not_served_get_the_envelope(http: httpx.Client) -> None:
    assert http.get("/nothing").json()["code"] == 1000
    assert http.get("/nothing").status_code == 404
    wrong = http.put("/infer")
    assert (wrong.status_code, wrong.json()["error"]["details"]["allowed"]) == (405, ["POST"])


def test_the_prefix_is_part_of_every_address(service: Running, http: httpx.Client) -> None:
    bare = service.url.removesuffix("/qwen-vl")
    assert httpx.get(f"{bare}/health", trust_env=False).status_code == 404
    assert http.get("/health").json() == {"status": "ok"}
    assert httpx.get(f"{bare}/qwen-vl", trust_env=False).headers["location"] == "/qwen-vl/"
    assert http.get("/openapi.json").json()["servers"] == [{"url": "/qwen-vl"}]


def test_readiness_says_which_lane_can_answer(http: httpx.Client) -> None:
    ready = http.get("/ready").json()
    assert (ready["ready"], ready["lanes"]) == (True, {"A": True, "B": True, "C": True})
    assert ready["models"][0]["fake"] is True


def test_metrics_count_what_happened(http: httpx.Client) -> None:
    http.post("/infer", json=ASK)
    http.post("/infer", json={**ASK, "images": [data_uri(b"PK\x03\x04" + b"\0" * 64)]})
    text = http.get("/metrics").text
    assert 'sightline_calls_total{code="0",task="vqa"}' in text
    assert 'sightline_calls_total{code="1001",task="vqa"}' in text
    assert 'sightline_lane_running{lane="A"} 0.0' in text


def test_the_tasks_tell_their_options(http: httpx.Client) -> None:
    told = {task["name"]: task for task in http.get("/tasks").json()["tasks"]}
    assert {"vqa", "captioning", "chat"} <= set(told)
    assert told["vqa"]["media"] == {"kinds": ["image"], "least": 1, "most": 16}
    assert "style" in json.dumps(told["captioning"]["options"])


def test_the_openapi_document_names_every_error_once(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert [row["code"] for row in document["info"]["x-errors"]] == [
        1000, 1001, 1002, 1003, 1004, 1005, 1006, 2001, 2002, 3001, 4001, 4002, 4003, 4004, 5000, 5001,
    ]  # fmt: skip
    assert {"/infer", "/infer_stream"} <= set(document["paths"])
    references = {part.split('"')[0] for part in json.dumps(document).split('"#/components/schemas/')[1:]}
    assert references <= set(document["components"]["schemas"])


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"host": "127.0.0.1.evil.example"},
    ],
)
def test_other_sites_cannot_reach_an_open_service_through_a_browser(http: httpx.Client, headers: dict[str, str]) -> None:
    response = http.post("/infer", json=ASK, headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, 4002)


def test_our_own_page_may(service: Running, http: httpx.Client) -> None:
    origin = f"http://127.0.0.1:{service.port}"
    assert http.post("/infer", json=ASK, headers={"origin": origin, "sec-fetch-site": "same-origin"}).status_code == 200


def test_a_hundred_megabytes_are_refused_with_the_envelope_and_not_read(service: Running) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as raw:
        raw.sendall(b"POST /qwen-vl/infer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 104857600\r\n\r\n" + b"x" * 65536)
        answer = b""
        while not answer.endswith(b"}}") and (piece := raw.recv(65536)):
            answer += piece
    assert b" 413 " in answer.splitlines()[0]
    assert b"/files" in answer


def test_security_headers_stand_on_every_answer(http: httpx.Client) -> None:
    for response in (http.get("/health"), http.get("/nothing"), http.post("/infer", json=ASK)):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "server" not in response.headers
