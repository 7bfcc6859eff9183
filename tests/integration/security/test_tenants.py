"""Tenants see nothing of each other, and engines see nothing of callers but the prompt."""

from __future__ import annotations

from typing import Any

import httpx

from tests.integration.security.conftest import ASK, Guarded
from tests.pictures import png


def ask(guarded: Guarded, name: str, path: str = "/infer", headers: dict[str, str] | None = None, **changed: Any) -> httpx.Response:
    sent = {**guarded.bearing(name), **(headers or {})}
    return httpx.post(guarded.url + path, json={**ASK, **changed}, headers=sent, trust_env=False, timeout=20)


def test_remembered_answers_stay_with_their_tenant(guarded: Guarded) -> None:
    """CVE-2026-35030: a key that was too short made one caller's answer another's."""

    def costs(name: str, path: str) -> int:
        before = len(guarded.generations())
        assert ask(guarded, name, path, text="Whose answer is this?", options={"temperature": 0}).status_code == 200
        return len(guarded.generations()) - before

    assert costs("alice", "/infer") == 1
    assert costs("alice", "/infer") == 0, "a second time it is remembered"
    assert costs("colleague", "/infer") == 0, "a tenant shares its answers"
    assert costs("bob", "/infer") == 1
    assert costs("bob", "/infer_stream") == 0
    assert costs("tasks", "/infer_stream") == 1, "a key without a named tenant is a tenant of its own"


def test_a_key_in_a_body_does_not_choose_the_tenant(guarded: Guarded) -> None:
    refused = ask(guarded, "bob", tenant="acme")
    assert (refused.status_code, refused.json()["code"]) == (400, 1000)
    refused = ask(guarded, "bob", options={"tenant": "acme"})
    assert (refused.status_code, refused.json()["code"]) == (400, 1000)


def test_uploads_stay_with_their_tenant(guarded: Guarded) -> None:
    kept = httpx.post(f"{guarded.url}/files", content=png(), headers=guarded.bearing("alice"), trust_env=False).json()["result"]
    image = {"file_id": kept["file_id"]}
    foreign, unknown = ask(guarded, "bob", images=[image]).json(), ask(guarded, "bob", images=[{"file_id": "file_none"}]).json()
    assert foreign["code"] == unknown["code"] == 1000
    assert foreign["msg"].replace(kept["file_id"], "") == unknown["msg"].replace("file_none", ""), "whether it exists is not told"

    def forget(name: str) -> int:
        address = f"{guarded.url}/files/{kept['file_id']}"
        return httpx.delete(address, headers=guarded.bearing(name), trust_env=False).status_code

    assert forget("bob") == 400
    assert ask(guarded, "colleague", images=[image]).status_code == 200
    assert forget("colleague") == 200
    assert ask(guarded, "alice", images=[image]).json()["code"] == 1000


def test_nothing_of_the_caller_reaches_the_engine(guarded: Guarded) -> None:
    """vLLM obeys X-Vllm-Priority and reads X-Request-Id and X-Session-Id from whoever sends them: no header passes through."""
    sent = {
        "x-vllm-priority": "-100",
        "x-data-parallel-rank": "7",
        "x-session-id": "marked-session",
        "x-request-id": "marked-request",
        "x-forwarded-for": "10.9.8.7",
        "cookie": "marked=cookie",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "x-marked": "marked-header",
        "user-agent": "marked-agent",
    }
    for path in ("/infer", "/infer_stream"):
        assert ask(guarded, "alice", path, sent, text=f"What reaches you by {path}?", options={"priority": 0}).status_code == 200
        received = guarded.generations()[-1]
        assert f"What reaches you by {path}?" in received.raw.decode()
        everything = f"{received.path} {received.headers}"
        assert not set(received.headers) & (set(sent) - {"user-agent"})
        assert "marked" not in everything
        assert guarded.keys["alice"] not in everything + received.raw.decode()
        assert not {"priority", "user"} & set(received.body)
        assert "acme" not in received.raw.decode()


def test_the_engine_is_sent_bytes_and_never_an_address(guarded: Guarded) -> None:
    """vllm#57157, CVE-2025-6242, CVE-2026-24779, CVE-2026-25960, CVE-2026-34753: the engine never fetches."""
    assert ask(guarded, "alice", text="What is at the address?").status_code == 200
    parts = [part for message in guarded.generations()[-1].body["messages"] for part in message["content"] if isinstance(part, dict)]
    pictures = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert pictures
    assert all(url.startswith("data:image/") for url in pictures)
    before = len(guarded.generations())
    refused = ask(guarded, "alice", images=["http://169.254.169.254/latest/meta-data/"])
    assert refused.json()["code"] == 1003
    content = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "http://[::1]:1/"}}]
    chat = {"model": "served", "messages": [{"role": "user", "content": content}]}
    refused = httpx.post(f"{guarded.url}/v1/chat/completions", json=chat, headers=guarded.bearing("alice"), trust_env=False)
    assert refused.json()["error"]["code"] == "media_unreachable", refused.text
    assert len(guarded.generations()) == before, "the second door uses the same fetcher"
