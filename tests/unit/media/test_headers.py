"""Headers agree with what decoders later find, and no content makes reading one fail in a new way."""

from __future__ import annotations

import contextlib
import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from sightline.media.headers import Still, read_header, read_orientation
from sightline.media.refusals import Broken
from tests.unit.media.files import chunk, encode, exif, jpeg_of, png_of, quadrants

NAMES = ["jpeg", "png", "webp", "gif", "bmp", "avif"]


@given(st.sampled_from(NAMES), st.integers(1, 120), st.integers(1, 120))
@settings(max_examples=60, deadline=None)
def test_sizes_agree_with_pillow(name: str, width: int, height: int) -> None:
    still = read_header(name, encode(Image.new("RGB", (width, height)), name.upper()))
    assert (still.width, still.height, still.orientation) == (width, height, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
def test_orientation_and_displayed_size(name: str, orientation: int) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    data = encode(quadrants(96, 64), name.upper(), exif=tags.tobytes())
    still = read_header(name, data)
    assert still.orientation == orientation
    with Image.open(io.BytesIO(data)) as image:
        assert still.shown == ImageOps.exif_transpose(image).size


def test_webp_variants() -> None:
    assert read_header("webp", encode(quadrants(), "WEBP", lossless=True)).shown == (96, 64)
    assert read_header("webp", encode(Image.new("RGBA", (50, 70), (1, 2, 3, 4)), "WEBP")).shown == (50, 70)
    frames = [Image.fromarray(quadrants()), Image.fromarray(quadrants()[::-1].copy())]
    held = io.BytesIO()
    frames[0].save(held, "WEBP", save_all=True, append_images=frames[1:])
    assert read_header("webp", held.getvalue()).animated


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("jpeg", b"\xff\xd8\xff"),
        ("jpeg", b"\xff\xd8\xff" + b"\xff" * 100_000),
        ("jpeg", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 50_000),
        ("jpeg", b"\xff\xd8\xff\xe0\x00\x00" + bytes(100)),
        ("jpeg", jpeg_of(0, 10)),
        ("jpeg", jpeg_of(10, 0)),
        ("png", png_of(0, 10)),
        ("png", b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"")),
        ("png", b"\x89PNG\r\n\x1a\n"),
        ("webp", b"RIFF\x00\x00\x00\x00WEBP"),
        ("webp", b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff"),
        ("gif", b"GIF89a"),
        ("gif", b"GIF89a\x00\x00\x00\x00"),
        ("bmp", b"BM" + bytes(12) + struct.pack("<I", 40)),
        ("avif", b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00" + bytes(100)),
        ("avif", b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif" + b"\x00\x00\x00\x0cmeta\x00\x00\x00\x00" * 3),
    ],
)
def test_headers_that_tell_nothing_are_broken(name: str, data: bytes) -> None:
    with pytest.raises(Broken):
        read_header(name, data)


def test_a_jpeg_of_endless_scans_is_not_decoded() -> None:
    data = encode(quadrants(), "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    assert read_header("jpeg", data)
    with pytest.raises(Broken) as broken:
        read_header("jpeg", data[:-2] + data[scan:-2] * 100 + data[-2:])
    assert broken.value.reason == "variant"


def test_negative_heights_of_bmp_are_heights() -> None:
    data = b"BM" + bytes(12) + struct.pack("<Iii", 40, 30, -20)
    assert read_header("bmp", data).shown == (30, 20)


@pytest.mark.parametrize(
    "block",
    [b"", b"II*\x00", exif(3)[6:-8], b"MM\x00*\x00\x00\x00\x08\xff\xff", b"MM\x00*\xff\xff\xff\xff", exif(9)[6:], exif(0)[6:], exif(6)],
)
def test_broken_exif_means_upright(block: bytes) -> None:
    assert read_orientation(block) == 1


def test_colour_profiles_are_found_and_bounded() -> None:
    profile = b"a profile" * 10_000
    assert read_header("jpeg", encode(quadrants(), "JPEG", icc_profile=profile)).icc == profile
    assert read_header("png", encode(quadrants(), "PNG", icc_profile=profile)).icc == profile
    assert read_header("webp", encode(quadrants(), "WEBP", icc_profile=profile)).icc == profile
    bomb = encode(quadrants(), "PNG", icc_profile=bytes(30_000_000))
    assert read_header("png", bomb).icc is None


@given(st.sampled_from(NAMES), st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_content_is_read_or_broken(name: str, junk: bytes) -> None:
    start = encode(quadrants(16, 16), name.upper())
    for data in (junk, start[:24] + junk, start[:64] + junk):
        with contextlib.suppress(Broken):
            assert isinstance(read_header(name, data), Still)
