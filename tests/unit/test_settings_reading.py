"""Settings: mistakes named with key, value, line and what is allowed; the environment before the file; the profiles that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.cli import main
from sightline.config import RemoteEngine, laptop, load, profile
from sightline.profiles import names
from sightline.service.ports import StartupError

GOOD = """\
[backends.x]
kind = "openai"
url = "http://127.0.0.1:1"
dialect = "vllm"

[lanes.A]
backends = ["x"]
slots = 3
[lanes.B]
backends = ["x"]
[lanes.C]
backends = ["x"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sightline.toml"
    path.write_text(text)
    return path


def mistake(folder: Path, text: str, **environment: str) -> str:
    with pytest.raises(StartupError) as told:
        load(written(folder, text), environment)
    return str(told.value).removeprefix(str(folder))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"vllm"', '"vlm"', 'line 4: backends.x.dialect = "vlm": it is not one of the allowed values. Allowed: openai, vllm, llama.cpp,'),
        ("slots = 3", "slots = 0", "line 8: lanes.A.slots = 0: it is out of bounds. Allowed: a whole number, from 1."),
        ("slots = 3", 'slots = "3"', 'line 8: lanes.A.slots = "3": it is of another type. Allowed: a whole number, from 1.'),
        ("slots = 3", "slot = 3", "line 8: lanes.A.slot = 3: there is no such key. Allowed: backends, cpu,"),
        ('"openai"', '"opnai"', 'line 2: backends.x.kind = "opnai": there is no such kind. Allowed: fake, local, openai, smaller.'),
        (
            '[lanes.B]\nbackends = ["x"]',
            '[lanes.B]\nbackends = ["y"]',
            "line 10: lanes.B.backends = [\"y\"]: names the engine 'y'; there are: x.",
        ),
        (
            "http://127",
            "127",
            'line 3: backends.x.url = "127.0.0.1:1": it is not of the right form. Allowed: a string, that begins with http://',
        ),
        (
            "slots = 3",
            "slots = 3\n[routes.chart_prase]\nbackends = ['x']",
            'line 9: routes.chart_prase = {"backends":["x"]}: names no task;',
        ),
        (
            "slots = 3",
            "slots = 3\n[media]\nprivate_networks = ['10.0.0.300/8']",
            "line 10: media.private_networks = [\"10.0.0.300/8\"]: '10.0.0.300/8' is no network, such as 10.0.0.0/8.",
        ),
        (
            "slots = 3",
            "slots = 3\n[trust]\ntext_guard = 'x'",
            'line 10: trust.text_guard = "x": must name an engine of this file that serves no lane',
        ),
        ('dialect = "vllm"', 'dialect = "vllm"\nhedge_ms = 40', "hedge_ms needs several replicas"),
        ("slots = 3", "slots = 3\ntimeout_ms = 0", "line 9: lanes.A.timeout_ms = 0: it is out of bounds."),
        ("url = ", "# ", "line 1: backends.x = "),
        ("slots = 3", "slots 3", "is not valid TOML"),
        ("[lanes.A]", "[lanes.D]", "lanes.D"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    told = mistake(tmp_path, GOOD.replace(old, new, 1))
    assert told.startswith("/sightline.toml")
    assert said in told


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    environment = {
        "SIGHTLINE_SERVER__PORT": "9000",
        "SIGHTLINE_LANES__A__SLOTS": "7",
        "SIGHTLINE_BACKENDS__X__URL": "http://10.0.0.1:8000",
        "SIGHTLINE_CACHE_BYTES": "0",
        "SIGHTLINE_API_KEY": "a key of the client's, and no setting",
        "SIGHTLINE_SERVER": "http://the-clients-service",
    }
    settings = load(written(tmp_path, GOOD), environment)
    engine = settings.backends["x"]
    assert isinstance(engine, RemoteEngine)
    assert (settings.server.port, settings.lanes["A"].slots, engine.url, settings.cache_bytes) == (9000, 7, "http://10.0.0.1:8000", 0)


def test_a_mistake_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    said = mistake(tmp_path, GOOD, SIGHTLINE_SERVER__PORT="99999")
    assert said == "$SIGHTLINE_SERVER__PORT: server.port = 99999: it is out of bounds. Allowed: a whole number, from 0 up to 65535."


def test_every_profile_can_be_used() -> None:
    assert set(names()) == {"edge", "laptop", "single-gpu", "cluster"}
    for name in names():
        assert profile(name, {}).lanes.keys() == {"A", "B", "C"}
    assert profile("laptop", {}) == laptop()
    with pytest.raises(StartupError, match="there are: edge, laptop, single-gpu, cluster"):
        profile("mainframe", {})


def test_the_command_ends_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", str(written(tmp_path, GOOD.replace("3", "0"))), "--check"]) == 2
    assert "line 8: lanes.A.slots = 0" in capsys.readouterr().err
    assert main(["config", "--profile", "cluster", "--check"]) == 0
    assert main(["config", "--profile", "edge", "--show"]) == 0
    assert 'model = "sight-nano"' in capsys.readouterr().out


def test_a_plan_shows_its_arithmetic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--gpu", "a100-80gb", "--count", "4", "--model", "Qwen3-VL-30B-A3B"]) == 0
    told = capsys.readouterr().out
    assert "31.1 G x 2 bytes = 62.2 GB a GPU" in told
    assert "2 x 48 layers x 4 heads x 128 x 2 bytes = 96 KiB" in told
    assert "vllm serve Qwen/Qwen3-VL-30B-A3B-Instruct " in told
    assert main(["plan", "--gpu", "T4-16GB", "--model", "Qwen3-VL-235B-A22B"]) == 69
    assert main(["plan", "--gpu", "abacus"]) == 2
    capsys.readouterr()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        # A T4 computes no bfloat16; three GPUs are not split evenly.
        (["--gpu", "T4-16GB", "--count", "3", "--model", "Qwen3-VL-30B-A3B"], ["1 GPU left over", "--dtype half", "2 x 48 layers"]),
        (["--gpu", "L4-24GB", "--requests", "100000"], ["and not the 100,000 asked for"]),
        # A model has 4 heads: more GPUs hold copies, and the cache does not grow with them.
        (["--gpu", "A100-80GB", "--count", "8", "--model", "Qwen3-VL-235B-A22B"], ["188 KiB / 4 = 47 KiB a GPU"]),
    ],
    ids=["odd", "too much", "more GPUs than heads"],
)
def test_a_plan_says_what_does_not_come_out_even(asked: list[str], said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *asked]) == 0
    told = capsys.readouterr().out
    assert not [words for words in said if words not in told], told


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_count_that_is_none_is_told_plainly(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "--gpu", "A100-80GB", "--count", count])
    assert f"'{count}' is not a whole number from 1" in capsys.readouterr().err


def test_a_variable_of_a_table_that_is_not_there_is_no_silent_mistake(tmp_path: Path) -> None:
    said = mistake(tmp_path, GOOD, SIGHTLINE_SERVR__PORT="9")
    assert said.startswith("$SIGHTLINE_SERVR__PORT: servr: there is no such key. Allowed: backends,")
    load(written(tmp_path, GOOD), {"SIGHTLINE_API_KEY": "k", "SIGHTLINE_PORT_8000_TCP": "tcp://10.0.0.1:8000"})
