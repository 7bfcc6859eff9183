"""`sightline bench` and `sightline config`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.cli import main
from sightline.cli.bench import Timed, percentiles, summarise
from sightline.cli.config import as_toml
from sightline.config import Settings, laptop
from tests.scripted import Received, Reply, ScriptedService, as_json, as_stream, failure


def test_a_service_is_measured(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = 0

    def reply(request: Received) -> Reply:
        nonlocal asked
        asked += 1
        return as_json(failure(2001, "overloaded", retryable=True), 503) if asked == 3 else as_stream()

    with ScriptedService(reply) as service:
        assert main(["bench", picture, "-n", "6", "-j", "1", "--server", service.url, "--max-tokens", "9", "--json"]) == 0
        assert len(service.requests) == 7, "one to begin with, and no retries"
        assert {request.body["options"]["cache"] for request in service.requests} == {"off"}
    report = json.loads(capsys.readouterr().out)
    assert (report["answered"], report["failed"]) == (5, {"2001": 1})
    assert 0 < report["first_token_ms"][0] <= report["total_ms"][2]


def test_this_machine_is_measured(fake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "-n", "4", "--config", fake]) == 0
    out = capsys.readouterr().out
    assert "first word" in out
    assert "4 in " in out


def test_what_would_fail_for_all_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedService(as_json(failure(4001, "unauthenticated"), 401)) as service:
        assert main(["bench", "--server", service.url]) == 77
        assert len(service.requests) == 1
    assert main(["bench", "nope.png"]) == 2
    assert "nope.png cannot be read" in capsys.readouterr().err


@given(st.lists(st.floats(0, 10), min_size=1, max_size=200))
def test_percentiles_are_times_that_were_measured(times: list[float]) -> None:
    found = percentiles(times)
    assert found == sorted(found)
    assert set(found) <= {round(time * 1000, 1) for time in times}
    assert found[2] >= sorted(round(time * 1000, 1) for time in times)[int(len(times) * 0.98)] or len(times) < 100


def test_the_figures() -> None:
    assert percentiles([]) == []
    assert percentiles([n / 1000 for n in range(1, 101)]) == [50.0, 95.0, 99.0]
    report = summarise([Timed(0.1, 0.2, 10), Timed(None, 0.5, 0, 2002)], 2.0, 4)
    assert (report.answers_per_second, report.tokens_per_second, report.failed) == (0.5, 5.0, {"2002": 1})


def test_the_settings_shown_are_settings(tmp_path: Path, fake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 0
    path = tmp_path / "shown.toml"
    path.write_text(capsys.readouterr().out)
    assert msgspec.toml.decode(path.read_bytes(), type=Settings) == laptop()
    assert main(["config", str(path), "--check"]) == 0
    assert "can be used; engines: interactive" in capsys.readouterr().out
    assert main(["config", fake, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backends"]["x"]["kind"] == "fake"


def test_settings_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("[server]\nprot = 1\n")
    assert main(["config", str(path), "--check"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


_PLAIN = st.booleans() | st.integers(-(2**60), 2**60) | st.text() | st.lists(st.text() | st.integers(0, 9), max_size=3)
_KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


@given(st.dictionaries(_KEYS, _PLAIN | st.dictionaries(_KEYS, _PLAIN | st.dictionaries(_KEYS, _PLAIN, min_size=1), min_size=1)))
def test_any_settings_survive_as_toml(values: dict[str, object]) -> None:
    assert tomllib.loads("\n".join(as_toml(values))) == values
