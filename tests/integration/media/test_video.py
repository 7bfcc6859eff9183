"""Videos: how much is used, which frames, and what is told of them."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sightline.media.gate import Gate
from sightline.media.settings import MediaSettings
from sightline.prompt import View
from sightline.protocol.errors import DamagedMedia, TooLarge, VideoTooLong
from sightline.service.ports import Loaded, Probed
from tests.integration.media.clips import clip, steady
from tests.integration.media.conftest import CALLER, EVERYTHING, VIEW, opened


async def probe(gate: Gate, data: bytes, **policy: object) -> Probed:
    (probed,) = await gate.probe([base64.b64encode(data).decode()], replace(EVERYTHING, **policy), CALLER)
    return probed


async def load(gate: Gate, data: bytes, **policy: object) -> Loaded:
    return await gate.load(await probe(gate, data, **policy), VIEW, lane="C")


def pixels(loaded: Loaded, number: int = 0) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(loaded.frames[number].data)).convert("RGB"))


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [("mp4", "libx264", "mp4"), ("mov", "libx264", "mov"), ("webm", "libvpx-vp9", "webm"), ("matroska", "libx264", "mkv")],
)
async def test_containers(gate: Gate, name: str, codec: str, form: str) -> None:
    data = clip(steady(3), name=name, codec=codec)
    probed = await probe(gate, data)
    assert (probed.kind, probed.format, probed.width, probed.height) == ("video", form, 160, 96)
    assert probed.seconds == pytest.approx(3, abs=0.15)
    loaded = await gate.load(probed, VIEW, lane="C")
    assert loaded.receipt.timestamps == pytest.approx((0, 0.5, 1, 1.5, 2, 2.5), abs=0.11)
    assert [frame.timestamp for frame in loaded.frames] == list(loaded.receipt.timestamps)
    assert sum(frame.visual_tokens for frame in loaded.frames) == loaded.receipt.visual_tokens == probed.visual_tokens(VIEW)
    brightness = [pixels(loaded, number)[:, 60:].mean() for number in range(6)]
    assert brightness == sorted(brightness)


async def test_the_first_30_seconds_of_a_longer_one_are_used_and_said(gate: Gate) -> None:
    loaded = await load(gate, clip(steady(34, 4)))
    assert loaded.receipt.seconds == pytest.approx(34, abs=0.5)
    assert loaded.receipt.changes[0] == "clipped"
    assert max(loaded.receipt.timestamps) < 30
    assert len(loaded.frames) <= 60
    (notice,) = loaded.notices
    assert (notice.code, notice.type, notice.input) == (1002, "video_clipped", 0)
    assert f"{loaded.receipt.seconds:.1f}" in notice.show("zh").msg
    assert "30" in notice.show("en").msg
    assert loaded.receipt.warnings == ("video_clipped",)


async def test_a_longer_one_is_refused_where_that_was_asked(gate: Gate) -> None:
    with pytest.raises(VideoTooLong) as refused:
        await probe(gate, clip(steady(34, 2)), reject_long_video=True)
    assert refused.value.details == {"input": 0, "seconds": pytest.approx(34, abs=0.6), "limit_seconds": 30.0}
    assert (await probe(gate, clip(steady(30, 2)), reject_long_video=True)).seconds == pytest.approx(30, abs=0.6)


async def test_variable_frame_rates_keep_their_true_times(gate: Gate) -> None:
    times = [0, 0.1, 0.2, 0.3, 1.7, 1.8, 3.1, 3.9]
    loaded = await load(gate, clip(times))
    assert set(loaded.receipt.timestamps) <= {round(time, 3) for time in times}
    assert loaded.receipt.timestamps == (0.0, 0.3, 1.8, 3.1)


async def test_repetitions_are_dropped(gate: Gate) -> None:
    loaded = await load(gate, clip(steady(5), still=True))
    assert len(loaded.frames) == 1
    assert loaded.receipt.timestamps == (0.0,)


async def test_rotated_ones_come_upright(gate: Gate) -> None:
    data = clip(steady(1), rotation=90)
    probed = await probe(gate, data)
    assert (probed.width, probed.height) == (96, 160)
    loaded = await gate.load(probed, VIEW, lane="C")
    assert "rotated" in loaded.receipt.changes
    shown = pixels(loaded)
    assert shown.shape[0] > shown.shape[1]
    edges = {side: float(part.mean()) for side, part in {"top": shown[:6], "bottom": shown[-6:], "left": shown[:, :6]}.items()}
    assert max(edges["top"], edges["bottom"]) > 200
    assert edges["left"] < 200


async def test_interlaced_ones_show_one_field(gate: Gate) -> None:
    loaded = await load(gate, clip(steady(1), interlaced=True))
    assert "deinterlaced" in loaded.receipt.changes
    bar = pixels(loaded)[10:-10, 4:14]
    assert bar.mean() > 200  # the other field is black


async def test_live_recordings_tell_no_length_and_are_measured(gate: Gate) -> None:
    probed = await probe(gate, clip(steady(4), name="webm", codec="libvpx", streaming=True))
    assert probed.seconds == pytest.approx(4, abs=0.2)


async def test_one_frame_is_a_video_too(gate: Gate) -> None:
    assert len((await load(gate, clip([0.0]))).frames) == 1


async def test_bounds() -> None:
    async with opened(MediaSettings(most_video_seconds=5, most_pixels=10_000, most_frames=3)) as gate:
        with pytest.raises(TooLarge) as refused:
            await probe(gate, clip(steady(6), size=(96, 96)))
        assert refused.value.details["limit"] == 5
        with pytest.raises(TooLarge) as refused:
            await probe(gate, clip(steady(2), size=(160, 96)))
        assert refused.value.details["actual"] == 160 * 96
        assert len((await load(gate, clip(steady(4), size=(96, 96)))).frames) == 3


async def test_many_frames_share_the_pixels_of_a_few_pictures(gate: Gate) -> None:
    long, short = await probe(gate, clip(steady(28, 4), size=(640, 480))), await probe(gate, clip(steady(2, 4), size=(640, 480)))
    assert long.visual_tokens(VIEW) <= 8 * VIEW.max_pixels // 1024 * 1.1
    assert short.visual_tokens(VIEW) == 4 * 20 * 15


async def test_a_small_model_sees_a_few_small_frames_over_the_whole_time(gate: Gate) -> None:
    view = View(min_pixels=4096, max_pixels=65_536, most_frames=8, most_frame_pixels=128 * 96)
    probed = await probe(gate, clip(steady(28, 4), size=(640, 480)))
    loaded = await gate.load(probed, view, lane="C")
    assert loaded.receipt.timestamps == pytest.approx([3.5 * number for number in range(8)], abs=0.26)
    assert {(frame.width, frame.height) for frame in loaded.frames} == {(128, 96)}
    assert loaded.receipt.visual_tokens == probed.visual_tokens(view) == 8 * 12
    short = await probe(gate, clip(steady(2, 4), size=(640, 360)))
    assert short.visual_tokens(view) == 4 * 4 * 2


async def test_damaged_ones(gate: Gate) -> None:
    whole = clip(steady(2))
    for data in (whole[:200], whole[: whole.index(b"moov") - 4], whole.replace(b"avc1", b"zzzz"), b"\x1a\x45\xdf\xa3" + bytes(400)):
        with pytest.raises(DamagedMedia) as refused:
            await load(gate, data)
        assert refused.value.details["input"] == 0


async def test_playlists_and_references_lead_nowhere(gate: Gate) -> None:
    """A container may name other files; none is opened: what says it is a video is only ever read as one."""
    listing = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"
    for data in (b"\x00\x00\x00\x18ftypisom" + bytes(12) + listing, b"\x1a\x45\xdf\xa3webm" + listing + bytes(200)):
        with pytest.raises(DamagedMedia):
            await load(gate, data)


def test_no_thread_of_a_decoder_asks_for_the_interpreter_lock_to_log() -> None:
    """With a level, PyAV takes the lock for every message of FFmpeg's threads; closing a clip then waits for them, and they for it."""
    told = subprocess.run(
        [sys.executable, "-c", "import sightline.media.video, av.logging; print(av.logging.get_level())"], capture_output=True, check=True
    )
    assert told.stdout.strip() == b"None"
