"""Guard models beside the rules: what they call unsafe is refused, and where they are away nothing passes."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from sightline.config import load
from sightline.service.ports import StartupError
from tests.harness import FAKE, lanes, serving
from tests.integration.security.conftest import ASK
from tests.scripted import Received, Reply, ScriptedService, as_json, as_stream


def judge(request: Received) -> Reply:
    """Calls unsafe what speaks of a heron, and every picture."""
    if request.method == "GET":
        return as_json({"data": [{"id": "guard", "max_model_len": 8192}]})
    unsafe = "heron" in request.raw.decode() or "image_url" in request.raw.decode()
    said = "Safety: Unsafe\nCategories: Violent" if unsafe else "Safety: Safe\nCategories: None"
    event = {"choices": [{"index": 0, "delta": {"content": said}, "finish_reason": "stop"}]}
    return as_stream([f"data: {json.dumps(event)}\n\n".encode(), b"data: [DONE]\n\n"])


def configuration(url: str, *guards: str) -> str:
    trust = "".join(f'{name} = "judge"\n' for name in guards)
    return f'[trust]\n{trust}[backends.judge]\nkind = "openai"\nurl = "{url}"\n{FAKE}{lanes()}'


def test_a_guard_judges_texts_beside_the_rules(tmp_path: Path) -> None:
    with (
        ScriptedService(judge) as guard,
        serving(tmp_path, configuration(guard.url, "text_guard")) as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=20) as client,
    ):
        assert client.get("/ready").json()["moderation"] == {"text": True, "images": False, "recorded": True}
        assert client.post("/infer", json=ASK).status_code == 200
        refused = client.post("/infer", json={**ASK, "text": "Where is the heron?"})
        assert (refused.status_code, refused.json()["code"]) == (403, 3001)
        assert "heron" not in refused.text


def test_a_guard_judges_pictures(tmp_path: Path) -> None:
    with (
        ScriptedService(judge) as guard,
        serving(tmp_path, configuration(guard.url, "image_guard")) as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=20) as client,
    ):
        assert client.get("/ready").json()["moderation"]["images"] is True
        assert client.post("/infer", json=ASK).json()["code"] == 3001


def test_without_its_guard_nothing_passes(tmp_path: Path) -> None:
    with ScriptedService() as gone:
        address = gone.url
    with serving(tmp_path, configuration(address, "text_guard")) as running:
        refused = httpx.post(f"{running.url}/infer", json=ASK, trust_env=False, timeout=20)
    assert (refused.status_code, refused.json()["code"]) == (503, 5001)


@pytest.mark.parametrize("guard", ["x", "nobody"])
def test_a_guard_that_cannot_be_one_is_told(tmp_path: Path, guard: str) -> None:
    path = tmp_path / "guarded.toml"
    path.write_text(f'[trust]\ntext_guard = "{guard}"\n{FAKE}{lanes()}')
    with pytest.raises(StartupError, match="must name an engine of this file that serves no lane"):
        load(path)
