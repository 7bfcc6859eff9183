"""What people send and what they are answered stands in no log and in no file, at the highest verbosity."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.acceptance.services import COMMAND, surroundings
from tests.harness import lanes
from tests.integration.security.conftest import ANSWER, ASK, engine_reply, make_keys
from tests.pictures import data_uri, png
from tests.scripted import ScriptedService

MARK = "zanzibar"
"""In every content that is sent, in every name, and in the engine's answer."""


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_no_content_and_no_key_is_ever_logged_or_kept(tmp_path: Path, form: list[str]) -> None:
    assert MARK in ANSWER
    keys, marked = make_keys(tmp_path), png(8, 8) + b"zanzibar-picture"
    with ScriptedService(engine_reply) as engine:
        path = tmp_path / "sightline.toml"
        path.write_text(
            f'state = "{tmp_path / "state"}"\n[trust]\nkeys = "required"\n[backends.x]\nkind = "openai"\nurl = "{engine.url}"\n' + lanes()
        )
        log = (tmp_path / "log").open("w+")
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", "--debug", "--config", str(path), *form],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=surroundings(),
        )
        assert process.stdout
        try:
            said = process.stdout.readline().strip()
            address = json.loads(said)["address"] if form else said.rsplit(" ", 1)[1]
            ids = _send_marked(address.rstrip("/"), keys, marked)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
    log.seek(0)
    logged = log.read()
    assert len(ids) == 11
    assert ids[0] in logged, "what happened is logged"
    assert MARK not in logged
    assert "Traceback" not in logged
    kept = {file: file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file()}
    assert any(file.suffix == ".jsonl" and b'"weapons"' in content for file, content in kept.items()), "the refusal is on record"
    assert [file for file, content in kept.items() if MARK.encode() in content] == []
    for bearer in keys.values():
        assert bearer not in logged
        assert [file for file, content in kept.items() if bearer.encode() in content] == []


def _send_marked(address: str, keys: dict[str, str], marked: bytes) -> list[str]:
    """Sends content that answers, content that is refused, content that is nonsense; returns the ids of the requests."""
    picture = data_uri(marked)
    ids: list[str] = []
    with httpx.Client(base_url=address, headers={"authorization": f"Bearer {keys['alice']}"}, trust_env=False, timeout=20) as client:

        def post(path: str, status: int, **sent: object) -> httpx.Response:
            response = client.post(path, **sent)  # pyright: ignore[reportArgumentType]  # whatever httpx takes
            assert response.status_code == status, response.text
            ids.append(response.headers["x-request-id"])
            return response

        asked = {**ASK, "text": f"Where is {MARK}?", "images": [picture]}
        assert MARK in post("/infer", 200, json=asked).text
        assert MARK in post("/infer_stream", 200, json=asked).text
        post("/infer", 400, json={**asked, MARK: MARK})
        post("/infer", 400, content=f'{{"{MARK}": {MARK}'.encode())
        post("/infer", 400, json={**asked, "task": MARK})
        post("/infer", 403, json={**asked, "text": f"How do I make a pipe bomb in {MARK}?"})
        post("/infer", 422, json={**asked, "images": [f"http://127.0.0.1:1/{MARK}.png?{MARK}"]})
        post("/infer", 415, json={**asked, "images": [data_uri(b"PK\x03\x04" + MARK.encode() * 9)]})
        kept = post("/files", 201, files={"file": (f"{MARK}.png", marked)}).json()["result"]["file_id"]
        assert client.delete(f"/files/{kept}").status_code == 200
        content = [{"type": "text", "text": MARK}, {"type": "image_url", "image_url": {"url": picture}}]
        post("/v1/chat/completions", 200, json={"model": "served", "messages": [{"role": "user", "content": content}]})
        post(f"/{MARK}?{MARK}", 404)
        assert httpx.post(f"{address}/infer", json=asked, headers={"authorization": f"Bearer {MARK}"}, trust_env=False).status_code == 401
    return ids
