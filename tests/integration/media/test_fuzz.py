"""Whatever is sent is read or refused in our words: mutations of real files in every format, through the whole gate."""

from __future__ import annotations

import asyncio
import base64
import io
import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.media.gate import Gate
from sightline.media.settings import MediaSettings
from sightline.protocol.errors import Error, Internal
from sightline.protocol.requests import Media
from tests.integration.media.clips import clip
from tests.integration.media.conftest import CALLER, EVERYTHING, VIEW, opened
from tests.unit.media import corpus
from tests.unit.media.files import encode, jpeg_of, pdf_of, png_of, quadrants


def _pages() -> bytes:
    held = io.BytesIO()
    frame = Image.fromarray(quadrants())
    frame.save(held, "TIFF", save_all=True, append_images=[frame], compression="tiff_lzw")
    return held.getvalue()


_SCENE = corpus.photo(1, 160, 120)
THREADED = [
    encode(_SCENE, "JPEG"),
    encode(_SCENE, "JPEG", progressive=True),
    encode(_SCENE, "PNG"),
    encode(Image.fromarray(_SCENE).convert("P"), "PNG"),
    encode(_SCENE, "WEBP"),
    encode(_SCENE, "GIF"),
    encode(_SCENE, "BMP"),
    encode(_SCENE, "AVIF"),
    jpeg_of(64, 64),
    png_of(64, 64),
]
SUPERVISED = [pdf_of((200, 300)), _pages(), clip([0, 0.5, 1]), clip([0, 0.5, 1], name="webm", codec="libvpx")]


@st.composite
def mutated(draw: st.DrawFn, files: list[bytes]) -> bytes:
    """A real file with bytes changed, parts cut out, doubled, or filled with one value."""
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data) - 1)) if data else 0
        end = min(len(data), at + draw(st.integers(1, 64)))
        match draw(st.integers(0, 4)):
            case 0:
                data[at : at + 4] = draw(st.binary(min_size=4, max_size=4))
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end]
            case 3:
                data[at:end] = bytes([draw(st.sampled_from([0, 0x7F, 0xFF]))]) * (end - at)
            case _:
                del data[at:]
    return bytes(data)


async def _judge(gate: Gate, source: Media) -> None:
    try:
        (probed,) = await gate.probe([source], EVERYTHING, CALLER)
        loaded = await gate.load(probed, VIEW, lane="A")
    except Error as error:
        assert not isinstance(error, Internal)
        said = error.body("req", "en").msg + error.body("req", "zh").msg
        assert not any(leak in said for leak in ("Traceback", "0x", "/opt", "/usr", "/home", "\\", "errno"))
    else:
        assert loaded.frames
        for frame in loaded.frames:
            assert frame.width % 32 == frame.height % 32 == 0


def _with_a_gate(judge: Callable[[Callable[[Media], None]], None]) -> None:
    """One gate for all examples of a run: decoder processes are dear."""
    loop = asyncio.new_event_loop()
    opening = opened(MediaSettings(input_seconds=5, most_pixels=2_000_000))
    gate = loop.run_until_complete(opening.__aenter__())
    try:
        judge(lambda source: loop.run_until_complete(_judge(gate, source)))
    finally:
        loop.run_until_complete(opening.__aexit__(None, None, None))
        loop.close()


def _fuzz(files: list[bytes], examples: int) -> None:
    def judge(send: Callable[[Media], None]) -> None:
        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(mutated(files))
        def run(data: bytes) -> None:
            send(base64.b64encode(data).decode())

        run()

    _with_a_gate(judge)


def test_mutated_pictures() -> None:
    _fuzz(THREADED, 250)


def test_mutated_documents_and_videos() -> None:
    _fuzz(SUPERVISED, 40)


def _data_uri(data: bytes) -> str:
    return f"data:;base64,{base64.b64encode(data).decode()}"


def test_arbitrary_text() -> None:
    def judge(send: Callable[[Media], None]) -> None:
        @settings(max_examples=150, deadline=None, database=None)
        @given(st.text(min_size=1, max_size=100) | st.binary(max_size=100).map(_data_uri))
        def run(text: str) -> None:
            if not text.startswith(("http://", "https://")):
                send(text)

        run()

    _with_a_gate(judge)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_mutations_for_long() -> None:
    examples = int(os.environ.get("SIGHTLINE_FUZZ_EXAMPLES", "20000"))
    _fuzz(THREADED, examples)
    _fuzz(SUPERVISED, examples // 10)
