"""Headers of GGUF files: true, broken and hostile ones."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.backends.header import BrokenFile, read_header
from tests.unit.backends.ggufs import write_model


def test_the_facts_of_a_file(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", qwen3vlmoe__expert_count=128, general__name="星", general__sampling__temp=0.5)
    header = read_header(path)
    assert header.architecture == "qwen3vlmoe"
    assert header.of_model("context_length") == 4096
    assert header.of_model("expert_count") == 128
    assert header.text("general.name") == "星"
    assert header.number("general.sampling.temp") == 0.5
    assert header.whole("general.name") is None
    assert "tokenizer.ggml.tokens" not in header.facts


def test_what_is_no_gguf_file(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(BrokenFile, match="not a GGUF file"):
        read_header(tmp_path / "m.gguf")


def test_every_shortened_file_is_broken(tmp_path: Path) -> None:
    whole = write_model(tmp_path / "m.gguf").read_bytes()
    read_header(tmp_path / "m.gguf")
    path = tmp_path / "short.gguf"
    for length in (0, 3, 4, 8, 20, 100, len(whole) // 2, len(whole) - 512):
        path.write_bytes(whole[:length])
        with pytest.raises(BrokenFile):
            read_header(path)


def test_a_header_that_promises_the_moon_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    for counts in ((2**60, 1), (1, 2**60), (0, 900_000)):
        path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, *counts) + struct.pack("<Q", 2**62) * 4)
        with pytest.raises(BrokenFile):
            read_header(path)
    strings = struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 8, 2**50)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + strings)
    with pytest.raises(BrokenFile):
        read_header(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.integers(4, 700), st.binary(min_size=1, max_size=12))
def test_damage_anywhere_is_read_or_refused_but_never_a_crash(tmp_path: Path, at: int, damage: bytes) -> None:
    path = tmp_path / "m.gguf"
    data = bytearray(path.read_bytes() if path.exists() else write_model(path).read_bytes())
    data[at : at + len(damage)] = damage
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(data)
    with contextlib.suppress(BrokenFile):
        read_header(broken)
