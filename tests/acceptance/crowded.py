"""A service with room for one: whoever comes second is refused (503 by the lane, 429 by the key), and let in on coming back."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from sightline.assembly.trust import open_keys
from sightline.config import load
from sightline.service.ports import Allowance
from tests.harness import lanes, serving

REFUSALS = {503: "anybody", 429: "one at a time"}
"""The key that meets a refusal of this HTTP status."""
_ENGINE = '[backends.x]\nkind = "fake"\nprefill = 100000.0\ndecode = 120.0\nslots = 4\nanswer_tokens = 700\n'


@dataclass(frozen=True)
class Crowded:
    """The running service and its keys by their holders' names."""

    base_url: str
    keys: dict[str, str]

    @contextmanager
    def occupied(self, status: int) -> Iterator[str]:
        """Its one place is taken until somebody has been refused; gives the key that is refused with `status`."""
        key = self.keys[REFUSALS[status]]
        body = {"messages": [{"role": "user", "content": "Take your time."}], "stream": True, "max_tokens": 700}
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        with httpx.Client(trust_env=False, timeout=30, headers=headers) as client:
            before = self._refused(client)
            with client.stream("POST", f"{self.base_url}/chat/completions", content=json.dumps(body)) as taken:
                pieces = taken.iter_lines()
                next(pieces)
                holding = threading.Thread(target=self._hold, args=(client, taken, pieces, before))
                holding.start()
                yield key
                holding.join()

    def _hold(self, client: httpx.Client, taken: httpx.Response, pieces: Iterator[str], before: float) -> None:
        for number, _ in enumerate(pieces):
            if number % 10 == 0 and self._refused(client) > before:
                break
        taken.close()

    def _refused(self, client: httpx.Client) -> float:
        text = client.get(self.base_url.replace("/v1", "/metrics")).text
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("sightline_refused_total"))


@contextmanager
def crowded_service(folder: Path) -> Generator[Crowded]:
    before = folder / "before.toml"
    before.write_text(f'state = "{folder / "state"}"\n{_ENGINE}' + lanes())
    with open_keys(load(before)) as desk:
        keys = {
            "anybody": desk.keys.create("anybody")[1],
            "one at a time": desk.keys.create("one at a time", allowance=Allowance(concurrent=1))[1],
        }
    with serving(folder, '[trust]\nkeys = "required"\n' + _ENGINE + lanes(slots=1, waiting=0)) as running:
        yield Crowded(f"{running.url}/v1", keys)
