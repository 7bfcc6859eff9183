"""Pictures come out right: against Pillow's own full decode, conversion and reduction of the same file."""

from __future__ import annotations

import io
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from sightline.media.headers import read_header
from sightline.media.picture import Picture
from sightline.media.pixels import as_stored, fit_to
from sightline.media.refusals import Broken
from sightline.media.stills import decode_still
from tests.unit.media import corpus
from tests.unit.media.files import Array, encode, jpeg_of, png_of, quadrants

SCENE = corpus.photo(1, 800, 600)
PAGE = corpus.page(1, 800, 1000)


def decode(name: str, data: bytes, size: tuple[int, int], crop: tuple[int, int, int, int] | None = None) -> Picture:
    return decode_still(name, data, read_header(name, data), size, crop)


def reference(data: bytes, size: tuple[int, int], box: tuple[int, int, int, int] | None = None) -> Array:
    """Upright, on white, at the size that is asked."""
    with Image.open(io.BytesIO(data)) as image:
        upright: Any = ImageOps.exif_transpose(image)
        if upright.mode in {"RGBA", "LA", "P", "PA"}:
            colour = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
        return np.asarray(upright.convert("RGB").resize(size, Image.Resampling.LANCZOS, box=box))


def error(ours: Array, theirs: Array) -> float:
    """Mean absolute difference (of 255) where a 3x3 mean is taken of both, since sharpness is a matter of the filter."""
    return float(np.abs(cv2.blur(ours, (3, 3)).astype(float) - cv2.blur(theirs, (3, 3))).mean())


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "bmp", "gif", "avif"])
@pytest.mark.parametrize("size", [(416, 320), (96, 64), (800, 608), (1024, 768)])
def test_close_to_a_full_decode_and_reduction(name: str, size: tuple[int, int]) -> None:
    data = encode(SCENE, name.upper())
    picture = decode(name, data, size)
    assert picture.pixels.shape == (size[1], size[0], 3)
    assert error(picture.pixels, reference(data, size)) < 3.0
    assert "resized" in picture.changes


@pytest.mark.parametrize("size", [(416, 512), (608, 768)])
def test_text_stays_as_legible_as_a_lanczos_reduction_leaves_it(size: tuple[int, int]) -> None:
    data = encode(PAGE, "PNG")
    ours, theirs = (pixels.astype(float) for pixels in (decode("png", data, size).pixels, reference(data, size)))
    noise = np.mean((ours - theirs) ** 2)
    assert 10 * np.log10(255**2 / noise) > 28


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
def test_every_orientation_comes_out_upright(name: str, orientation: int) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    data = encode(quadrants(192, 128), name.upper(), exif=tags.tobytes(), quality=95)
    size = (128, 192) if orientation >= 5 else (192, 128)
    picture = decode(name, data, size)
    assert error(picture.pixels, reference(data, size)) < 2
    assert ("rotated" in picture.changes) == (orientation > 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_crops_are_of_the_upright_picture(orientation: int) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    data = encode(SCENE[:512, :768], "JPEG", exif=tags.tobytes(), quality=95)
    with Image.open(io.BytesIO(data)) as image:
        width, height = ImageOps.exif_transpose(image).size
    box = (width // 8, height // 4, width // 2, height - 32)
    size = (160, 128)
    picture = decode("jpeg", data, size, box)
    assert error(picture.pixels, reference(data, size, box)) < 4
    assert "cropped" in picture.changes


@given(st.integers(2, 60), st.integers(2, 60), st.integers(1, 8), st.data())
@settings(deadline=None)
def test_a_box_of_the_upright_picture_is_found_in_the_stored_one(width: int, height: int, orientation: int, data: st.DataObject) -> None:
    stored = np.arange(width * height, dtype=np.uint16).reshape(height, width)
    tags = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    image = Image.fromarray(stored.astype(np.int32))
    upright = np.asarray(image.transpose(Image.Transpose(tags[orientation]))) if orientation > 1 else stored
    rows, columns = upright.shape
    left, top = data.draw(st.integers(0, columns - 1)), data.draw(st.integers(0, rows - 1))
    right, bottom = data.draw(st.integers(left + 1, columns)), data.draw(st.integers(top + 1, rows))
    box = as_stored((left, top, right, bottom), width, height, orientation)
    ours = stored[box[1] : box[3], box[0] : box[2]]
    assert sorted(ours.ravel()) == sorted(upright[top:bottom, left:right].ravel())


def test_alpha_is_laid_on_white() -> None:
    colour = np.zeros((64, 96, 4), np.uint8)
    colour[..., 0] = 200
    colour[:, :32, 3], colour[:, 32:64, 3], colour[:, 64:, 3] = 0, 128, 255
    for name, options in (("png", {}), ("webp", {"lossless": True})):
        data = encode(Image.fromarray(colour), name.upper(), **options)
        picture = decode(name, data, (96, 64))
        assert np.abs(picture.pixels[32, 16].astype(int) - 255).max() <= 1
        assert np.abs(picture.pixels[32, 48].astype(int) - (227, 127, 127)).max() <= 2
        assert np.abs(picture.pixels[32, 80].astype(int) - (200, 0, 0)).max() <= 1
        assert "flattened" in picture.changes
        assert error(decode(name, data, (32, 32)).pixels, reference(data, (32, 32))) < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes_of_png(mode: str) -> None:
    data = encode(Image.fromarray(SCENE).convert(mode), "PNG")
    assert error(decode("png", data, (416, 320)).pixels, reference(data, (416, 320))) < 6


def test_transparent_palettes_and_colour_keys() -> None:
    indexed = Image.fromarray(np.repeat(np.arange(4, dtype=np.uint8), 24)[None].repeat(64, 0), "P")
    indexed.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    for name in ("png", "gif"):
        picture = decode(name, encode(indexed, name.upper(), transparency=0), (96, 64))
        assert (picture.pixels[30, 10] == 255).all()
        assert (picture.pixels[30, 34] == (255, 0, 0)).all()


def test_16_bits_keep_their_scale() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(64, 0)
    grey = decode("png", encode(Image.fromarray(ramp), "PNG"), (256, 64))
    assert np.abs(grey.pixels[10, :, 0].astype(int) - np.arange(256)).max() <= 1
    assert "depth_reduced" in grey.changes
    rows = b"".join(b"\x00" + ramp[0].astype(">u2").tobytes() + b"" for _ in range(64))
    assert (decode("png", png_of(256, 64, 16, 0, zlib.compress(rows)), (256, 64)).pixels == grey.pixels).all()
    colour = b"".join(b"\x00" + np.repeat(ramp[0], 3).astype(">u2").tobytes() for _ in range(64))
    assert np.abs(decode("png", png_of(256, 64, 16, 2, zlib.compress(colour)), (256, 64)).pixels.astype(int) - grey.pixels).max() <= 1


def test_cmyk_without_a_profile_is_as_pillow_converts_it() -> None:
    data = encode(Image.fromarray(quadrants(192, 128)).convert("CMYK"), "JPEG", quality=95)
    picture = decode("jpeg", data, (192, 128))
    assert error(picture.pixels, reference(data, (192, 128))) < 3
    assert "colours_converted" in picture.changes


def test_colour_profiles_lead_to_srgb() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    swapped = _profile_with_red_and_blue_swapped(lab.tobytes())
    data = encode(quadrants(192, 128), "PNG", icc_profile=swapped)
    with Image.open(io.BytesIO(data)) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        expected: Any = ImageCms.profileToProfile(image.convert("RGB"), profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    picture = decode("png", data, (192, 128))
    assert np.abs(picture.pixels.astype(int) - np.asarray(expected)).max() <= 2
    assert picture.pixels[20, 20, 2] > 200  # what was stored as red is blue in that profile
    assert "colours_converted" in picture.changes
    plain = decode("png", encode(quadrants(192, 128), "PNG", icc_profile=lab.tobytes()), (192, 128))
    assert "colours_converted" not in plain.changes


def _profile_with_red_and_blue_swapped(profile: bytes) -> bytes:
    """An sRGB profile under another name whose red and blue primaries have changed places."""
    changed = bytearray(profile)
    entries = range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12)
    places = {profile[at : at + 4]: at for at in entries}
    red, blue = places[b"rXYZ"], places[b"bXYZ"]
    changed[red : red + 4], changed[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(changed).replace(b"sRGB", b"odd ").replace("sRGB".encode("utf-16-be"), "odd ".encode("utf-16-be"))


def test_a_broken_profile_is_as_good_as_none() -> None:
    data = encode(quadrants(192, 128), "JPEG", icc_profile=b"nonsense", quality=95)
    assert error(decode("jpeg", data, (192, 128)).pixels, quadrants(192, 128)) < 3


def test_grey_and_progressive_jpeg() -> None:
    for image, options in ((Image.fromarray(SCENE).convert("L"), {}), (Image.fromarray(SCENE), {"progressive": True})):
        data = encode(image, "JPEG", **options)
        assert error(decode("jpeg", data, (416, 320)).pixels, reference(data, (416, 320))) < 3


def test_truncated_and_corrupt_files_are_told_apart() -> None:
    jpeg, png = encode(SCENE, "JPEG"), encode(SCENE, "PNG")
    for name, data, expected in (
        ("jpeg", jpeg[: len(jpeg) // 2], "truncated"),
        ("png", png[: len(png) // 2], "truncated"),
        ("png", png[:3000] + bytes(300) + png[3300:], "pixels"),
        ("webp", encode(SCENE, "WEBP")[:3000], "pixels"),
        ("gif", encode(SCENE, "GIF")[:3000], "truncated"),
        ("bmp", encode(SCENE, "BMP")[:3000], "truncated"),
        ("avif", encode(SCENE, "AVIF")[:3000], "header"),
        ("jpeg", jpeg_of(64, 64), "pixels"),
        ("jpeg", jpeg_of(64, 64, bits=12), "variant"),
        ("png", png_of(64, 64, 8, 2, zlib.compress(bytes(100))), "pixels"),
        ("png", png_of(64, 64, 3, 2, zlib.compress(bytes(100))), "pixels"),
    ):
        with pytest.raises(Broken) as broken:
            decode(name, data, (64, 64))
        assert broken.value.reason == expected, (name, expected)


def test_a_jpeg_that_lacks_only_its_end_marker_is_whole() -> None:
    data = encode(SCENE, "JPEG")
    assert (decode("jpeg", data[:-2], (416, 320)).pixels == decode("jpeg", data, (416, 320)).pixels).all()


def test_the_same_bytes_give_the_same_pixels() -> None:
    for name in ("jpeg", "png", "webp"):
        data = encode(SCENE, name.upper())
        assert (decode(name, data, (416, 320)).pixels == decode(name, data, (416, 320)).pixels).all()


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 200), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_fitting_keeps_what_is_even_even(width: int, height: int, to_width: int, to_height: int) -> None:
    flat = np.full((height, width, 3), (10, 120, 250), np.uint8)
    fitted = fit_to(flat, to_width, to_height)
    assert fitted.shape == (to_height, to_width, 3)
    assert (fitted == (10, 120, 250)).all()
