"""Who may do what is decided by the key and the matched route; nothing else in a request changes it."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from typing import Any

import httpx
import pytest

from tests.integration.security.conftest import ASK, Guarded

BODY = json.dumps(ASK).encode()


def answer(guarded: Guarded, target: str, *headers: str, method: str = "POST") -> bytes:
    """All that comes back to one request as it is written here, which no client library would send."""
    head = [f"{method} {target} HTTP/1.1", *headers, "Connection: close", f"Content-Length: {len(BODY) if method == 'POST' else 0}"]
    if not any(line.lower().startswith("host:") for line in headers):
        head.insert(1, f"Host: 127.0.0.1:{guarded.running.port}")
    with socket.create_connection(("127.0.0.1", guarded.running.port), timeout=20) as raw:
        with contextlib.suppress(ConnectionError):
            raw.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + (BODY if method == "POST" else b""))
        came = b""
        with contextlib.suppress(ConnectionError):
            while piece := raw.recv(65536):
                came += piece
    return came


def exchange(guarded: Guarded, target: str, *headers: str, method: str = "POST") -> tuple[int, bytes]:
    """Status and body of an `answer`."""
    top, _, body = answer(guarded, target, *headers, method=method).partition(b"\r\n\r\n")
    return int(top.split(b" ", 2)[1]), body


WRONG = [
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    "Bearer sl-" + "A" * 43,
    "Bearer {valid}x",
    "Bearer {valid} x",
    "Bearer x{valid}",
    "Bearer {cut}",
    "Bearer {expired}",
    "Bearer {revoked}",
    "Bearer " + "k" * 10_000,
    "Bearer \xe9\xff",
    "Basic {valid}",
    "Token {valid}",
    "{valid}",
    "Bearer Bearer {valid}",
    "Bearer\t{valid}",
]


@pytest.mark.parametrize("path", ["/infer", "/infer_stream", "/v1/chat/completions", "/files"])
def test_a_wrong_key_is_answered_alike_whatever_is_wrong(guarded: Guarded, path: str) -> None:
    """CVE-2026-48746 began with an answer that told one wrong key from another."""
    valid = guarded.keys["alice"]
    filled = {"valid": valid, "cut": valid[:-1], "expired": guarded.keys["expired"], "revoked": guarded.keys["revoked"]}
    told: set[bytes] = set()
    for wrong in WRONG:
        headers = ["X-Request-Id: same"] if wrong is None else ["X-Request-Id: same", f"Authorization: {wrong.format(**filled)}"]
        told.add(re.sub(rb"\r\ndate: [^\r]*", b"", answer(guarded, path, *headers)))
    assert len(told) == 1, told
    assert told.pop().startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_has_no_case(guarded: Guarded, scheme: str) -> None:
    """RFC 9110, 11.1."""
    assert exchange(guarded, "/infer", f"Authorization: {scheme} {guarded.keys['alice']}")[0] == 200


@pytest.mark.parametrize("order", [("alice", "revoked"), ("revoked", "alice"), ("alice", "bob"), ("alice", "alice")])
def test_two_keys_are_no_key(guarded: Guarded, order: tuple[str, str]) -> None:
    """A proxy may judge by one of them and forward both."""
    status, _ = exchange(guarded, "/infer", *(f"Authorization: Bearer {guarded.keys[name]}" for name in order))
    assert status == 401


FORGED = [
    ("Host: localhost",),
    ("Host: 127.0.0.1/health?",),
    ("Host: 127.0.0.1/health#",),
    ("Host: evil.example", "X-Forwarded-Host: localhost"),
    ("X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1;host=localhost;proto=https"),
    ("X-Forwarded-Prefix: /health", "X-Forwarded-Path: /health", "X-Forwarded-Uri: /health"),
    ("X-Original-URL: /health", "X-Rewrite-URL: /health"),
    ("X-HTTP-Method-Override: GET", "X-Method-Override: GET"),
    ("X-Forwarded-User: alice", "X-Remote-User: alice", "X-Api-Key: x", "Cookie: authorization=x"),
]


@pytest.mark.parametrize("headers", FORGED, ids=lambda headers: headers[0].split(":")[0])
@pytest.mark.parametrize(("method", "path"), [("POST", "/infer"), ("GET", "/metrics"), ("DELETE", "/files/file_1"), ("GET", "/v1/models")])
def test_forged_headers_open_nothing(guarded: Guarded, headers: tuple[str, ...], method: str, path: str) -> None:
    """CVE-2026-49468: a forged Host changed the path that was authorised (LiteLLM)."""
    before = len(guarded.generations())
    assert exchange(guarded, path, *headers, method=method)[0] in {400, 401}
    assert len(guarded.generations()) == before


@pytest.mark.parametrize("headers", FORGED, ids=lambda headers: headers[0].split(":")[0])
def test_forged_headers_close_nothing_and_widen_nothing(guarded: Guarded, headers: tuple[str, ...]) -> None:
    assert exchange(guarded, "/infer", *headers, f"Authorization: Bearer {guarded.keys['alice']}")[0] in {200, 400}
    assert exchange(guarded, "/infer", *headers, f"Authorization: Bearer {guarded.keys['lanes']}")[0] in {403, 400}


TRICKS = [
    "//infer", "///infer", "/infer/", "/infer//", "/Infer", "/INFER", "/infer.",
    "/infer%2e", "/%69nfer", "/infer%2f", "/infer%20", "/infer%00",
    "/health/../infer", "/health%2f..%2finfer", "/health/..%2finfer", "/static/../infer", "/static/%2e%2e/infer", "/./infer", "/infer/.",
    "/infer;x=1", "/docs/..;/infer", "/infer?path=/health", "/infer#/health", "/health/infer", "/\\infer", "/health\\..\\infer",
    "http://127.0.0.1/infer", "http://evil.example/infer", "http://127.0.0.1/health/../infer", "http://x@127.0.0.1/infer",
]  # fmt: skip


@pytest.mark.parametrize("target", TRICKS)
def test_path_tricks_open_nothing(guarded: Guarded, target: str) -> None:
    """CVE-2026-49468, CVE-2026-48746: authorised under one path, routed under another."""
    before = len(guarded.generations())
    status, body = exchange(guarded, target)
    assert status in {400, 401, 404, 405}
    assert json.loads(body)["code"] in {1000, 4001}
    assert len(guarded.generations()) == before


@pytest.mark.parametrize("target", [trick.replace("infer", "metrics") for trick in TRICKS])
def test_path_tricks_read_nothing(guarded: Guarded, target: str) -> None:
    status, body = exchange(guarded, target, method="GET")
    assert status in {400, 401, 404, 405}
    assert b"sightline_calls_total" not in body


STATIC = [
    "/static/..%2f..%2fconfig.py",
    "/static/%2e%2e/app.py",
    "/static/....//app.py",
    "/static//etc/passwd",
    "/static/..\\app.py",
    "/static/",
]


@pytest.mark.parametrize("target", STATIC)
def test_the_page_s_files_are_all_that_can_be_read(guarded: Guarded, target: str) -> None:
    status, body = exchange(guarded, target, method="GET")
    assert status in {400, 404, 405}
    assert json.loads(body)["code"] == 1000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/ready", 200),
        ("GET", "/tasks", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/metrics", 401),
        ("GET", "/v1/models", 401),
        ("POST", "/infer", 401),
        ("POST", "/infer_stream", 401),
        ("POST", "/v1/chat/completions", 401),
        ("POST", "/files", 401),
        ("DELETE", "/files/file_1", 401),
    ],
)
def test_what_strangers_may_read(guarded: Guarded, method: str, path: str, status: int) -> None:
    assert exchange(guarded, path, method=method)[0] == status


def test_a_stranger_s_body_is_not_read(guarded: Guarded) -> None:
    """Who may not ask is told so before the first byte of a body: nobody uploads 30 MB to be refused."""
    with socket.create_connection(("127.0.0.1", guarded.running.port), timeout=20) as raw:
        raw.sendall(b"POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("key", ["tasks", "lanes", "models"])
@pytest.mark.parametrize("door", ["/infer", "/infer_stream", "/v1/chat/completions"])
def test_a_key_stays_within_its_scopes_at_every_door(guarded: Guarded, key: str, door: str) -> None:
    asked: dict[str, Any] = {**ASK, "task": "captioning"} if key == "tasks" else ASK
    if door.startswith("/v1"):
        asked = {"model": "served", "messages": [{"role": "user", "content": "What is shown?"}]}
    before = len(guarded.generations())
    response = httpx.post(guarded.url + door, json=asked, headers=guarded.bearing(key), trust_env=False, timeout=20)
    assert response.status_code == 403, response.text
    assert response.json().get("code") == 4002 or response.json()["error"]["code"] == "not_allowed"
    assert len(guarded.generations()) == before


def test_a_key_may_do_what_its_scopes_name(guarded: Guarded) -> None:
    assert httpx.post(f"{guarded.url}/infer", json=ASK, headers=guarded.bearing("tasks"), trust_env=False).status_code == 200


@pytest.mark.parametrize("path", ["/infer", "/health", "/", "/openapi.json", "/nothing"])
def test_no_other_site_is_let_in(guarded: Guarded, path: str) -> None:
    """CORS is off: no answer carries a header that would let a page elsewhere read it."""
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    for method in ("OPTIONS", "GET", "POST"):
        response = httpx.request(method, guarded.url + path, headers=headers, trust_env=False, timeout=20)
        assert not [name for name in response.headers if name.startswith("access-control-")]
        assert method != "OPTIONS" or response.status_code in {404, 405}
