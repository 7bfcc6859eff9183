"""The gate as the service uses it: sources in, frames and receipts out, and every refusal in our words."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from sightline.media.gate import Gate
from sightline.media.settings import MediaSettings
from sightline.prompt import View
from sightline.protocol.errors import DamagedMedia, Error, MalformedRequest, MediaUnreachable, Overloaded, TooLarge, UnsupportedMedia
from sightline.protocol.requests import Media, MediaObject
from sightline.service.ports import Caller, Crop, Loaded, MediaPolicy
from sightline.service.vision import visual_tokens
from tests.integration.media.conftest import CALLER, EVERYTHING, VIEW, opened
from tests.integration.media.peer import Names, running
from tests.unit.media import corpus
from tests.unit.media.files import encode, jpeg_of, pdf_of, png_of, quadrants

SCENE = corpus.photo(1, 800, 600)
JPEG = encode(SCENE, "JPEG")


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def load(gate: Gate, source: Media | bytes, view: View = VIEW, **how: Any) -> Loaded:
    (probed,) = await gate.probe([text(source) if isinstance(source, bytes) else source], EVERYTHING, CALLER)
    return await gate.load(probed, view, lane="A", **how)


async def refused(gate: Gate, source: Media | bytes, policy: MediaPolicy = EVERYTHING) -> Error:
    try:
        (probed,) = await gate.probe([text(source) if isinstance(source, bytes) else source], policy, CALLER)
        await gate.load(probed, VIEW, lane="A")
    except Error as error:
        return error
    raise AssertionError("it was let in")


async def everything_given_back(gate: Gate) -> None:
    """A thread may hold its last input for a moment longer."""
    for _ in range(100):
        gc.collect()
        if gate.held_bytes == 0:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{gate.held_bytes} bytes are still held")


async def test_probe_prices_and_load_agrees(gate: Gate) -> None:
    (probed,) = await gate.probe([text(JPEG)], EVERYTHING, CALLER)
    assert (probed.index, probed.kind, probed.format, probed.pages, probed.seconds) == (0, "image", "jpeg", 1, None)
    assert (probed.width, probed.height) == (800, 600)
    assert probed.sha256 == hashlib.sha256(JPEG).hexdigest()
    loaded = await gate.load(probed, VIEW, lane="A")
    (frame,) = loaded.frames
    assert frame.visual_tokens == probed.visual_tokens(VIEW) == visual_tokens(800, 600, VIEW)
    receipt = loaded.receipt
    assert (receipt.original_width, receipt.original_height, receipt.bytes) == (800, 600, len(JPEG))
    assert (receipt.sent_width, receipt.sent_height) == (frame.width, frame.height)
    assert receipt.changes == ("resized",)
    assert receipt.ms > 0


@pytest.mark.parametrize("encoding", ["bmp", "ppm", "jpeg", "png"])
async def test_encodings_hold_the_same_picture(gate: Gate, encoding: Any) -> None:
    (frame,) = (await load(gate, JPEG, replace(VIEW, encoding=encoding))).frames
    with Image.open(io.BytesIO(frame.data)) as image:
        assert Image.MIME[image.format or ""] == frame.mime.replace("x-portable-pixmap", "x-portable-anymap")
        assert image.size == (frame.width, frame.height)
        shown = np.asarray(image.convert("RGB")).astype(int)
    plain = (await load(gate, JPEG, replace(VIEW, encoding="ppm"))).frames[0]
    exact = np.asarray(Image.open(io.BytesIO(plain.data))).astype(int)
    assert np.abs(shown - exact).mean() < (2 if encoding == "jpeg" else 0.001)
    assert frame.digest == hashlib.sha256(frame.data).hexdigest()


async def test_digests_name_pixels(gate: Gate) -> None:
    first, again = (await load(gate, JPEG)).frames[0], (await load(gate, JPEG)).frames[0]
    other = (await load(gate, encode(SCENE[::-1].copy(), "JPEG"))).frames[0]
    assert first == again
    assert first.digest != other.digest
    assert len(first.digest) == 64


async def test_sources_keep_their_order(gate: Gate) -> None:
    pages = [text(encode(quadrants(96 + 32 * number, 64), "PNG")) for number in range(5)]
    sources: list[Media] = [pages[0], f"data:image/png;base64,{pages[1]}", MediaObject(data=pages[2]), pages[3], pages[4]]
    probed = await gate.probe(sources, EVERYTHING, CALLER)
    assert [(item.index, item.width) for item in probed] == [(number, 96 + 32 * number) for number in range(5)]


async def test_crops_are_in_upright_pixels_of_the_original(gate: Gate) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    data = encode(quadrants(640, 320), "PNG", exif=tags.tobytes())
    loaded = await load(gate, data, crop=Crop(160, 0, 320, 320))  # the right upper quarter, red before it was turned
    pixels = np.asarray(Image.open(io.BytesIO(loaded.frames[0].data)))
    assert pixels.shape == (320, 160, 3)
    assert np.abs(pixels.astype(int) - (255, 0, 0)).mean() < 3
    assert {"rotated", "cropped"} <= set(loaded.receipt.changes)
    outside = await load(gate, data, crop=Crop(-50, 600, 9999, 9999))
    assert outside.receipt.sent_width >= 320


async def test_animations_show_their_first_frame_and_say_so(gate: Gate) -> None:
    frames = [Image.fromarray(quadrants()), Image.fromarray(quadrants()[::-1].copy())]
    for name in ("GIF", "WEBP", "PNG"):
        held = io.BytesIO()
        frames[0].save(held, name, save_all=True, append_images=frames[1:], duration=100)
        loaded = await load(gate, held.getvalue())
        assert "first_frame" in [notice.type for notice in loaded.notices], name
        pixels = np.asarray(Image.open(io.BytesIO(loaded.frames[0].data)))
        assert pixels[10, 10, 0] > 200


async def test_quality_is_told_beside_the_picture(gate: Gate) -> None:
    blurred = await load(gate, encode(corpus.gaussian_blur(corpus.page(1), 1), "PNG"))
    assert "blurry" in blurred.receipt.warnings
    assert [notice.type for notice in blurred.notices] == list(blurred.receipt.warnings)
    assert blurred.frames
    assert (await load(gate, encode(corpus.page(1), "PNG"))).notices == ()


async def test_small_pictures_are_enlarged_and_not_called_blurred(gate: Gate) -> None:
    loaded = await load(gate, encode(corpus.photo(1, 96, 64), "PNG"), View(min_pixels=256_000, max_pixels=1_000_000))
    assert loaded.receipt.sent_width > 96
    assert "blurry" not in loaded.receipt.warnings


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedMedia, "SVG"),
        (b"PK\x03\x04" + bytes(2000), UnsupportedMedia, "ZIP"),
        (b"", UnsupportedMedia, "nothing"),
        ("not base64!", MalformedRequest, "base64"),
        ("file:///etc/passwd", MediaUnreachable, "http and https"),
        ("http://169.254.169.254/", MediaUnreachable, "public"),
        (MediaObject(url="data:image/png;base64,AAAA"), MediaUnreachable, "http and https"),
        (MediaObject(file_id="file_" + "0" * 32), MalformedRequest, "expired"),
        ("file_" + "0" * 32, MalformedRequest, "expired"),
        (png_of(20_000, 20_000), TooLarge, "400000000 pixels"),
        (jpeg_of(60_000, 1000), TooLarge, "60000000 pixels"),
        (png_of(5000, 10), TooLarge, "aspect"),
        (jpeg_of(0, 0), DamagedMedia, "header"),
        (JPEG[:5000], DamagedMedia, "cut off"),
        (png_of(64, 64), DamagedMedia, "broken"),
        (b"%PDF-1.7 nothing here", DamagedMedia, "header"),
    ],
)
async def test_refusals(gate: Gate, source: Media | bytes, kind: type[Error], words: str) -> None:
    error = await refused(gate, source)
    assert type(error) is kind
    told = error.body("req_1", "en")
    assert words.lower() in (told.msg + told.error.hint).lower()
    assert error.details.get("input", 0) == 0
    assert "pixels" not in error.say("zh")
    for language in ("en", "zh"):
        said = msgspec.json.encode(error.body("req_1", language)).decode()
        for leak in ("Traceback", "/work", "/tmp", "0x7f", "libpng", "vips", "libjpeg", "Pillow", "pdfium", "site-packages"):
            assert leak not in said


async def test_the_index_of_the_guilty_input_is_told(gate: Gate) -> None:
    with pytest.raises(DamagedMedia) as error:
        await gate.probe([text(JPEG), text(JPEG), text(b"\xff\xd8\xff" + bytes(100))], EVERYTHING, CALLER)
    assert error.value.details["input"] == 2


async def test_only_the_kinds_that_were_asked_for(gate: Gate) -> None:
    images = MediaPolicy(frozenset({"image"}))
    error = await refused(gate, pdf_of((612, 792)), images)
    assert isinstance(error, MalformedRequest)
    assert "PDF" in error.say("en")
    assert error.details["allowed"] == ["image"]


async def test_bytes_are_bounded_before_they_are_decoded() -> None:
    async with opened(MediaSettings(most_bytes=10_000)) as gate:
        error = await refused(gate, JPEG)
        assert isinstance(error, TooLarge)
        assert error.details["limit"] == 10_000


async def test_what_is_held_is_bounded_and_given_back() -> None:
    data = encode(SCENE, "BMP")
    async with opened(MediaSettings(held_bytes=3 * len(data))) as gate:
        held = await gate.probe([text(data)] * 3, EVERYTHING, CALLER)
        assert gate.held_bytes == 3 * len(data)
        assert isinstance(await refused(gate, data), Overloaded)
        assert gate.held_bytes == 3 * len(data)
        del held
        await everything_given_back(gate)
        assert (await load(gate, data)).frames
        for broken in (data[:2000], b"<svg/>" + bytes(3000)):
            await refused(gate, broken)
        await everything_given_back(gate)


async def test_many_large_pictures_at_once_all_come_through_within_the_budget() -> None:
    large = encode(corpus.page(1, 2400, 3200), "PNG")
    async with opened(MediaSettings(decoded_bytes=40_000_000)) as gate:
        loaded = await asyncio.gather(*(load(gate, large) for _ in range(16)))
        assert len({one.frames[0].digest for one in loaded}) == 1


async def test_cancelled_work_holds_nothing(gate: Gate) -> None:
    for delay in (0.0, 0.002, 0.01, 0.03):
        job = asyncio.create_task(load(gate, JPEG))
        await asyncio.sleep(delay)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        del job
    assert (await load(gate, JPEG)).frames
    await everything_given_back(gate)


async def test_addresses_are_fetched_sniffed_and_loaded() -> None:
    names = Names()
    names.answers["public.test"] = [["127.0.0.1"]]
    async with running(["127.0.0.1"]) as peer, opened(peer.settings(), lookup=names) as gate:
        peer.serve("/a.png", JPEG, Content_Type="image/png")
        loaded = await load(gate, f"http://public.test:{peer.port}/a.png")
        assert loaded.receipt.format == "jpeg"
        error = await refused(gate, MediaObject(url=f"http://unknown.test:{peer.port}/"))
        assert isinstance(error, MediaUnreachable)
        assert error.details["reason_class"] == "dns"


async def test_a_stranger_is_given_up_as_soon_as_its_first_bytes_are_there() -> None:
    names = Names()
    names.answers["public.test"] = [["127.0.0.1"]]
    async with running(["127.0.0.1"]) as peer, opened(peer.settings(), lookup=names) as gate:

        async def endless(_: object, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9000000\r\n\r\n<html>" + b" " * 2000)
            await writer.drain()
            await asyncio.sleep(30)

        peer.handlers["/"] = endless
        async with asyncio.timeout(3):
            error = await refused(gate, f"http://public.test:{peer.port}/")
        assert isinstance(error, UnsupportedMedia)


class Files:
    """One file of one tenant."""

    async def put(self, content: AsyncIterator[bytes], tenant: str) -> Any:
        raise NotImplementedError

    async def get(self, file_id: str, tenant: str) -> bytes | None:
        return JPEG if (file_id, tenant) == ("file_" + "a" * 32, "one") else None

    async def delete(self, file_id: str, tenant: str) -> bool:
        return False


async def test_files_are_their_tenants_own() -> None:
    async with opened(files=Files()) as gate:
        for source in (MediaObject(file_id="file_" + "a" * 32), "file_" + "a" * 32):
            (probed,) = await gate.probe([source], EVERYTHING, Caller(tenant="one"))
            assert probed.format == "jpeg"
            with pytest.raises(MalformedRequest):
                await gate.probe([source], EVERYTHING, Caller(tenant="two"))


async def test_versions_name_what_changes_pixels() -> None:
    async with opened() as one, opened(MediaSettings(jpeg_quality=80)) as two, opened(MediaSettings(most_bytes=5)) as three:
        assert one.version != two.version
        assert one.version == three.version
