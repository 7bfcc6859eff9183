"""A service that asks for keys, with an engine behind it that writes down what reaches it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sightline.assembly.trust import open_keys
from sightline.config import load
from sightline.service.ports import Scopes
from tests.harness import Running, lanes, serving
from tests.pictures import RED
from tests.scripted import Received, Reply, ScriptedService, as_json, as_stream

ASK = {"task": "vqa", "images": [RED], "text": "What is shown?"}
ANSWER = "a red square, says zanzibar-answer"


def engine_reply(request: Received) -> Reply:
    """As an OpenAI-compatible engine streams."""
    if request.method == "GET":
        return as_json({"data": [{"id": "served", "max_model_len": 8192}]})
    events = [
        {"choices": [{"index": 0, "delta": {"content": ANSWER}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 70, "completion_tokens": 5}},
    ]
    return as_stream([*(f"data: {json.dumps(event)}\n\n".encode() for event in events), b"data: [DONE]\n\n"])


@dataclass(frozen=True)
class Guarded:
    """The running service, the bearer keys by their holders' names, and the engine."""

    running: Running
    keys: Mapping[str, str]
    engine: ScriptedService

    @property
    def url(self) -> str:
        return self.running.url

    def bearing(self, name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.keys[name]}"}

    def generations(self) -> list[Received]:
        """What the engine was asked for so far."""
        return [request for request in self.engine.requests if request.method == "POST"]


def make_keys(folder: Path) -> dict[str, str]:
    """Keys in the state folder of a service that the harness will start in `folder`."""
    path = folder / "before.toml"
    path.write_text(f'state = "{folder / "state"}"\n[backends.x]\nkind = "fake"\n' + lanes())
    made: dict[str, str] = {}
    with open_keys(load(path)) as desk:
        for name, tenant in (("alice", "acme"), ("colleague", "acme"), ("bob", "other")):
            made[name] = desk.keys.create(name, tenant=tenant)[1]
        for name, scopes in (
            ("tasks", Scopes(tasks=frozenset({"vqa"}))),
            ("lanes", Scopes(lanes=frozenset({"B"}))),
            ("models", Scopes(models=frozenset({"other"}))),
            ("operator", Scopes(admin=True)),
        ):
            made[name] = desk.keys.create(name, scopes=scopes)[1]
        made["expired"] = desk.keys.create("expired", expires_at=int(time.time()) - 1)[1]
        record, made["revoked"] = desk.keys.create("revoked")
        desk.keys.revoke(record.id)
    return made


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    keys = make_keys(folder)
    with ScriptedService(engine_reply) as engine:
        config = f'[trust]\nkeys = "required"\n[backends.x]\nkind = "openai"\nurl = "{engine.url}"\n' + lanes()
        with serving(folder, config) as running:
            yield Guarded(running, keys, engine)
