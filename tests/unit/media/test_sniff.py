"""What an input is, told by its content alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.media.sniff import ENOUGH, FORMATS, accepted, name_stranger, sniff
from sightline.protocol.language import Bilingual
from tests.unit.media.files import encode, pdf_of, quadrants


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_pictures_as_pillow_writes_them(name: str) -> None:
    form = sniff(encode(quadrants(), name)[:ENOUGH])
    assert form is not None
    assert form.name == name.lower()


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (pdf_of((612, 792)), "pdf"),
        (b"\n\n junk before it %PDF-1.4", "pdf"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41", "mp4"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  ", "mov"),
        (b"\x00\x00\x00\x08wide\x00\x00\x12\x34mdat", "mov"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "webm"),
        (b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\x82\x88matroska", "mkv"),
        (b"II+\x00\x08\x00\x00\x00", "tiff"),
        (bytes(128) + b"DICM" + bytes(10), "dicom"),
    ],
)
def test_others(head: bytes, name: str) -> None:
    form = sniff(head[:ENOUGH])
    assert form is not None
    assert form.name == name


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"", "nothing (0 bytes)"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b'<?xml version="1.0"?><svg/>', "SVG"),
        (b"<?xml version='1.0'?><x/>", "XML"),
        (b"<!DOCTYPE html><html>", "a web page (HTML)"),
        (b'{"error": "no"}', "JSON"),
        ("你好，世界".encode(), "plain text"),
        (b"PK\x03\x04....", "a ZIP archive (or an Office document)"),
        (b"RIFF....AVI LIST", "AVI"),
        (b"RIFF....WAVEfmt ", "WAV"),
        (b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00", "audio"),
        (b"8BPS\x00\x01", "PSD"),
        (b"\x7fELF\x02", "a program"),
        (b"SIMPLE  =                    T", "FITS"),
        (b"%!PS-Adobe-3.0 EPSF", "PostScript"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (bytes(2000), "data of no known format"),
        (b"\x80\x81\x82\x83", "data of no known format"),
    ],
)
def test_strangers_are_named_and_not_read(head: bytes, said: str) -> None:
    assert sniff(head[:ENOUGH]) is None
    name = name_stranger(head[:ENOUGH])
    assert (name.en if isinstance(name, Bilingual) else name) == said


def test_what_an_extra_would_read_is_named_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.media.sniff._missing", lambda: frozenset({"heic", "dicom"}))
    for head, extra in ((b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "heic"), (bytes(128) + b"DICM", "dicom")):
        assert sniff(head) is None
        name = name_stranger(head)
        assert isinstance(name, Bilingual)
        assert f"sightline[{extra}]" in name.en
        assert extra.upper() not in accepted(frozenset({"image"}))


def test_text_is_text_even_when_a_character_is_cut() -> None:
    name = name_stranger(("好" * 1000).encode()[:ENOUGH])
    assert isinstance(name, Bilingual)
    assert name.en == "plain text"


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_anything_is_known_or_named(head: bytes) -> None:
    form = sniff(head)
    assert form in FORMATS.values() or name_stranger(head)


def test_accepted_lists_only_what_the_kinds_allow() -> None:
    assert "PDF" not in accepted(frozenset({"image"}))
    assert accepted(frozenset({"video"})) == "MP4, MOV, WebM, MKV"
