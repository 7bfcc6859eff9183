"""Pages of a PDF, drawn by PDFium at exactly the size that is wanted. Runs in a decoder process only."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pypdfium2  # pyright: ignore[reportMissingTypeStubs]  # it ships none
import pypdfium2.raw  # pyright: ignore[reportMissingTypeStubs]  # it ships none

from sightline.media.orders import PagesFound, RenderPages, Reply, SurveyPages
from sightline.media.picture import Picture
from sightline.media.refusals import Broken, Over

_pdfium = cast("Any", pypdfium2)  # without stubs, all of it is Any
_raw = cast("Any", pypdfium2.raw)

_POINTS = 72
_WHITE = 0xFFFFFFFF
_PASSWORD = {_raw.FPDF_ERR_PASSWORD, _raw.FPDF_ERR_SECURITY}


def survey_pages(data: bytes, order: SurveyPages) -> Reply:
    """Sizes of all pages at `order.dpi`. Raises `Broken`, `Over`."""
    document = _open(data)
    count = len(document)
    if count == 0:
        raise Broken("empty")
    if count > order.limits.pages:
        raise Over("pages", count, order.limits.pages)
    sizes: list[tuple[int, int]] = []
    for index in range(count):
        try:
            width, height = document.get_page_size(index)
        except _pdfium.PdfiumError:
            width, height = 612.0, 792.0  # a page that cannot be read is found out when it is drawn
        sizes.append((max(1, round(width * order.dpi / _POINTS)), max(1, round(height * order.dpi / _POINTS))))
    return PagesFound(tuple(sizes))


def render_pages(data: bytes, order: RenderPages) -> Iterator[Picture]:
    """Draws pages, with what was filled into their forms. Raises `Broken`."""
    document = _open(data)
    document.init_forms()
    for wanted in order.pages:
        try:
            page = document[wanted.page - 1]
        except _pdfium.PdfiumError as error:
            raise Broken("pixels", str(error)) from None
        left, top, right, bottom = wanted.part or (0.0, 0.0, 1.0, 1.0)
        whole_width, whole_height = round(wanted.width / (right - left)), round(wanted.height / (bottom - top))
        pixels = np.empty((wanted.height, wanted.width, 3), np.uint8)
        bitmap = _raw.FPDFBitmap_CreateEx(
            wanted.width, wanted.height, _raw.FPDFBitmap_BGR, pixels.ctypes.data_as(ctypes.c_void_p), wanted.width * 3
        )
        if not bitmap:
            raise Broken("pixels")
        _raw.FPDFBitmap_FillRect(bitmap, 0, 0, wanted.width, wanted.height, _WHITE)
        placed = (bitmap, page.raw, round(-left * whole_width), round(-top * whole_height), whole_width, whole_height, 0)
        flags = _raw.FPDF_ANNOT | _raw.FPDF_REVERSE_BYTE_ORDER
        _raw.FPDF_RenderPageBitmap(*placed, flags)
        forms = document.formenv
        if forms:
            _raw.FPDF_FFLDraw(forms.raw, *placed, flags)
        _raw.FPDFBitmap_Destroy(bitmap)
        page.close()
        yield Picture(pixels, ("cropped",) if wanted.part else (), page=wanted.page)


def _open(data: bytes) -> Any:
    try:
        return _pdfium.PdfDocument(data)
    except _pdfium.PdfiumError as error:
        raise Broken("encrypted" if error.err_code in _PASSWORD else "header", str(error)) from None
