"""PDF, TIFF and DICOM, and the processes that read them."""

from __future__ import annotations

import base64
import io
import itertools
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.media.gate import Gate
from sightline.media.settings import MediaSettings
from sightline.protocol.errors import DamagedMedia, TooLarge, UnsupportedMedia
from sightline.service.ports import Crop, Loaded, MediaPolicy, Probed
from tests.integration.media import heic
from tests.integration.media.conftest import CALLER, EVERYTHING, VIEW, opened
from tests.unit.media import corpus
from tests.unit.media.files import encode, pdf_of, quadrants

A4 = (595.0, 842.0)


async def probe(gate: Gate, data: bytes, policy: MediaPolicy = EVERYTHING) -> Probed:
    (probed,) = await gate.probe([base64.b64encode(data).decode()], policy, CALLER)
    return probed


async def load(gate: Gate, data: bytes, **how: Any) -> Loaded:
    return await gate.load(await probe(gate, data), VIEW, lane="B", **how)


def pixels(loaded: Loaded, number: int = 0) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(loaded.frames[number].data)).convert("RGB")).astype(int)


async def test_pages_of_a_pdf(gate: Gate) -> None:
    data = pdf_of(A4, (842, 595), (300, 300))
    probed = await probe(gate, data)
    assert (probed.kind, probed.format, probed.pages) == ("document", "pdf", 3)
    loaded = await gate.load(probed, VIEW, lane="B")
    assert [frame.page for frame in loaded.frames] == [1, 2, 3]
    assert loaded.receipt.pages == (1, 2, 3)
    assert loaded.receipt.page_count == 3
    assert loaded.receipt.visual_tokens == probed.visual_tokens(VIEW)
    assert loaded.frames[0].height > loaded.frames[0].width
    assert loaded.frames[1].height < loaded.frames[1].width
    for number in range(3):
        page = pixels(loaded, number)
        height, width = page.shape[:2]
        assert page[: height // 4].min() > 200  # nothing at the top
        assert page[-height // 8 :, : width // 8].max() < 50  # the black square at the lower left


async def test_some_pages_and_parts_of_pages(gate: Gate) -> None:
    data = pdf_of(*[A4] * 5)
    loaded = await load(gate, data, pages=[4, 2, 99])
    assert loaded.receipt.pages == (4, 2)
    assert loaded.receipt.page_count == 5
    probed = await probe(gate, data)
    corner = Crop(0, probed.height * 3 // 4, probed.width // 4, probed.height)
    part = await gate.load(probed, VIEW, lane="B", pages=[1], crop=corner)
    assert pixels(part)[16:-16, 16:-16].max() < 50
    assert "cropped" in part.receipt.changes
    with pytest.raises(DamagedMedia):
        await load(gate, data, pages=[99])


async def test_long_documents_come_a_batch_at_a_time(gate: Gate) -> None:
    loaded = await load(gate, pdf_of(*[A4] * 40))
    assert loaded.receipt.pages == tuple(range(1, 41))


async def test_blank_pages_are_named(gate: Gate) -> None:
    pages = [Image.fromarray(corpus.page(1)), Image.new("RGB", (960, 1280), "white"), Image.fromarray(corpus.page(3))]
    held = io.BytesIO()
    pages[0].save(held, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    loaded = await load(gate, held.getvalue())
    (notice,) = loaded.notices
    assert notice.type == "near_blank"
    assert notice.show("en").msg == "Page 2: It is nearly blank."


async def test_pages_and_bytes_are_bounded() -> None:
    async with opened(MediaSettings(most_pages=2)) as gate:
        with pytest.raises(TooLarge) as refused:
            await probe(gate, pdf_of(*[A4] * 3))
        assert (refused.value.details["actual"], refused.value.details["limit"]) == (3, 2)
        frames = [Image.fromarray(quadrants())] * 3
        held = io.BytesIO()
        frames[0].save(held, "TIFF", save_all=True, append_images=frames[1:])
        with pytest.raises(TooLarge):
            await probe(gate, held.getvalue())


async def test_locked_and_broken_documents_say_which(gate: Gate) -> None:
    for data, words in (
        (pdf_of(A4, encrypted=True), "password"),
        (b"%PDF-1.7\n" + bytes(500), "header"),
        (pdf_of(), "header"),
        (encode(quadrants(), "TIFF")[:200], "cut off"),
    ):
        with pytest.raises(DamagedMedia) as refused:
            await load(gate, data)
        assert words in refused.value.say("en")


async def test_tiff_modes(gate: Gate) -> None:
    grey = np.linspace(0, 65535, 192).astype(np.uint16)[None].repeat(128, 0)
    for mode, compression in itertools.product(("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"), ("raw", "tiff_lzw", "tiff_adobe_deflate")):
        image = Image.fromarray(grey) if mode == "I;16" else Image.fromarray(quadrants(192, 128)).convert(mode)
        loaded = await load(gate, encode(image, "TIFF", compression=compression))
        assert loaded.kind == "image"
        assert loaded.receipt.pages == ()
        expected = (grey >> 8)[..., None] if mode == "I;16" else np.asarray(image.convert("RGB")).astype(int)
        assert np.abs(pixels(loaded) - expected).mean() < (8 if mode == "1" else 4), (mode, compression)


async def test_tiff_orientation_and_float(gate: Gate) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    probed = await probe(gate, encode(quadrants(192, 128), "TIFF", exif=tags))
    assert (probed.width, probed.height) == (128, 192)
    loaded = await gate.load(probed, VIEW, lane="B")
    assert pixels(loaded)[20, 110, 0] > 200
    with pytest.raises(DamagedMedia):
        await load(gate, encode(Image.fromarray(np.zeros((64, 64), np.float32)), "TIFF"))


async def test_a_task_for_single_pictures_refuses_many_pages(gate: Gate) -> None:
    frames = [Image.fromarray(quadrants())] * 2
    held = io.BytesIO()
    frames[0].save(held, "TIFF", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedMedia) as refused:
        await probe(gate, held.getvalue(), MediaPolicy(frozenset({"image"})))
    assert "several pages" in refused.value.say("en")


async def test_heic(gate: Gate) -> None:
    pytest.importorskip("pi_heif")
    for content, size, corner in ((heic.PLAIN, (96, 64), (255, 0, 0)), (heic.TURNED, (64, 96), (0, 0, 255))):
        (probed,) = await gate.probe([content], EVERYTHING, CALLER)
        assert (probed.kind, probed.format, probed.width, probed.height) == ("image", "heic", *size)
        loaded = await gate.load(probed, VIEW, lane="A")
        assert np.abs(pixels(loaded)[10, 10] - corner).max() < 12
    with pytest.raises(DamagedMedia):
        await load(gate, base64.b64decode(heic.PLAIN)[:300])


def dicom(**values: Any) -> bytes:
    pydicom = pytest.importorskip("pydicom")
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    ramp = np.linspace(0, 4095, 192).astype(np.uint16)[None].repeat(128, 0)
    dataset.PatientName = "Secret^Name"
    dataset.Rows, dataset.Columns = ramp.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = ramp.tobytes()
    for name, value in values.items():
        setattr(dataset, name, value)
    held = io.BytesIO()
    dataset.save_as(held, enforce_file_format=True)
    return held.getvalue()


async def test_dicom_is_windowed(gate: Gate) -> None:
    whole = await load(gate, dicom())
    assert whole.kind == "image"
    assert np.abs(pixels(whole)[60, :, 0] - np.linspace(0, 255, 192)).max() < 6
    windowed = pixels(await load(gate, dicom(WindowCenter=1024, WindowWidth=1024)))[60, :, 0]
    assert windowed[:20].max() < 5
    assert windowed[80:].min() > 250
    inverted = pixels(await load(gate, dicom(PhotometricInterpretation="MONOCHROME1")))[60, :, 0]
    assert inverted[5] > 240
    scaled = pixels(await load(gate, dicom(RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=0, WindowWidth=1024)))[60, :, 0]
    assert np.abs(scaled - windowed).max() < 6


async def test_broken_dicom_tells_nothing_of_the_patient(gate: Gate) -> None:
    with pytest.raises(DamagedMedia) as refused:
        await load(gate, dicom(PixelData=b"\x00\x00"))
    assert "Secret" not in repr(refused.value.__dict__)
